/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "sql/error_int.h"
#include "sql/text.h"

/* The whole statement is shown up to here; of a longer one only what surrounds the place. */
#define SHOWN_TEXT (16u * 1024u)
#define SHOWN_AROUND 200u
/* Spark cuts a fragment's lines this far from the fragment. */
#define FRAGMENT_AROUND 32u
/* Names and values of one error's parameters. */
#define PAIRS_MAX 32u

/* Both tables begin their rows with the name. */
static int by_name(const void *name, const void *row) { return str_cmp(*(const str *)name, str_of(*(const char *const *)row)); }

static const struct sql_error_row *find_row(str cls) {
    return bsearch(&cls, sql_error_rows, sql_n_error_rows, sizeof *sql_error_rows, by_name);
}

bool sql_error_known(str cls) { return find_row(cls) != NULL; }

static const struct sql_condition_row *find_condition(str name) {
    return bsearch(&name, sql_condition_rows, sql_n_condition_rows, sizeof *sql_condition_rows, by_name);
}

bool sql_condition_known(str name, const char **ret_state) {
    char upper[160];
    if (name.n >= sizeof upper) return false;
    for (size_t i = 0; i < name.n; i++) upper[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 32 : name.p[i]);
    str full = str_n(upper, name.n);
    ptrdiff_t dot = str_chr(full, '.', 0);
    str cls = dot < 0 ? full : str_cut(full, (size_t)dot);
    const struct sql_error_row *row = find_row(full);
    const struct sql_condition_row *c = find_condition(cls);
    if (!row && !c) /* a class that only has subclasses */
        for (size_t i = 0; !row && i < sql_n_error_rows; i++) {
            str known = str_of(sql_error_rows[i].name);
            if (known.n > cls.n && known.p[cls.n] == '.' && str_starts(known, cls)) row = &sql_error_rows[i];
        }
    if (!row && !c) return false;
    if (ret_state) *ret_state = row ? row->sqlstate : c->sqlstate;
    return true;
}

/* ---- text ---- */

static const char *value_of(const char *const *pairs, size_t n, str name) {
    for (size_t i = 0; i + 1 < n; i += 2)
        if (str_eqz(name, pairs[i])) return pairs[i + 1] ? pairs[i + 1] : "null";
    return NULL;
}

/* The row's message with parameters put in; a mark without a value stays as it is. */
static void fill(const char *message, const char *const *pairs, size_t n, buf *out) {
    for (const char *p = message; *p;) {
        const char *close = *p == '<' ? strchr(p, '>') : NULL;
        str mark = close ? str_n(p + 1, (size_t)(close - p - 1)) : STR_NONE;
        const char *value = close ? value_of(pairs, n, mark) : NULL;
        if (value) {
            buf_z(out, value);
            p = close + 1;
        } else
            buf_c(out, *p++);
    }
}

/* Statements may hold anything, messages are UTF-8: what is not becomes U+FFFD. */
static void clean(buf *b) {
    if (str_is_utf8(buf_view(b))) return;
    buf out = {0};
    for (size_t i = 0; i < b->n;) {
        size_t n = 1;
        while (n < 4 && i + n < b->n && !str_is_utf8(str_n(b->p + i, n))) n++;
        if (str_is_utf8(str_n(b->p + i, n))) {
            buf_add(&out, b->p + i, n);
            i += n;
        } else {
            buf_z(&out, "\xef\xbf\xbd");
            i++;
        }
    }
    buf_free(b);
    *b = out;
}

