/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: one event per line, as JSON or in a human form. Fields are typed; a field made
 * with lf_secret() shows only its length, so that no secret reaches a log by accident. Programs log,
 * libraries return errors (at most LOG_DEBUG below src/main). Thread-safe; a line is one write(2).
 *
 *   log_info("request", lf_str("path", path), lf_int("status", 200));
 */
#ifndef BH_BASE_LOG_H
#define BH_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } log_level;
typedef enum log_form { LOG_JSON, LOG_HUMAN } log_form;

struct log_field {
    const char *key;
    enum { LF_STR, LF_INT, LF_FLOAT, LF_BOOL, LF_SECRET, LF_ERR } kind;
    str s;
    int64_t i;
    double f;
    const err *e;
};

static inline struct log_field lf_str(const char *k, str v) {
    return (struct log_field){.key = k, .kind = LF_STR, .s = v};
}
static inline struct log_field lf_z(const char *k, const char *v) {
    return lf_str(k, str_of(v ? v : ""));
}
static inline struct log_field lf_int(const char *k, int64_t v) {
    return (struct log_field){.key = k, .kind = LF_INT, .i = v};
}
static inline struct log_field lf_float(const char *k, double v) {
    return (struct log_field){.key = k, .kind = LF_FLOAT, .f = v};
}
static inline struct log_field lf_bool(const char *k, bool v) {
    return (struct log_field){.key = k, .kind = LF_BOOL, .i = v};
}
static inline struct log_field lf_secret(const char *k, str v) {
    return (struct log_field){.key = k, .kind = LF_SECRET, .s = v};
}
static inline struct log_field lf_err(const err *e) {
    return (struct log_field){.key = "error", .kind = LF_ERR, .e = e};
}

/* Set once per process. role: shown in each line (static string). fd: where lines go (2). */
void log_setup(const char *role, log_form form, log_level least, int fd);
void log_set_fd(int fd);
void log_set_level(log_level least);
bool log_enabled(log_level l);
void log_emit(log_level l, const char *event, const struct log_field *fields, size_t n);
/* The last lines of this process (newest last), for crash reports. Async-signal-safe. */
size_t log_recent(char *out, size_t cap);

#define log_at(l, event, ...)                                                                      \
    do {                                                                                           \
        if (log_enabled(l)) {                                                                      \
            struct log_field log_f_[] = {{.key = NULL}, ##__VA_ARGS__};                            \
            log_emit((l), (event), log_f_ + 1, ARRAY_LEN(log_f_) - 1);                             \
        }                                                                                          \
    } while (0)
#define log_debug(event, ...) log_at(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) log_at(LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...) log_at(LOG_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) log_at(LOG_ERROR, event, ##__VA_ARGS__)

#endif
