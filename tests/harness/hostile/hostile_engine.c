/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine that has been taken over, for tests of control: a program in the place of boathouse-engine that speaks the
 * talk of src/engine/README.md and does with a statement what its text says (table acts). What it finds out itself is
 * answered as a row, like any engine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "ipc/chan.h"
#include "ipc/gen_messages.h"

#define CHANNEL 3
#define ROOM (256 * 1024)

static void give_up(err *e) {
    if (!e) return;
    fprintf(stderr, "hostile engine: %s\n", err_msg(e));
    exit(1);
}

static void send_state(uint64_t number, const char *state, const char *json) {
    buf b = {0};
    struct msg_engine_state m = {.state = str_of(state), .json = str_of(json)};
    msg_engine_state_encode(&m, &b);
    give_up(chan_send_blocking(CHANNEL, MSG_ENGINE_STATE, number, buf_view(&b), -1));
    buf_free(&b);
}

static void ask(uint64_t number, uint64_t question, const char *op, const char *json) {
    buf b = {0};
    struct msg_engine_ask m = {.question = question, .op = str_of(op), .json = str_of(json)};
    msg_engine_ask_encode(&m, &b);
    give_up(chan_send_blocking(CHANNEL, MSG_ENGINE_ASK, number, buf_view(&b), -1));
    buf_free(&b);
}

#define SCHEMA "\"schema\":[{\"name\":\"a\",\"type\":\"string\",\"type_json\":\"\\\"string\\\"\",\"nullable\":true,\"comment\":\"\"}],\"form\":\"batches\""

static void finish(uint64_t number, const char *chunks, int64_t rows) {
    char json[600];
    snprintf(json, sizeof(json), "{" SCHEMA ",\"chunks\":%s,\"rows\":%lld,\"bytes\":9,\"has_result\":true,\"statement_type\":\"SELECT\"}",
             chunks, (long long)rows);
    send_state(number, "finished", json);
}

/* One row with a text, as an honest engine says it. */
static void say(uint64_t number, int spool, const char *text) {
    char row[128], chunk[64];
    int n = snprintf(row, sizeof(row), "[[\"%s\"]]", text);
    if (pwrite(spool, row, (size_t)n, 0) != n) exit(1);
    snprintf(chunk, sizeof(chunk), "[[0,%d,1,0,%d]]", n, n);
    finish(number, chunk, 1);
}

/* The next answer's descriptor, -1 without. */
static int answer_fd(void) {
    arena *a = arena_new();
    struct chan_frame f;
    bool eof = false;
    do give_up(chan_recv_blocking(CHANNEL, a, 1 << 20, &f, &eof));
    while (!eof && f.type != MSG_ENGINE_ANSWER);
    arena_free(a);
    if (eof) exit(0);
    return f.fd;
}

/* The next answer; *ret_fd its descriptor, -1 without. */
static jval *answer(arena *a, int *ret_fd) {
    struct chan_frame f;
    struct msg_engine_answer m;
    jval *o = NULL;
    bool eof = false;
    do give_up(chan_recv_blocking(CHANNEL, a, 1 << 20, &f, &eof));
    while (!eof && f.type != MSG_ENGINE_ANSWER);
    if (eof) exit(0);
    if (!msg_engine_answer_decode(a, f.payload, &m)) exit(1);
    give_up(json_parse(a, m.json, false, &o));
    *ret_fd = f.fd;
    return o;
}

static bool changes(int fd) {
    char from[64];
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    int again = open(from, O_RDWR | O_CLOEXEC);
    return pwrite(fd, "x", 1, 0) == 1 || ftruncate(fd, 0) == 0 || (again >= 0 && pwrite(again, "x", 1, 0) == 1) ||
           linkat(AT_FDCWD, from, AT_FDCWD, "/data/tables/mine", AT_SYMLINK_FOLLOW) == 0 || linkat(fd, "", AT_FDCWD, "/spill/own/mine", AT_EMPTY_PATH) == 0;
}

/* "blob /Volumes/… as x": its bytes, by the id that control tells of `as`, or of itself. */
static void blob(uint64_t number, int spool, str text) {
    arena *a = arena_new();
    str path, id_path;
    text = str_from(text, (size_t)str_find(text, STR("/Volumes/")));
    ptrdiff_t as = str_find(text, STR(" as "));
    path = as < 0 ? text : str_cut(text, (size_t)as);
    id_path = as < 0 ? text : str_from(text, (size_t)as + 4);
    int fd;
    ask(number, 1, "files", arena_printf(a, "{\"path\":\"%.*s\"}", STR_ARG(id_path)));
    jval *files = json_get(answer(a, &fd), "files");
    str id = json_str(yyjson_arr_get(yyjson_arr_get(files, 0), 3));
    ask(number, 2, "open_file", arena_printf(a, "{\"path\":\"%.*s\",\"id\":\"%.*s\"}", STR_ARG(path), STR_ARG(id.n ? id : STR("none"))));
    jval *o = answer(a, &fd);
    char bytes[32] = "";
    if (fd < 0)
        say(number, spool, json_get(o, "error") ? (files ? "listed and refused" : "refused") : "neither");
    else if (pread(fd, bytes, sizeof(bytes) - 1, 0) < 0 || changes(fd))
        say(number, spool, "changed");
    else
        say(number, spool, bytes);
    arena_free(a);
}