static err *make(const struct sql_error_row *row, const char *const *given, size_t n_given) {
    buf text = {0}, detail = {0};
    const char *pairs[PAIRS_MAX + ARRAY_LEN(row->always)];
    size_t n = 0;
    for (size_t i = 0; i < n_given && i < PAIRS_MAX; i++) pairs[n++] = given[i];
    for (size_t i = 0; i + 1 < ARRAY_LEN(row->always) && row->always[i]; i += 2) /* what raisers need not say */
        if (!value_of(given, n_given, str_of(row->always[i]))) {
            pairs[n++] = row->always[i];
            pairs[n++] = row->always[i + 1];
        }
    if (!str_starts(str_of(row->name), STR("_LEGACY"))) buf_fmt(&text, "[%s] ", row->name);
    fill(row->message, pairs, n, &text);
    if (row->sqlstate[0]) buf_fmt(&text, " SQLSTATE: %s", row->sqlstate);
    buf_fmt(&detail, "{\"class\":\"%s\",\"sqlState\":\"%s\",\"params\":{", row->name,
            row->sqlstate);
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (i) buf_c(&detail, ',');
        buf_json_str(&detail, str_of(pairs[i]));
        buf_c(&detail, ':');
        buf_json_str(&detail, str_of(pairs[i + 1] ? pairs[i + 1] : "null"));
    }
    buf_z(&detail, "}}");
    clean(&text);
    clean(&detail);
    err *e = err_new(ERR_SQL_ERROR, "%.*s", (int)text.n, text.p);
    e = err_detail(e, "%.*s", (int)detail.n, detail.p);
    buf_free(&text);
    buf_free(&detail);
    return e;
}

err *sql_error_signal(str cls, str state, str message, str params) {
    buf text = {0}, detail = {0};
    buf_fmt(&text, "[%.*s] ", STR_ARG(cls));
    buf_str(&text, message);
    buf_fmt(&text, " SQLSTATE: %.*s", STR_ARG(state));
    buf_z(&detail, "{\"class\":");
    buf_json_str(&detail, cls);
    buf_z(&detail, ",\"sqlState\":");
    buf_json_str(&detail, state);
    buf_z(&detail, ",\"params\":");
    buf_str(&detail, params.n ? params : STR("{}"));
    buf_c(&detail, '}');
    clean(&text);
    clean(&detail);
    err *e = err_new(ERR_SQL_ERROR, "%.*s", (int)text.n, text.p);
    e = err_detail(e, "%.*s", (int)detail.n, detail.p);
    buf_free(&text);
    buf_free(&detail);
    return e;
}

err *sql_error_list(const char *cls, const struct ast *at, str text, const char *const *pairs,
                    size_t n) {
    const struct sql_error_row *row = find_row(str_of(cls));
    must(row != NULL);
    err *e = make(row, pairs, n);
    return at && text.n ? sql_error_place(e, at, text) : e;
}

err *sql_error(const char *cls, const struct ast *at, str text, ...) {
    const char *pairs[PAIRS_MAX];
    size_t n = 0;
    va_list ap;
    va_start(ap, text);
    for (const char *s; n < ARRAY_LEN(pairs) && (s = va_arg(ap, const char *)) != NULL;)
        pairs[n++] = s;
    va_end(ap);
    return sql_error_list(cls, at, text, pairs, n);
}

/* ---- place ---- */

static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void repeat(buf *out, char c, size_t n) {
    while (n--) buf_c(out, c);
}

struct place {
    size_t start, stop;       /* bytes: first, and one behind the last */
    size_t line, pos;         /* from 1, from 0 in characters */
    size_t line_at, line_end; /* bytes of that line */
};

static struct place place_of(const struct ast *at, str text) {
    struct place p = {.line = 1};
    p.start = at->pos < text.n ? at->pos : text.n;
    p.stop = at->end > p.start && at->end <= text.n ? at->end : p.start;
    for (size_t i = 0; i < p.start; i++)
        if (text.p[i] == '\n') {
            p.line++;
            p.line_at = i + 1;
        }
    p.pos = characters(str_n(text.p + p.line_at, p.start - p.line_at));
    ptrdiff_t end = str_chr(text, '\n', p.start);
    p.line_end = end < 0 ? text.n : (size_t)end;
    return p;
}

