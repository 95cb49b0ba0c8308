/* value.h: one value of one setting: from the file (or the table's default) into its field.
 * The field owns what it points to; setting it again frees what was there. Errors: a fault in
 * words, "what is wrong: how to mend it", and the field as it was. Internal to src/config, but for
 * durations, which the command line reads with value_duration_parse. Pure. */
#ifndef POSTERN_CONFIG_VALUE_H
#define POSTERN_CONFIG_VALUE_H

#include "config/schema.h"

#define VALUE_ITEMS_MAX 256  /* entries of one list: more is a mistake, not a configuration */
#define VALUE_TEXT_MAX  4096 /* octets of one text: PATH_MAX, and room for any cipher list  */

struct fault {
    char text[384];
};

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_FLAG, VALUE_LIST };

struct value {
    enum value_kind kind;
    int64_t number;           /* VALUE_NUMBER */
    bool flag;                /* VALUE_FLAG */
    const char *const *items; /* VALUE_LIST, VALUE_TEXT (one); borrowed */
    size_t n;
};

/* `object` is the struct of the row's scope; `folder` ("": none) is what relative paths start from.
 */
MUST_USE bool value_set(const struct schema_row *row, void *object, const struct value *v,
                        const char *folder, struct fault *ret);
MUST_USE bool value_set_standard(const struct schema_row *row, void *object, struct fault *ret);
void value_free(const struct schema_row *row, void *object);

/* Always false, for `return fault_say(…)`. */
bool fault_say(struct fault *f, const char *format, ...) PRINTF(2, 3);

/* The word of a choice; "" when `index` is none of its values. */
struct view value_word(const struct schema_row *row, unsigned index);
/* The field of a row as a number: KIND_NUMBER, KIND_DURATION, KIND_CHOICE. */
uint32_t value_number(const struct schema_row *row, const void *object);
/* The longest exact unit: "35m", "1500ms". `text` has room for 24 octets. */
const char *value_duration(uint64_t ms, char *text);
/* Digits and a unit (ms s m h d w) as milliseconds; false: no such thing. */
MUST_USE bool value_duration_parse(const char *text, uint64_t *ret_ms);

#endif
