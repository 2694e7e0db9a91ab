/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over the files of some folders, and once over the empty input: so every
 * finding that was kept in tests/fuzz/regression is tried again in every build, without libFuzzer.
 * A folder that does not exist counts as empty; a file that cannot be read fails the run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return 1;
    }
    /* Exactly the file's size, so that a sanitizer sees a read past its end. */
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    size_t got = data ? fread(data, 1, size, f) : 0;
    fclose(f);
    if (!data || got != size) {
        fprintf(stderr, "replay: %s: short read\n", path);
        free(data);
        return 1;
    }
    fprintf(stderr, "replay: %s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, long *count) {
    DIR *dir = opendir(folder);
    if (!dir) return errno == ENOENT ? 0 : 1;
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct stat st;
        if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        failed |= replay_file(path);
        ++*count;
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv) {
    static const uint8_t nothing[1];
    long count = 0;
    int failed = 0;
    LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 1; i < argc; i++) failed |= replay_folder(argv[i], &count);
    fprintf(stderr, "replay: %ld inputs\n", count);
    return failed;
}