/* The statement with ^^^ under the place, after as many dashes as characters stand before it. */
static void show_syntax(const struct place *p, str text, buf *out) {
    buf_fmt(out, " (line %zu, pos %zu)\n\n== SQL ==\n", p->line, p->pos);
    if (text.n > SHOWN_TEXT) {
        size_t from = p->start - p->line_at > SHOWN_AROUND ? p->start - SHOWN_AROUND : p->line_at;
        size_t to = p->line_end - p->start > SHOWN_AROUND ? p->start + SHOWN_AROUND : p->line_end;
        while (from < p->start && ((unsigned char)text.p[from] & 0xc0) == 0x80) from++;
        while (to > p->start && to < text.n && ((unsigned char)text.p[to] & 0xc0) == 0x80) to--;
        buf_add(out, text.p + from, to - from);
        buf_c(out, '\n');
        repeat(out, '-', characters(str_n(text.p + from, p->start - from)));
        buf_z(out, "^^^\n");
        return;
    }
    buf_add(out, text.p, p->line_end);
    buf_c(out, '\n');
    repeat(out, '-', p->pos);
    buf_z(out, "^^^\n");
    if (p->line_end >= text.n) return;
    str below = str_from(text, p->line_end + 1);
    while (below.n && below.p[below.n - 1] == '\n') below.n--;
    if (!below.n) return;
    buf_str(out, below);
    buf_c(out, '\n');
}

/* The lines that hold the fragment, cut FRAGMENT_AROUND characters left and right of it, with ^
 * under each of its characters. */
static void show_fragment(const struct place *p, str text, buf *out) {
    buf_fmt(out, "\n== SQL (line %zu, position %zu) ==\n", p->line, p->pos + 1);
    size_t stop = p->stop > p->start ? p->stop : p->start + (p->start < text.n);
    size_t from = p->start, left = 0;
    while (from > p->line_at && left < FRAGMENT_AROUND) {
        from--;
        left += ((unsigned char)text.p[from] & 0xc0) != 0x80;
    }
    size_t to = stop, right = 0;
    while (to < text.n && text.p[to] != '\n' && right < FRAGMENT_AROUND) {
        right += ((unsigned char)text.p[to] & 0xc0) != 0x80;
        to++;
    }
    while (to < text.n && ((unsigned char)text.p[to] & 0xc0) == 0x80) to++;
    bool cut_left = from > p->line_at, cut_right = to < text.n && text.p[to] != '\n';
    for (size_t at = from; at <= to;) {
        ptrdiff_t nl = str_chr(str_cut(text, to), '\n', at);
        size_t end = nl < 0 ? to : (size_t)nl;
        size_t lead = at == from && cut_left ? 3 : 0;
        repeat(out, '.', lead);
        buf_add(out, text.p + at, end - at);
        if (end == to && cut_right) buf_z(out, "...");
        buf_c(out, '\n');
        repeat(out, ' ', lead);
        for (size_t i = at; i < end; i++)
            if (((unsigned char)text.p[i] & 0xc0) != 0x80)
                buf_c(out, i >= p->start && i < stop ? '^' : ' ');
        while (out->n && out->p[out->n - 1] == ' ') out->n--;
        buf_c(out, '\n');
        at = end + 1;
    }
}

err *sql_error_place(err *e, const struct ast *at, str text) {
    const char *detail = err_detail_of(e);
    if (!e || !at || !text.n || err_code_of(e) != ERR_SQL_ERROR || !detail ||
        strstr(detail, ",\"line\":"))
        return e;
    arena *a = arena_new();
    const struct sql_error_row *row = find_row(sql_error_class(e, a));
    arena_free(a);
    if (!row) return e;
    struct place p = place_of(at, text);
    buf message = {0}, more = {0};
    buf_z(&message, err_msg(e));
    if (row->form == SQL_FORM_SYNTAX)
        show_syntax(&p, text, &message);
    else if (row->form == SQL_FORM_STATEMENT) {
        buf_z(&message, "\n== SQL ==\n");
        buf_str(&message, str_cut(text, SHOWN_TEXT));
        buf_c(&message, '\n');
    } else {
        if (row->form == SQL_FORM_ANALYSIS)
            buf_fmt(&message, "; line %zu pos %zu\n", p.line, p.pos);
        show_fragment(&p, text, &message);
    }
    size_t start = characters(str_cut(text, p.start));
    size_t length = characters(str_n(text.p + p.start, p.stop - p.start));
    buf_add(&more, detail, strlen(detail) - 1);
    buf_fmt(&more, ",\"line\":%zu,\"pos\":%zu,\"start\":%zu,\"stop\":%zu}", p.line, p.pos, start,
            start + (length ? length - 1 : 0));
    clean(&message);
    err *placed = err_new(ERR_SQL_ERROR, "%.*s", (int)message.n, message.p);
    placed = err_detail(placed, "%.*s", (int)more.n, more.p);
    buf_free(&message);
    buf_free(&more);
    err_free(e);
    return placed;
}

