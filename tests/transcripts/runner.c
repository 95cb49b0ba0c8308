/* Replays transcripts (README.md) against the machines of src/proto: each file with its input
 * whole, octet by octet, cut in two at every octet, and with each allocation failing once. The
 * folder's name says the protocol: "smtp", "smtp-login", "smtp-guard". Prints TAP.
 *
 * usage: runner DIRECTORY...            replay every .txt file
 *        runner --seeds TO FROM...      write the client's octets of each file as fuzz seeds */
#include "play.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* cut in two up to here in one run of input; octet by octet covers the rest */
#define CUTS_MAX 700

/* The protocol of a folder: its first word, and "smtp" is submission. */
static const struct protocol *protocol_of(const char *path)
{
    const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    char word[32];

    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "-/"), name);
    return protocol_named(strcmp(word, "smtp") == 0 ? "submission" : word);
}

static void play(struct play *p, const struct script *script)
{
    p->script = script;
    p->protocol = script->protocol;
    if (script->count != 0 && script_is_word(&script->steps[0], 0, "guard"))
        play_guard(p);
    else
        play_machine(p);
}

static char *play_cut(const struct script *script, size_t piece, size_t cut, size_t *ret_longest)
{
    struct play p = { .piece = piece, .cut = cut };

    play(&p, script);
    *ret_longest = p.longest;
    return p.failure;
}

/* Whichever allocation fails, the play goes as written or ends early; the one thing that must not
 * come of it is a credential that the client did not present. */
static char *play_short(const struct script *script, unsigned long n)
{
    struct play p = { .is_memory_short = true };

    mem_fail_at(n);
    play(&p, script);
    mem_fail_at(0);
    if (p.is_forged)
        return p.failure == NULL ? strdup("a credential that was not presented") : p.failure;
    free(p.failure);
    return NULL;
}

static char *replay(const struct script *script)
{
    size_t longest = 0, ignored;
    char *failure = play_cut(script, 0, 0, &longest);

    if (failure == NULL)
        failure = play_cut(script, 1, 0, &ignored);
    for (size_t cut = 1; failure == NULL && cut < longest && cut < CUTS_MAX; cut++)
        failure = play_cut(script, 0, cut, &ignored);
    for (unsigned long n = 1; failure == NULL && n <= 128; n++)
        failure = play_short(script, n);
    return failure;
}

/* The first octets of tests/fuzz: how the machine is set up, how its input is cut (four for a
 * guard); then the client's, with the mark of the login targets where TLS begins. */
static void write_seed(const struct script *script, const char *to)
{
    char path[4096];
    const char *name = strrchr(script->name, '/');
    bool is_front = false, is_guard = false;
    int flags = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", to, name == NULL ? script->name : name + 1);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        script_die(path, 0, "cannot be written");
    for (size_t i = 0; i < script->count; i++) {
        const struct step *s = &script->steps[i];
        if (s->kind != STEP_SET)
            continue;
        is_front = is_front || script_is_word(s, 0, "gate");
        is_guard = is_guard || script_is_word(s, 0, "guard");
        flags |= script_is_word(s, 1, "implicit") || script_is_word(s, 1, "tls") ? 1 : 0;
        flags |= script_is_word(s, 0, "upstream") && script_is_word(s, 1, "starttls") ? 2 : 0;
        flags |= script_is_word(s, 0, "trusting") ? 4 : 0;
    }
    (void)fputc(flags, file);
    (void)fputc(7, file);
    if (is_guard)
        (void)fwrite("\7", 1, 2, file);
    for (size_t i = 0; i < script->count; i++) {
        const struct step *s = &script->steps[i];
        if (s->kind == STEP_SEND && !(is_guard && s->who != 'C'))
            (void)fwrite(s->text.p, 1, s->text.n, file);
        if (s->kind == STEP_EVENT && !is_front && script_is_word(s, 0, "starttls"))
            (void)fputc(0x1e, file);
    }
    (void)fclose(file);
}

static int is_transcript(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);

    return n > 4 && strcmp(entry->d_name + n - 4, ".txt") == 0;
}

static bool run_file(const char *path, const struct protocol *protocol, const char *seeds,
                     unsigned number)
{
    struct script script;
    char *failure = NULL;

    script_load(&script, path);
    script.protocol = protocol;
    if (seeds != NULL)
        write_seed(&script, seeds);
    else
        failure = replay(&script);
    if (seeds == NULL)
        (void)printf("%sok %u - %s\n", failure == NULL ? "" : "not ", number, path);
    if (failure != NULL)
        (void)printf("# %s\n", failure);
    const bool is_good = failure == NULL;
    free(failure);
    script_free(&script);
    return is_good;
}

int main(int argc, char **argv)
{
    const char *seeds = argc > 2 && strcmp(argv[1], "--seeds") == 0 ? argv[2] : NULL;
    unsigned number = 0;
    bool is_good = true;

    for (int i = seeds == NULL ? 1 : 3; i < argc; i++) {
        const struct protocol *protocol = protocol_of(argv[i]);
        struct dirent **entries;
        const int n = scandir(argv[i], &entries, is_transcript, alphasort);
        if (n <= 0)
            script_die(argv[i], 0, "no transcripts here");
        if (protocol == NULL)
            script_die(argv[i], 0, "named after no protocol");
        for (int e = 0; e < n; e++) {
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s", argv[i], entries[e]->d_name);
            is_good = run_file(path, protocol, seeds, ++number) && is_good;
            free(entries[e]);
        }
        free(entries);
    }
    if (seeds == NULL)
        (void)printf("1..%u\n", number);
    return is_good && number != 0 ? 0 : 1;
}