static void honest(uint64_t number, int spool) { say(number, spool, "honest"); }

/* Each is kept open: disk that is counted nowhere. */
static void files(uint64_t number, int spool) {
    (void)spool;
    for (uint64_t q = 1; q < 1000; q++) {
        ask(number, q, "spool", "{}");
        (void)answer_fd();
    }
}

static void untold(uint64_t number, int spool) {
    (void)spool;
    ask(number, 1, "spool", "{}");
    int fd = answer_fd();
    if (fd < 0 || ftruncate(fd, 5ll << 30) != 0) exit(1);
}

/* It is all there, as a hole, and far more than it may keep. */
static void greedy(uint64_t number, int spool) {
    (void)spool;
    ask(number, 1, "spool", "{}");
    int fd = answer_fd();
    if (fd < 0 || ftruncate(fd, 9ll << 30) != 0) exit(1);
    finish(number, "[[0,9663676416,1,0,9663676416]]", 1);
}

static void memory(uint64_t number, int spool) {
    say(number, spool, ftruncate(spool, 16 * ROOM) == 0 ? "it grew" : "it did not grow");
}

/* A name for a result's file would make it outlive the result. */
static void name_it(uint64_t number, int spool) {
    char from[64];
    ask(number, 1, "spool", "{}");
    int fd = answer_fd();
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    bool named = linkat(AT_FDCWD, from, AT_FDCWD, "/data/tables/mine", AT_SYMLINK_FOLLOW) == 0 ||
                 linkat(fd, "", AT_FDCWD, "/spill/own/mine", AT_EMPTY_PATH) == 0;
    (void)spool;
    say(number, fd, named ? "named" : "not named");
}

static void questions(uint64_t number, int spool) {
    (void)spool;
    for (uint64_t q = 1; q < 20000; q++) ask(number, q, "resolve", "{\"catalog\":\"main\",\"schema\":\"default\",\"names\":[{\"parts\":[\"t\"],\"for\":\"select\"}]}");
}

static void huge(uint64_t number, int spool) { (void)spool, finish(number, "[[0,1099511627776,10,0,1099511627776]]", 10); }
static void beyond(uint64_t number, int spool) { (void)spool, finish(number, "[[262144,9,1,0,9]]", 1); }
static void twice(uint64_t number, int spool) { (void)spool, finish(number, "[[0,100,1,0,100],[0,100,1,1,100]]", 2); }
static void rows_apart(uint64_t number, int spool) { (void)spool, finish(number, "[[0,100,1,0,100],[100,100,1,900000000,100]]", 2); }
static void empty_chunks(uint64_t number, int spool) { (void)spool, finish(number, "[[0,0,0,0,0],[0,0,0,0,0]]", 0); }

static void progress(uint64_t number, int spool) {
    (void)spool;
    send_state(number, "running", "{" SCHEMA ",\"chunks\":[[0,262144,1,0,262144],[262144,1,1,1,1]]}");
}

static const struct {
    const char *word;
    void (*act)(uint64_t number, int spool);
} acts[] = {
    {"honest", honest}, {"files", files},   {"untold", untold}, {"memory", memory},         {"name", name_it},       {"questions", questions},
    {"greedy", greedy}, {"huge", huge},     {"beyond", beyond}, {"twice", twice},   {"rows apart", rows_apart}, {"empty", empty_chunks}, {"progress", progress},
};

static void on_exec(arena *a, struct chan_frame *f) {
    struct msg_engine_exec m;
    jval *o = NULL;
    if (!msg_engine_exec_decode(a, f->payload, &m)) exit(1);
    give_up(json_parse(a, m.json, false, &o));
    str text = json_get_str(o, "text");
    if (str_starts(text, STR("blob "))) {
        blob(f->stream, f->fd, text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        if (str_find(text, str_of(acts[i].word)) >= 0) {
            acts[i].act(f->stream, f->fd);
            return;
        }
    say(f->stream, f->fd, "nothing");
}

int main(void) {
    buf b = {0};
    struct msg_engine_report ready = {.json = STR("{\"ready\":true,\"memory\":0,\"spill\":0,\"sessions\":0,\"statements\":0}")};
    msg_engine_report_encode(&ready, &b);
    for (;;) {
        arena *a = arena_new();
        struct chan_frame f;
        bool eof = false;
        give_up(chan_recv_blocking(CHANNEL, a, 64 << 20, &f, &eof));
        if (eof) return 0;
        if (f.type == MSG_ENGINE_LEASE) give_up(chan_send_blocking(CHANNEL, MSG_ENGINE_REPORT, 0, buf_view(&b), -1));
        if (f.type == MSG_ENGINE_EXEC) on_exec(a, &f);
        arena_free(a);
    }
}