/* ---- reading ---- */

static str detail_field(const err *e, arena *a, const char *name) {
    if (err_code_of(e) != ERR_SQL_ERROR || !err_detail_of(e)) return STR("");
    jval *root = NULL;
    err *bad = json_parse(a, str_of(err_detail_of(e)), false, &root);
    if (bad) {
        err_free(bad);
        return STR("");
    }
    str value = json_get_str(root, name);
    return value.p ? value : STR("");
}

str sql_error_class(const err *e, arena *a) { return detail_field(e, a, "class"); }
str sql_error_state(const err *e, arena *a) { return detail_field(e, a, "sqlState"); }

/* ---- from DuckDB ---- */

/* What DuckDB's own errors mean to a user of the dialect. The first row whose text occurs wins. */
static const struct {
    const char *text, *cls, *param, *value, *instead; /* instead: the function that gives NULL */
} duckdb_texts[] = {
    {"Interrupted!", "OPERATION_CANCELED", NULL, NULL, NULL},
    {"max_temp_directory_size", "SPILL_LIMIT_EXCEEDED", NULL,
     NULL, NULL}, /* before memory: it says so too */
    {"No space left on device", "SPILL_LIMIT_EXCEEDED", NULL, NULL, NULL},
    {"Out of Memory Error", "OUT_OF_MEMORY", NULL, NULL, NULL},
    {"Allocation failure", "OUT_OF_MEMORY", NULL, NULL, NULL},
    {"bad allocation", "OUT_OF_MEMORY", NULL, NULL, NULL},
    {"bad_alloc", "OUT_OF_MEMORY", NULL, NULL, NULL},
    {"Overflow in addition", "ARITHMETIC_OVERFLOW", "message", "overflow", "try_add"},
    {"Overflow in subtraction", "ARITHMETIC_OVERFLOW", "message", "overflow", "try_subtract"},
    {"Overflow in multiplication", "ARITHMETIC_OVERFLOW", "message", "overflow", "try_multiply"},
    {"Overflow in division", "ARITHMETIC_OVERFLOW", "message", "integer overflow", NULL},
    {"Overflow in HUGEINT", "ARITHMETIC_OVERFLOW", "message", "integer overflow", NULL},
    {"Overflow in negation", "ARITHMETIC_OVERFLOW", "message", "integer overflow", NULL},
    {"Overflow on abs", "ARITHMETIC_OVERFLOW", "message", "integer overflow", NULL},
    {"is out of range for the destination type", "ARITHMETIC_OVERFLOW", "message", "Overflow", NULL},
    {"More than one row returned by a subquery", "SCALAR_SUBQUERY_TOO_MANY_ROWS", NULL, NULL, NULL},
    {"Map keys must be unique", "DUPLICATED_MAP_KEY", "key", "?", NULL},
    {"Map keys can not be NULL", "NULL_MAP_KEY", NULL, NULL, NULL},
};

