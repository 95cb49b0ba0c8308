#include "config/nearest.h"

#include "config/schema.h"

#define NAME_MAX_OCTETS 64 /* longer names are not compared */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment, three rows. */
unsigned nearest_distance(struct view a, struct view b, unsigned max)
{
    unsigned rows[3][NAME_MAX_OCTETS + 1];

    if (a.n > NAME_MAX_OCTETS || b.n > NAME_MAX_OCTETS)
        return max + 1;
    for (unsigned j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            const unsigned cost = a.p[i - 1] != b.p[j - 1];
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return least(rows[a.n % 3][b.n], max + 1);
}

/* The name that follows `schema` in a path of the table; empty: the path is elsewhere. */
static struct view child(const char *schema, const char *path)
{
    const size_t n = strlen(schema);

    if (n != 0 && (strncmp(path, schema, n) != 0 || path[n] != '.'))
        return VIEW_NONE;
    const struct view rest = view_text(path + (n == 0 ? 0 : n + 1));
    return view_first(rest, view_find(rest, '.'));
}

static struct view nearest_child(const char *schema, struct view name)
{
    struct view best = VIEW_NONE;
    unsigned distance = name.n < 5 ? 2 : 3; /* must be smaller */

    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const struct view v = child(schema, schema_at(i)->shown.path);
        const unsigned d = v.n == 0 ? distance : nearest_distance(v, name, distance);
        if (d < distance) {
            best = v;
            distance = d;
        }
    }
    return best;
}

static const char *same_elsewhere(const char *name)
{
    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const char *path = schema_at(i)->shown.path;
        const char *dot = strrchr(path, '.');
        if (strcmp(dot == NULL ? path : dot + 1, name) == 0)
            return path;
    }
    return NULL;
}

static void put_children(const char *schema, struct buf *out)
{
    struct view last = VIEW_NONE;

    for (size_t i = 0; schema_at(i) != NULL; i++) {
        const struct view v = child(schema, schema_at(i)->shown.path);
        if (v.n == 0 || view_is_equal(v, last))
            continue;
        buf_put_text(out, last.n == 0 ? "there are " : ", ");
        buf_put(out, v);
        last = v;
    }
}

void nearest_setting(const char *schema, const char *name, struct buf *out)
{
    const struct view best = nearest_child(schema, view_text(name));
    const char *elsewhere = same_elsewhere(name);

    if (best.n != 0)
        buf_printf(out, "did you mean %.*s?", (int)best.n, (const char *)best.p);
    else if (elsewhere != NULL)
        buf_printf(out, "did you mean %s? It belongs there", elsewhere);
    else
        put_children(schema, out);
}
