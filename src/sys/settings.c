/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_FILE (1024u * 1024u)

int settings_find(str name) {
    for (int i = 0; i < SETTING_COUNT; i++)
        if (str_eqz(name, setting_rows[i].name)) return i;
    return -1;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit DURATIONS[] = {{"us", 1},          {"ms", 1000},        {"s", 1000000},
                                        {"m", 60000000},    {"h", 3600000000ll}, {"d", 86400000000ll},
                                        {NULL, 0}};
static const struct unit SIZES[] = {{"B", 1},
                                    {"KiB", 1ll << 10},
                                    {"MiB", 1ll << 20},
                                    {"GiB", 1ll << 30},
                                    {"TiB", 1ll << 40},
                                    {NULL, 0}};

/* "90s" or "4GiB"; a bare number counts in bare_unit. */
static bool parse_unit(str v, const struct unit *units, int64_t bare_unit, int64_t *ret) {
    size_t n = 0;
    while (n < v.n && isdigit((unsigned char)v.p[n])) n++;
    int64_t num;
    if (!str_to_i64(str_cut(v, n), &num)) return false;
    str u = str_trim(str_from(v, n));
    if (u.n == 0) return !__builtin_mul_overflow(num, bare_unit, ret);
    for (; units->name; units++)
        if (str_ieq(u, str_of(units->name))) return !__builtin_mul_overflow(num, units->factor, ret);
    return false;
}

static bool in_values(const char *values, str v) {
    str rest = str_of(values), part;
    while (str_split(&rest, '|', &part))
        if (str_eq(part, v)) return true;
    return false;
}

static const char *expected(const struct setting_row *r) {
    switch (r->type) {
    case SETTING_INT: return "a whole number";
    case SETTING_BOOL: return "true or false";
    case SETTING_DURATION: return "a duration such as 500ms, 90s, 5m, 2h or 30d";
    case SETTING_SIZE: return "a size such as 65536, 512KiB, 64MiB or 4GiB";
    default: return "text";
    }
}

static err *parse_value(const struct setting_row *r, str v, int64_t *ret) {
    bool ok = true;
    int64_t n = 0;
    switch (r->type) {
    case SETTING_INT: ok = str_to_i64(v, &n); break;
    case SETTING_BOOL:
        ok = str_eqz(v, "true") || str_eqz(v, "false");
        n = str_eqz(v, "true");
        break;
    case SETTING_DURATION: ok = parse_unit(v, DURATIONS, 1000000, &n); break;
    case SETTING_SIZE: ok = parse_unit(v, SIZES, 1, &n); break;
    case SETTING_STRING:
    case SETTING_LIST: break;
    }
    str shown = r->secret ? STR("(secret)") : str_cut(v, 200);
    if (!ok)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "setting %s: '%.*s' is not %s.", r->name,
                       STR_ARG(shown), expected(r));
    if ((r->min || r->max) && (n < r->min || n > r->max))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "setting %s: '%.*s' is out of bounds (%lld to %lld).", r->name,
                       STR_ARG(shown), (long long)r->min, (long long)r->max);
    if (r->values && !in_values(r->values, v))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "setting %s: '%.*s' is not one of %s.", r->name,
                       STR_ARG(shown), r->values);
    *ret = n;
    return NULL;
}

static char *dup_str(str v) {
    char *p = malloc(v.n + 1);
    must(p != NULL);
    if (v.n) memcpy(p, v.p, v.n);
    p[v.n] = 0;
    return p;
}

void settings_init(struct settings *s) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        str d = str_of(setting_rows[i].def);
        s->v[i].text = dup_str(d);
        s->v[i].source = SETTING_DEFAULT;
        err *e = parse_value(&setting_rows[i], d, &s->v[i].n);
        must(e == NULL);
    }
}

void settings_free(struct settings *s) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(s->v[i].text);
        s->v[i].text = NULL;
    }
}

void settings_copy(struct settings *to, const struct settings *from) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        to->v[i] = from->v[i];
        to->v[i].text = dup_str(str_of(from->v[i].text));
    }
}

err *settings_set(struct settings *s, str name, str value, enum setting_source src) {
    int i = settings_find(name);
    if (i < 0)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "There is no setting '%.*s'.",
                                STR_ARG(str_cut(name, 100))),
                        "`boathouse settings` lists them all.");
    if (setting_rows[i].secret && src == SETTING_COMMAND)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE,
                                "setting %s is secret and not taken from the command line.",
                                setting_rows[i].name),
                        "Put it into boathouse.toml (mode 0600) or the environment.");
    if (memchr(value.p ? value.p : "", '\n', value.n))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "setting %s: a value is one line.",
                       setting_rows[i].name);
    int64_t n;
    TRY(parse_value(&setting_rows[i], value, &n));
    free(s->v[i].text);
    s->v[i].text = dup_str(value);
    s->v[i].n = n;
    s->v[i].source = src;
    return NULL;
}

err *settings_set_pair(struct settings *s, str pair, enum setting_source src) {
    ptrdiff_t at = str_chr(pair, '=', 0);
    if (at <= 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not name=value.",
                       STR_ARG(str_cut(pair, 100)));
    return settings_set(s, str_trim(str_cut(pair, (size_t)at)),
                        str_trim(str_from(pair, (size_t)at + 1)), src);
}