/* "[CLASS] {params}" in a text: the error it names, NULL if none is there. */
static err *from_mark(str text) {
    for (ptrdiff_t at = str_chr(text, '[', 0); at >= 0; at = str_chr(text, '[', (size_t)at + 1)) {
        ptrdiff_t close = str_chr(text, ']', (size_t)at);
        if (close < 0) return NULL;
        const struct sql_error_row *row =
            find_row(str_n(text.p + at + 1, (size_t)(close - at - 1)));
        if (!row) continue;
        str rest = str_trim(str_from(text, (size_t)close + 1));
        arena *a = arena_new();
        const char *pairs[PAIRS_MAX];
        size_t n = 0;
        /* DuckDB may add lines of its own behind ours. */
        ptrdiff_t nl = rest.n && rest.p[0] == '{' ? str_chr(rest, '\n', 0) : -1;
        jval *root = NULL;
        err *bad = json_parse(a, nl < 0 ? rest : str_cut(rest, (size_t)nl), false, &root);
        err_free(bad);
        if (!bad && yyjson_is_obj(root)) {
            size_t i, max;
            jval *k, *v;
            yyjson_obj_foreach(root, i, max, k, v) {
                if (n + 2 > ARRAY_LEN(pairs)) break;
                pairs[n++] = yyjson_get_str(k);
                pairs[n++] = yyjson_is_str(v) ? yyjson_get_str(v) : "null";
            }
        }
        err *e = make(row, pairs, n);
        arena_free(a);
        return e;
    }
    return NULL;
}

/* DuckDB's names of types in texts, as the dialect writes them. */
static const char *type_word(str duck) {
    static const struct {
        const char *duck, *ours;
    } words[] = {{"INT8", "\"TINYINT\""}, {"INT16", "\"SMALLINT\""}, {"INT32", "\"INT\""},
                 {"INT64", "\"BIGINT\""}, {"FLOAT", "\"FLOAT\""},    {"DOUBLE", "\"DOUBLE\""}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eqz(duck, words[i].duck)) return words[i].ours;
    return NULL;
}

/* "Type INT64 with value 3000000000 can't be cast because the value is out of range for the
 * destination type INT32" */
static err *from_range(str text) {
    static const str with = {" with value ", 12}, cant = {" can't be cast", 14},
                     dest = {"destination type ", 17};
    ptrdiff_t t = str_find(text, STR("Type ")), w = str_find(text, with), c = str_find(text, cant),
              d = str_find(text, dest);
    if (t < 0 || w < t || c < w || d < c) return NULL;
    str to = str_from(text, (size_t)d + dest.n);
    size_t n = 0;
    while (n < to.n && ((to.p[n] >= 'A' && to.p[n] <= 'Z') || (to.p[n] >= '0' && to.p[n] <= '9')))
        n++;
    const char *from_type = type_word(str_n(text.p + t + 5, (size_t)(w - t - 5))),
               *to_type = type_word(str_cut(to, n));
    char value[64];
    size_t len = (size_t)(c - w) - with.n;
    if (!from_type || !to_type || len >= sizeof value) return NULL;
    memcpy(value, text.p + w + with.n, len);
    value[len] = 0;
    /* As a literal of the dialect. */
    buf shown = {0};
    double number;
    if (strcmp(from_type, "\"DOUBLE\"") == 0 && str_to_f64(str_of(value), &number)) {
        sql_java_double(number, &shown);
        buf_c(&shown, 'D');
    } else if (strcmp(from_type, "\"FLOAT\"") == 0 && str_to_f64(str_of(value), &number)) {
        sql_java_float((float)number, &shown);
    } else {
        buf_z(&shown, value);
        buf_z(&shown, strcmp(from_type, "\"BIGINT\"") == 0 ? "L" : strcmp(from_type, "\"SMALLINT\"") == 0 ? "S" : strcmp(from_type, "\"TINYINT\"") == 0 ? "Y" : "");
    }
    buf_c(&shown, 0);
    err *e = sql_error("CAST_OVERFLOW", NULL, STR(""), "value", shown.p, "sourceType", from_type, "targetType", to_type, NULL);
    buf_free(&shown);
    return e;
}

