/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: one table (tables/settings.json), one parser for file, environment and command line.
 * A set of changes applies whole or not at all. Values are kept as the text that was given and as
 * the parsed value: integers, bytes for size, microseconds for duration, 0/1 for bool.
 */
#ifndef BH_SYS_SETTINGS_H
#define BH_SYS_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "sys/gen_settings.h"

enum setting_type {
    SETTING_STRING,
    SETTING_INT,
    SETTING_BOOL,
    SETTING_DURATION,
    SETTING_SIZE,
    SETTING_LIST
};

enum setting_source { SETTING_DEFAULT, SETTING_FILE, SETTING_ENV, SETTING_COMMAND };

struct setting_row {
    const char *name;
    enum setting_type type;
    const char *def;
    int64_t min, max; /* both 0: no bounds */
    bool reload, secret;
    const char *values; /* allowed ones, separated by '|', or NULL */
    const char *roles;  /* roles that see it, separated by blanks; NULL: all */
    const char *help;
};

extern const struct setting_row setting_rows[SETTING_COUNT];

struct settings {
    struct {
        char *text; /* heap */
        int64_t n;
        enum setting_source source;
    } v[SETTING_COUNT];
};

/* All defaults. Release with settings_free(). */
void settings_init(struct settings *s);
void settings_free(struct settings *s);
void settings_copy(struct settings *to, const struct settings *from);

/* Sets one value; error INVALID_PARAMETER_VALUE names the setting, the value and what is allowed. */
err *settings_set(struct settings *s, str name, str value, enum setting_source src) BH_CHECK;
/* "name=value" as of --set. */
err *settings_set_pair(struct settings *s, str pair, enum setting_source src) BH_CHECK;
/* Lines `name = value`, # comments, values optionally in double quotes, [section] headers that
 * prefix names. Errors name file, line and column. Nothing is changed on error. */
err *settings_read_text(struct settings *s, const char *file, str text, enum setting_source src)
    BH_CHECK;
/* The same from a file; one that does not exist is no error. */
err *settings_read_file(struct settings *s, const char *path, enum setting_source src) BH_CHECK;
/* BOATHOUSE_<NAME>, dots as underscores; unknown BOATHOUSE_ variables are an error, except those
 * that the program itself defines (BOATHOUSE_MASTER_KEY). */
err *settings_read_env(struct settings *s, char *const *envp) BH_CHECK;
/* Lines `name=value` of what `role` may see and that differ from the default. */
void settings_write_text(const struct settings *s, const char *role, buf *out);

static inline int64_t settings_int(const struct settings *s, enum setting_id id) {
    return s->v[id].n;
}
static inline bool settings_bool(const struct settings *s, enum setting_id id) {
    return s->v[id].n != 0;
}
static inline str settings_str(const struct settings *s, enum setting_id id) {
    return str_of(s->v[id].text);
}
/* True if `item` is one of the comma separated entries. */
bool settings_list_has(const struct settings *s, enum setting_id id, str item);
/* The setting log.level, for log_set_level(). */
log_level settings_log_level(const struct settings *s);
/* Index by name, or -1. */
int settings_find(str name);

#endif
