/* replay_main.c - run a fuzz target over the files of a folder, without a fuzzer: what once crashed must not crash again. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_map map;
    char *path = nf_path_join(dir, name, &err);

    if (!path || nf_map_open(path, &map, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        free(path);
        return -1;
    }
    fprintf(stderr, "# %s\n", path);   /* the last line before a crash names its input */
    LLVMFuzzerTestOneInput(map.data, map.size);
    nf_map_close(&map);
    free(path);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *e;
    int n = 0, bad = 0;

    if (!dir) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    while ((e = readdir(dir)))
        if (e->d_name[0] != '.') {
            bad |= replay(argv[1], e->d_name);
            n++;
        }
    closedir(dir);
    printf("# %d inputs\n", n);
    return bad || n == 0;   /* an empty corpus tests nothing */
}