/* "Casting value "12345.678" to type DECIMAL(5,2) failed: value is out of range!" */
static err *from_decimal(str text) {
    static const str heads[] = {{"Casting value \"", 15}, {"Could not cast value ", 21}}, mids[] = {{"\" to type DECIMAL(", 18}, {" to DECIMAL(", 12}};
    size_t k = str_find(text, heads[0]) < 0;
    str head = heads[k], mid = mids[k];
    ptrdiff_t h = str_find(text, head), m = str_find(text, mid);
    char value[64], precision[8], scale[8];
    if (h < 0 || m < h) return NULL;
    size_t len = (size_t)(m - h) - head.n;
    if (len >= sizeof value) return NULL;
    memcpy(value, text.p + h + head.n, len);
    value[len] = 0;
    if (sscanf(text.p + m + mid.n, "%7[0-9],%7[0-9])", precision, scale) != 2) return NULL;
    return sql_error("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", NULL, STR(""), "value", value,
                     "precision", precision, "scale", scale, NULL);
}

/* "Overflow in addition of INT8 (127 + 1)!": of the types below INT Spark names the values. */
static err *from_small(str text) {
    static const struct { const char *text, *instead; } ops[] = {{"Overflow in addition of INT", "try_add"}, {"Overflow in subtraction of INT", "try_subtract"}, {"Overflow in multiplication of INT", "try_multiply"}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        ptrdiff_t at = str_find(text, str_of(ops[i].text));
        unsigned bits;
        long x, y;
        char op, left[32], right[32], sign[2] = {0}, instead[96];
        if (at < 0 || sscanf(text.p + at + strlen(ops[i].text), "%u (%ld %c %ld)", &bits, &x, &op, &y) != 4 || bits > 16) continue;
        const char *suffix = bits == 8 ? "Y" : "S";
        sign[0] = op;
        snprintf(left, sizeof left, "%ld%s", x, suffix);
        snprintf(right, sizeof right, "%ld%s", y, suffix);
        snprintf(instead, sizeof instead, " Use '%s' to tolerate overflow and return NULL instead.", ops[i].instead);
        return sql_error("BINARY_ARITHMETIC_OVERFLOW", NULL, STR(""), "value1", left, "symbol", sign, "value2", right, "alternative", instead, NULL);
    }
    return NULL;
}

/* "Failed to cast decimal value 300 to type INT8" */
static err *from_wide(str text) {
    static const str head = {"Failed to cast decimal value ", 29}, mid = {" to type ", 9};
    ptrdiff_t h = str_find(text, head), m = str_find(text, mid);
    char value[64];
    if (h < 0 || m < h) return NULL;
    str to = str_from(text, (size_t)m + mid.n);
    size_t n = 0, len = (size_t)(m - h) - head.n;
    while (n < to.n && ((to.p[n] >= 'A' && to.p[n] <= 'Z') || (to.p[n] >= '0' && to.p[n] <= '9'))) n++;
    const char *to_type = type_word(str_cut(to, n));
    if (!to_type || len + 3 > sizeof value) return NULL;
    snprintf(value, sizeof value, "%.*sBD", (int)len, text.p + h + head.n);
    return sql_error("CAST_OVERFLOW", NULL, STR(""), "value", value, "sourceType", "\"DECIMAL\"", "targetType", to_type, NULL);
}

static const char *between(str text, const char *before, char end, char *out, size_t room) {
    ptrdiff_t at = str_find(text, str_of(before));
    out[0] = 0;
    if (at < 0) return out;
    str rest = str_from(text, (size_t)at + strlen(before));
    ptrdiff_t n = str_chr(rest, end, 0);
    snprintf(out, room, "%.*s", (int)(n < 0 ? (ptrdiff_t)rest.n : n), rest.p);
    return out;
}