static err *read_line(struct settings *s, str line, str section, enum setting_source src) {
    ptrdiff_t at = str_chr(line, '=', 0);
    if (at <= 0) return err_new(ERR_INVALID_PARAMETER_VALUE, "expected name = value.");
    str name = str_trim(str_cut(line, (size_t)at));
    str value = str_trim(str_from(line, (size_t)at + 1));
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = str_n(value.p + 1, value.n - 2);
    buf full = {0};
    if (section.n) {
        buf_str(&full, section);
        buf_c(&full, '.');
    }
    buf_str(&full, name);
    err *e = settings_set(s, buf_view(&full), value, src);
    buf_free(&full);
    return e;
}

err *settings_read_text(struct settings *s, const char *file, str text, enum setting_source src) {
    struct settings next;
    settings_copy(&next, s);
    str rest = text, line, section = STR_NONE;
    err *e = NULL;
    for (int no = 1; !e && str_split(&rest, '\n', &line); no++) {
        str whole = line;
        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#') continue;
        if (line.p[0] == '[') {
            if (line.p[line.n - 1] == ']')
                section = str_trim(str_n(line.p + 1, line.n - 2));
            else
                e = err_new(ERR_INVALID_PARAMETER_VALUE, "a section header ends with ].");
        } else {
            e = read_line(&next, line, section, src);
        }
        if (e) {
            err *f = err_new(err_code_of(e), "%s, line %d, column %d: %s", file, no,
                             (int)(line.p - whole.p) + 1, err_msg(e));
            if (err_hint_of(e)) err_hint(f, "%s", err_hint_of(e));
            err_free(e);
            e = f;
        }
    }
    if (e) {
        settings_free(&next);
        return e;
    }
    settings_free(s);
    *s = next;
    return NULL;
}

err *settings_read_file(struct settings *s, const char *path, enum setting_source src) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? NULL : err_recode(err_errno("cannot read %s", path),
                                                   ERR_INVALID_PARAMETER_VALUE);
    buf b = {.max = MAX_FILE};
    err *e = NULL;
    for (;;) {
        char *to = buf_reserve(&b, 4096);
        if (!to) {
            e = err_new(ERR_INVALID_PARAMETER_VALUE, "%s is larger than 1 MiB.", path);
            break;
        }
        ssize_t n = read(fd, to, 4096);
        if (n < 0) e = err_errno("cannot read %s", path);
        if (n <= 0) break;
        b.n += (size_t)n;
    }
    close(fd);
    if (!e) e = settings_read_text(s, path, buf_view(&b), src);
    buf_free(&b);
    return e;
}

err *settings_read_env(struct settings *s, char *const *envp) {
    static const char *const known[] = {"BOATHOUSE_MASTER_KEY", "BOATHOUSE_BIN", "BOATHOUSE_BUILD",
                                        "BOATHOUSE_ROOT", "BOATHOUSE_DATA", "BOATHOUSE_RECORD"};
    for (; *envp; envp++) {
        str kv = str_of(*envp);
        if (!str_starts(kv, STR("BOATHOUSE_"))) continue;
        ptrdiff_t at = str_chr(kv, '=', 0);
        if (at < 0) continue;
        str key = str_cut(kv, (size_t)at);
        int found = -1;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (str_eqz(key, known[k])) found = -2;
        for (int i = 0; i < SETTING_COUNT && found == -1; i++) {
            const char *n = setting_rows[i].name;
            size_t k = 0, len = strlen(n);
            if (key.n != len + 10) continue;
            while (k < len && key.p[10 + k] == (n[k] == '.' ? '_' : toupper((unsigned char)n[k])))
                k++;
            if (k == len) found = i;
        }
        if (found == -1)
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE,
                                    "The environment variable %.*s names no setting.",
                                    STR_ARG(key)),
                            "`boathouse settings` lists them all.");
        if (found >= 0)
            TRY(settings_set(s, str_of(setting_rows[found].name), str_from(kv, (size_t)at + 1),
                             SETTING_ENV));
    }
    return NULL;
}

static bool may_see(const struct setting_row *r, const char *role) {
    if (!r->roles) return true;
    str rest = str_of(r->roles), part;
    while (str_split(&rest, ' ', &part))
        if (str_eqz(part, role)) return true;
    return false;
}

void settings_write_text(const struct settings *s, const char *role, buf *out) {
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(s->v[i].text, setting_rows[i].def) != 0 && may_see(&setting_rows[i], role))
            buf_fmt(out, "%s=%s\n", setting_rows[i].name, s->v[i].text);
}

bool settings_list_has(const struct settings *s, enum setting_id id, str item) {
    str rest = settings_str(s, id), part;
    while (str_split(&rest, ',', &part))
        if (str_eq(str_trim(part), item)) return true;
    return false;
}

log_level settings_log_level(const struct settings *s) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eqz(settings_str(s, SET_LOG_LEVEL), names[i])) return (log_level)i;
    return LOG_INFO;
}
