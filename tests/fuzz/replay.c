/* Feeds each file of the named corpora to a fuzz target, with any compiler: what was ever found is
 * an ordinary test. usage: replay_x FILE-OR-FOLDER... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t n = 0, room = 0;

    while (file != NULL) {
        if (n == room) {
            room = room == 0 ? 4096 : room * 2;
            data = realloc(data, room);
            if (data == NULL)
                abort();
        }
        const size_t more = fread(data + n, 1, room - n, file);
        if (more == 0)
            break;
        n += more;
    }
    if (file == NULL || ferror(file) != 0) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    (void)fclose(file);
    /* Exactly as large as what it holds, so that reading over the end is seen. */
    uint8_t *exact = malloc(n == 0 ? 1 : n);
    if (exact == NULL)
        abort();
    memcpy(exact, data, n);
    free(data);
    (void)fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    count++;
}

static void replay(const char *path)
{
    char inner[4096];
    DIR *folder = opendir(path);

    if (folder == NULL) {
        replay_file(path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        replay_file(inner);
    }
    (void)closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    (void)fprintf(stderr, "%u inputs\n", count);
    return count == 0;
}
