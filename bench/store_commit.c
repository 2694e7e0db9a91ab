/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable single-row transactions per second of the stores, with 1, 8 and 32 writers that each wait
 * for their commit, beside what the disk gives: 4 KiB appended and fdatasync, one after the other.
 *
 *   store_commit [SECONDS [FOLDER]]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/gen_entities.h"
#include "sys/clock.h"
#include "sys/files.h"

#define MAX_WRITERS 32
#define MAX_SAMPLES (1 << 20)

static const struct store_scope WS = {1, 10};
static const struct store_actor ANN = {.principal = 7, .action = {"bench", 5}};

struct bench {
    store *s;
    _Atomic bool stop;
    _Atomic int64_t n;
    _Atomic size_t n_samples;
    int64_t *samples; /* microseconds of each commit */
};

static void die(err *e) {
    if (!e) return;
    fprintf(stderr, "store_commit: %s\n", err_msg(e));
    exit(1);
}

static err *add_row(store_tx *tx, void *arg) {
    char name[32];
    snprintf(name, sizeof(name), "k%lld", (long long)*(int64_t *)arg);
    struct ent_setting_kv row = {.name = str_of(name), .value = STR("{\"a\":1}")};
    return ent_setting_kv_insert(tx, WS, &row);
}

static void *writer(void *arg) {
    struct bench *b = arg;
    while (!atomic_load(&b->stop)) {
        int64_t n = atomic_fetch_add(&b->n, 1), start = clock_ticks();
        die(store_write_sync(b->s, STORE_META, add_row, &n, &ANN));
        size_t at = atomic_fetch_add(&b->n_samples, 1);
        if (at < MAX_SAMPLES) b->samples[at] = (clock_ticks() - start) / 1000;
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct bench *b, int writers, int seconds) {
    pthread_t t[MAX_WRITERS];
    struct store_stats before, after;
    store_stats_of(b->s, STORE_META, &before);
    atomic_store(&b->stop, false);
    atomic_store(&b->n_samples, 0);
    int64_t start = clock_ticks();
    for (int i = 0; i < writers; i++)
        if (pthread_create(&t[i], NULL, writer, b)) exit(1);
    sleep((unsigned)seconds);
    atomic_store(&b->stop, true);
    for (int i = 0; i < writers; i++) pthread_join(t[i], NULL);
    double took = (double)(clock_ticks() - start) / 1e9;
    store_stats_of(b->s, STORE_META, &after);
    size_t n = atomic_load(&b->n_samples), kept = n < MAX_SAMPLES ? n : MAX_SAMPLES;
    qsort(b->samples, kept, sizeof(*b->samples), by_value);
    printf("%2d writers: %8.0f tx/s   p50 %5lld us   p99 %6lld us   %.1f in a commit\n", writers,
           (double)n / took, (long long)b->samples[kept / 2],
           (long long)b->samples[kept * 99 / 100],
           (double)(after.jobs - before.jobs) / (double)(after.groups - before.groups));
}

static void measure_disk(const char *dir, int seconds) {
    char path[4200], block[4096] = {0};
    snprintf(path, sizeof(path), "%s/disk", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), n = 0;
    if (fd < 0) exit(1);
    int64_t start = clock_ticks(), end = start + seconds * 1000000000ll;
    for (; clock_ticks() < end; n++) /* The first 4 MiB over and over, as a WAL does. */
        if (pwrite(fd, block, sizeof(block), (n % 1024) * 4096) < 0 || fdatasync(fd) < 0) exit(1);
    printf("disk alone: %8.0f syncs/s of 4 KiB\n", n / ((double)(clock_ticks() - start) / 1e9));
    close(fd);
}

int main(int argc, char **argv) {
    int seconds = argc > 1 ? atoi(argv[1]) : 3;
    char dir[4096];
    snprintf(dir, sizeof(dir), "%s/bh-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (!mkdtemp(dir)) return 1;
    struct store_options o = {.dir = dir, .master_key = STR("0123456789abcdef0123456789abcdef")};
    struct bench b = {.samples = calloc(MAX_SAMPLES, sizeof(int64_t))};
    int64_t start = clock_ticks();
    die(store_open(&o, &b.s));
    printf("first open: %lld us", (long long)(clock_ticks() - start) / 1000);
    store_close(b.s);
    start = clock_ticks();
    die(store_open(&o, &b.s));
    printf(", again: %lld us\n", (long long)(clock_ticks() - start) / 1000);
    measure_disk(dir, seconds);
    static const int writers[] = {1, 8, 32};
    for (size_t i = 0; i < ARRAY_LEN(writers); i++) measure(&b, writers[i], seconds);
    store_close(b.s);
    free(b.samples);
    die(files_remove_tree(dir, 1u << 20));
    return 0;
}