/* What its readers of CSV and JSON say of a file that they cannot make sense of: the first lines, and which file it is. */
static err *from_file(str text) {
    static const char *const heads[] = {"Error when sniffing file \"", "Malformed JSON in file \"", "CSV Error on Line: ", "JSON transform error in file \""};
    char path[1100];
    ptrdiff_t at = -1;
    for (size_t i = 0; i < ARRAY_LEN(heads) && at < 0; i++) at = str_find(text, str_of(heads[i]));
    if (at < 0) return NULL;
    str rest = str_from(text, (size_t)at), line;
    between(rest, "file \"", '"', path, sizeof(path));
    if (!path[0]) between(rest, "  file = ", '\n', path, sizeof(path));
    buf why = {0};
    while (why.n < 300 && str_split(&rest, '\n', &line) && str_trim(line).n) {
        if (why.n) buf_z(&why, "; ");
        buf_str(&why, str_cut(str_trim(line), 300));
    }
    buf_c(&why, 0);
    err *e = sql_error("FAILED_READ_FILE.NO_HINT", NULL, STR(""), "path", path[0] ? path : "?", "why", why.p, NULL);
    buf_free(&why);
    return e;
}

/* 'Failed to read file "/a": why', 'Cannot open file "/a": No such file or directory' */
static err *from_unread(str text) {
    static const char *const heads[] = {"Failed to read file \"", "Could not read from file \"", "Cannot open file \"", "No magic bytes found at end of file '",
                                        "No files found that match the pattern \""};
    char path[4200], reason[400];
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        ptrdiff_t at = str_find(text, str_of(heads[i]));
        if (at < 0) continue;
        str rest = str_from(text, (size_t)at + strlen(heads[i]));
        ptrdiff_t end = str_chr(rest, heads[i][strlen(heads[i]) - 1], 0);
        if (end < 0 || (size_t)end >= sizeof path) continue;
        snprintf(path, sizeof path, "%.*s", (int)end, rest.p);
        rest = str_from(rest, (size_t)end + 1);
        if (str_starts(rest, STR(": "))) rest = str_from(rest, 2);
        ptrdiff_t line = str_chr(rest, '\n', 0);
        snprintf(reason, sizeof reason, "%.*s", (int)(line < 0 ? rest.n : (size_t)line), rest.p);
        if (i == 4 || str_find(rest, STR("No such file")) >= 0) return sql_error("FAILED_READ_FILE.FILE_NOT_EXIST", NULL, STR(""), "path", path, NULL);
        if (i == 3) return sql_error("FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER", NULL, STR(""), "path", path, NULL);
        return sql_error("FAILED_READ_FILE.NO_HINT", NULL, STR(""), "path", path, "why", reason, NULL);
    }
    /* Damage inside of a file: these do not say which one it is. */
    static const char *const damaged[] = {"don't know what type", "TProtocolException", "Decompression failure", "decompression failure", "Snappy", "Corrupt", "corrupt"};
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++)
        if (str_find(text, str_of(damaged[i])) >= 0)
            return sql_error("FAILED_READ_FILE.NO_HINT", NULL, STR(""), "path", "among those of the statement", "why", "its content is damaged.", NULL);
    return NULL;
}

err *sql_error_of_duckdb(const char *duckdb_message) {
    str text = str_of(duckdb_message ? duckdb_message : "");
    err *e = from_mark(text);
    if (!e) e = from_range(text);
    if (!e) e = from_wide(text);
    if (!e) e = from_small(text);
    if (!e) e = from_decimal(text);
    if (!e) e = from_file(text);
    if (e) return e;
    for (size_t i = 0; i < ARRAY_LEN(duckdb_texts); i++)
        if (str_find(text, str_of(duckdb_texts[i].text)) >= 0) {
            char other[96];
            snprintf(other, sizeof other, " Use '%s' to tolerate overflow and return NULL instead.", duckdb_texts[i].instead ? duckdb_texts[i].instead : "");
            return sql_error(duckdb_texts[i].cls, NULL, STR(""), duckdb_texts[i].param, duckdb_texts[i].value,
                             duckdb_texts[i].instead ? "alternative" : NULL, other, NULL);
        }
    if ((e = from_unread(text))) return e;
    return sql_error("INTERNAL_ERROR", NULL, STR(""), "message",
                     duckdb_message ? duckdb_message : "", NULL);
}
