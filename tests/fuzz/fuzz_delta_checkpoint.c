/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log with a checkpoint, a hint and a compaction of any bytes. The input is taken apart at the byte 0x1E:
 *   flags (one byte) | _last_checkpoint | V2 checkpoint as JSON | rows of a Parquet checkpoint (or sidecar) | commit 3 | compaction 1..2
 * The table is opened at its latest version, at 2, and at a time; its history is listed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char first[] =
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\"],\"writerFeatures\":[\"v2Checkpoint\"]}}\n"
    "{\"metaData\":{\"id\":\"t\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\","
    "\"partitionColumns\":[],\"configuration\":{}}}\n";
static const char *const names[] = {"_last_checkpoint", "00000000000000000002.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", NULL,
                                    "00000000000000000003.json", "00000000000000000001.00000000000000000002.compacted.json"};

static char folder[64];
static str rows_text;

static void put(const char *name, str text, bool wanted) {
    char path[256];
    snprintf(path, sizeof(path), "%s/_delta_log/%s", folder, name);
    if (!wanted) {
        (void)unlink(path);
        return;
    }
    FILE *f = fopen(path, "w");
    must(f);
    must(!text.n || fwrite(text.p, 1, text.n, f) == text.n);
    fclose(f);
}

static void clean(void) {
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command)) return;
}

static err *rows(void *arg, arena *a, const struct delta_fs *fs, str name, str *ret) {
    (void)arg, (void)fs, (void)name;
    *ret = arena_str(a, rows_text);
    return NULL;
}

static void begin(void) {
    char log[80];
    snprintf(folder, sizeof(folder), "%s/bh_fuzz_log_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    must(mkdtemp(folder));
    snprintf(log, sizeof(log), "%s/_delta_log", folder);
    must(!mkdir(log, 0700));
    atexit(clean);
}

static void open_at(const struct delta_fs *fs, struct delta_at at) {
    struct delta_parquet parquet = {NULL, rows};
    struct delta_snapshot *s;
    err *e = delta_snapshot_open(fs, &parquet, at, &s);
    if (!e) delta_snapshot_drop(s);
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!*folder) begin();
    if (!size) return 0;
    str rest = str_n((const char *)data + 1, size - 1), part[5] = {{0}};
    for (size_t i = 0; i < 5; i++)
        if (!str_split(&rest, 0x1e, &part[i])) part[i] = STR("");
    unsigned flags = data[0];
    for (size_t i = 0; i < 5; i++)
        if (names[i]) put(names[i], part[i], part[i].n > 0);
    rows_text = part[2];
    put("00000000000000000000.json", str_of(first), !(flags & 1));
    put("00000000000000000001.json", STR("\n"), !(flags & 2));
    put("00000000000000000002.json", STR("\n"), !(flags & 4));
    put("00000000000000000002.checkpoint.parquet", STR("x"), flags & 8);
    put("00000000000000000002.checkpoint.0000000001.0000000002.parquet", STR("x"), flags & 16);
    put("00000000000000000002.checkpoint.0000000002.0000000002.parquet", STR("x"), flags & 32);
    arena *a = arena_new();
    struct delta_fs fs = delta_fs_dir(a, str_of(folder));
    open_at(&fs, DELTA_LATEST);
    open_at(&fs, (struct delta_at){2, INT64_MIN});
    open_at(&fs, (struct delta_at){-1, 4000000000000});
    struct delta_commit_entry *h;
    size_t n;
    err_free(delta_history(&fs, a, 0, 3, 0, &h, &n));
    arena_free(a);
    return 0;
}
