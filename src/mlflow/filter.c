/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language:
 *
 *   filter  = clause { AND clause }
 *   clause  = name comparator value
 *           | name [NOT] IN ( string { , string } )
 *           | name IS [NOT] NULL
 *   name    = [entity .] key         entity alone or key alone may stand in ` or "
 *   value   = number | 'string' | "string"
 *
 * A key without an entity is an attribute; after the first dot everything belongs to the key
 * (tags.mlflow.user). Keywords ignore case, keys and values do not. One pass over the text, no
 * recursion; counts are bounded by MLQ_MAX_*.
 */
#include "mlflow/filter.h"

enum token_kind { T_END, T_NAME, T_STRING, T_NUMBER, T_COMPARE, T_OPEN, T_CLOSE, T_COMMA, T_WRONG };

struct token {
    enum token_kind kind;
    str raw;  /* as written */
    str text; /* of strings: without quotes and escapes; of names: the entity */
    str key;  /* of names: the part after the dot */
    bool dotted;
    double number;
    bool integer;
};

struct lexer {
    arena *a;
    str in;
    size_t at;
};

enum attribute_use { USE_TEXT = 0, USE_NUMBER = 1, USE_LIST = 2, ORDER_ONLY = 4, FILTER_ONLY = 8 };

struct attribute_row {
    const char *name;
    enum mlq_attribute attribute;
    int use;
    /* Traces: attributes that are tags, metadata or spans underneath. */
    enum mlq_entity entity;
    const char *key;
};

#define ROW(n, a, u)                                                                               \
    { n, a, u, MLQ_ATTRIBUTE, NULL }
static const struct attribute_row run_rows[] = {
    ROW("artifact_uri", MLQ_ARTIFACT_URI, USE_TEXT),
    ROW("end_time", MLQ_END, USE_NUMBER),
    ROW("run_id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("run_name", MLQ_NAME, USE_TEXT),
    ROW("start_time", MLQ_START, USE_NUMBER),
    ROW("status", MLQ_STATUS, USE_TEXT),
    ROW("user_id", MLQ_USER, USE_TEXT),
    ROW("created", MLQ_START, USE_NUMBER),
    ROW("Created", MLQ_START, USE_NUMBER),
    ROW("run name", MLQ_NAME, USE_TEXT | FILTER_ONLY),
    ROW("Run name", MLQ_NAME, USE_TEXT | FILTER_ONLY),
    ROW("Run Name", MLQ_NAME, USE_TEXT | FILTER_ONLY),
    {0},
};
static const struct attribute_row experiment_rows[] = {
    ROW("name", MLQ_NAME, USE_TEXT),
    ROW("experiment_id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("creation_time", MLQ_START, USE_NUMBER),
    ROW("last_update_time", MLQ_END, USE_NUMBER),
    {0},
};
static const struct attribute_row model_rows[] = {
    ROW("name", MLQ_NAME, USE_TEXT | USE_LIST),
    ROW("model_id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("model_type", MLQ_MODEL_TYPE, USE_TEXT | USE_LIST),
    ROW("status", MLQ_STATUS, USE_TEXT | USE_LIST),
    ROW("source_run_id", MLQ_SOURCE_RUN, USE_TEXT | USE_LIST),
    ROW("creation_timestamp", MLQ_START, USE_NUMBER),
    ROW("creation_time", MLQ_START, USE_NUMBER),
    ROW("last_updated_timestamp", MLQ_END, USE_NUMBER),
    ROW("last_updated_time", MLQ_END, USE_NUMBER),
    {0},
};
static const struct attribute_row trace_rows[] = {
    ROW("request_id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("trace_id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("id", MLQ_ID, USE_TEXT | USE_LIST),
    ROW("timestamp", MLQ_START, USE_NUMBER),
    ROW("timestamp_ms", MLQ_START, USE_NUMBER),
    ROW("execution_time", MLQ_LASTING, USE_NUMBER),
    ROW("execution_time_ms", MLQ_LASTING, USE_NUMBER),
    ROW("end_time", MLQ_END, USE_NUMBER),
    ROW("end_time_ms", MLQ_END, USE_NUMBER),
    ROW("status", MLQ_STATUS, USE_TEXT | USE_LIST),
    ROW("client_request_id", MLQ_CLIENT_REQUEST, USE_TEXT | USE_LIST | FILTER_ONLY),
    ROW("experiment_id", MLQ_EXPERIMENT, USE_TEXT | ORDER_ONLY),
    {"name", MLQ_NONE, USE_TEXT | USE_LIST, MLQ_TAG, "mlflow.traceName"},
    {"prompt", MLQ_NONE, USE_TEXT | FILTER_ONLY, MLQ_TAG, "mlflow.linkedPrompts"},
    {"run_id", MLQ_NONE, USE_TEXT | USE_LIST, MLQ_METADATA, "mlflow.sourceRun"},
    {"text", MLQ_NONE, USE_TEXT | FILTER_ONLY, MLQ_SPAN, "content"},
    {0},
};
static const struct attribute_row registered_rows[] = {
    ROW("name", MLQ_NAME, USE_TEXT | USE_LIST),
    ROW("creation_timestamp", MLQ_START, USE_NUMBER | ORDER_ONLY),
    ROW("last_updated_timestamp", MLQ_END, USE_NUMBER | ORDER_ONLY),
    ROW("timestamp", MLQ_END, USE_NUMBER | ORDER_ONLY),
    {0},
};
static const struct attribute_row version_rows[] = {
    ROW("name", MLQ_NAME, USE_TEXT | USE_LIST),
    ROW("version_number", MLQ_VERSION_NUMBER, USE_NUMBER),
    ROW("run_id", MLQ_SOURCE_RUN, USE_TEXT | USE_LIST | FILTER_ONLY),
    ROW("source_path", MLQ_SOURCE_PATH, USE_TEXT | FILTER_ONLY),
    ROW("creation_timestamp", MLQ_START, USE_NUMBER | ORDER_ONLY),
    ROW("last_updated_timestamp", MLQ_END, USE_NUMBER | ORDER_ONLY),
    {0},
};
#undef ROW

struct entity_row {
    const char *name;
    enum mlq_entity entity;
};
static const struct entity_row run_entities[] = {
    {"metric", MLQ_METRIC},
    {"metrics", MLQ_METRIC},
    {"parameter", MLQ_PARAM},
    {"parameters", MLQ_PARAM},
    {"param", MLQ_PARAM},
    {"params", MLQ_PARAM},
    {"tag", MLQ_TAG},
    {"tags", MLQ_TAG},
    {"attribute", MLQ_ATTRIBUTE},
    {"attributes", MLQ_ATTRIBUTE},
    {"attr", MLQ_ATTRIBUTE},
    {"run", MLQ_ATTRIBUTE},
    {"dataset", MLQ_DATASET},
    {"datasets", MLQ_DATASET},
    {0},
};
static const struct entity_row experiment_entities[] = {
    {"attribute", MLQ_ATTRIBUTE}, {"tag", MLQ_TAG}, {"tags", MLQ_TAG}, {0}};
static const struct entity_row model_entities[] = {
    {"metric", MLQ_METRIC},
    {"metrics", MLQ_METRIC},
    {"parameter", MLQ_PARAM},
    {"parameters", MLQ_PARAM},
    {"param", MLQ_PARAM},
    {"params", MLQ_PARAM},
    {"tag", MLQ_TAG},
    {"tags", MLQ_TAG},
    {"attribute", MLQ_ATTRIBUTE},
    {"attributes", MLQ_ATTRIBUTE},
    {"attr", MLQ_ATTRIBUTE},
    {0},
};
static const struct entity_row trace_entities[] = {
    {"tag", MLQ_TAG},
    {"tags", MLQ_TAG},
    {"attribute", MLQ_ATTRIBUTE},
    {"attributes", MLQ_ATTRIBUTE},
    {"trace", MLQ_ATTRIBUTE},
    {"request_metadata", MLQ_METADATA},
    {"metadata", MLQ_METADATA},
    {"span", MLQ_SPAN},
    {"feedback", MLQ_FEEDBACK},
    {"expectation", MLQ_EXPECTATION},
    {0},
};

static const struct {
    const struct attribute_row *attributes;
    const struct entity_row *entities;
    const char *entity_names;
} domains[] = {
    {run_rows, run_entities, "['metric', 'parameter', 'tag', 'attribute', 'dataset']"},
    {experiment_rows, experiment_entities, "('attribute', 'tag', 'tags')"},
    {model_rows, model_entities, "['metric', 'parameter', 'tag', 'attribute']"},
    {trace_rows, trace_entities,
     "['tag', 'request_metadata', 'attribute', 'span', 'feedback', 'expectation']"},
    {registered_rows, experiment_entities, "('attribute', 'tag', 'tags')"},
    {version_rows, experiment_entities, "('attribute', 'tag', 'tags')"},
};

static const char *const op_names[] = {"=",      "!=",      "<",          "<=",    ">",
                                       ">=",     "LIKE",    "ILIKE",      "RLIKE", "IN",
                                       "NOT IN", "IS NULL", "IS NOT NULL"};
#define BIT(op) (1u << (op))
#define OPS_NUMBER                                                                                 \
    (BIT(MLQ_EQ) | BIT(MLQ_NE) | BIT(MLQ_LT) | BIT(MLQ_LE) | BIT(MLQ_GT) | BIT(MLQ_GE))
#define OPS_TEXT (BIT(MLQ_EQ) | BIT(MLQ_NE) | BIT(MLQ_LIKE) | BIT(MLQ_ILIKE))
#define OPS_LIST (BIT(MLQ_IN) | BIT(MLQ_NOT_IN))
#define OPS_NULL (BIT(MLQ_IS_NULL) | BIT(MLQ_NOT_NULL))

static err *wrong(const char *fmt, str s) BH_CHECK;
static err *wrong(const char *what, str s) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "%s%.*s'", what, STR_ARG(str_cut(s, 500)));
}

/* ---- words ---- */

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '#' || c == '@' || ((unsigned char)c & 0x80);
}
static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* A quoted piece at `at`; doubled quotes and backslash-quote stand for the quote. The end is found
 * first, so that the copies together are no longer than the text. */
static bool quoted(struct lexer *l, size_t *at, str *ret) {
    char q = l->in.p[*at];
    size_t from = *at + 1, end = from, n = 0;
    for (; end < l->in.n; end++) {
        char c = l->in.p[end];
        bool more = end + 1 < l->in.n && l->in.p[end + 1] == q;
        if ((c == q || (c == '\\' && q != '`')) && more)
            end++;
        else if (c == q)
            break;
    }
    if (end >= l->in.n) return false;
    char *out = arena_alloc(l->a, end - from + 1);
    for (size_t i = from; i < end; i++) {
        char c = l->in.p[i];
        if ((c == q || (c == '\\' && q != '`')) && i + 1 < end && l->in.p[i + 1] == q)
            c = l->in.p[++i];
        out[n++] = c;
    }
    *at = end + 1;
    *ret = str_n(out, n);
    return true;
}

static bool name_piece(struct lexer *l, size_t *at, str *ret) {
    if (*at >= l->in.n) return false;
    char c = l->in.p[*at];
    if (c == '`' || c == '"') return quoted(l, at, ret);
    size_t from = *at;
    while (*at < l->in.n && (name_char(l->in.p[*at]) || l->in.p[*at] == '.')) ++*at;
    *ret = str_n(l->in.p + from, *at - from);
    return *at > from;
}

static struct token name_token(struct lexer *l) {
    struct token t = {.kind = T_NAME};
    size_t from = l->at;
    char c = l->in.p[l->at];
    str first;
    bool ok = true;
    if (c == '`' || c == '"') {
        ok = quoted(l, &l->at, &t.text);
    } else {
        while (l->at < l->in.n && name_char(l->in.p[l->at])) l->at++;
        first = str_n(l->in.p + from, l->at - from);
        t.text = first;
    }
    if (ok && l->at < l->in.n && l->in.p[l->at] == '.') {
        l->at++;
        t.dotted = true;
        ok = name_piece(l, &l->at, &t.key);
    }
    if (!ok) {
        t.kind = T_WRONG;
        l->at = l->in.n;
    }
    t.raw = str_n(l->in.p + from, l->at - from);
    return t;
}

static struct token number_token(struct lexer *l) {
    struct token t = {.kind = T_NUMBER, .integer = true};
    size_t from = l->at;
    if (l->in.p[l->at] == '-' || l->in.p[l->at] == '+') l->at++;
    while (l->at < l->in.n) {
        char c = l->in.p[l->at];
        bool sign = (c == '-' || c == '+') && (l->in.p[l->at - 1] | 32) == 'e';
        if (!digit(c) && c != '.' && (c | 32) != 'e' && !sign) break;
        if (!digit(c)) t.integer = false;
        l->at++;
    }
    t.raw = str_n(l->in.p + from, l->at - from);
    str body = t.raw.n && t.raw.p[0] == '+' ? str_from(t.raw, 1) : t.raw;
    if (!str_to_f64(body, &t.number)) t.kind = T_WRONG;
    return t;
}

static struct token compare_token(struct lexer *l) {
    struct token t = {.kind = T_COMPARE};
    size_t from = l->at;
    while (l->at < l->in.n && strchr("<>=!", l->in.p[l->at]) && l->at - from < 2) l->at++;
    t.raw = str_n(l->in.p + from, l->at - from);
    return t;
}

static struct token next(struct lexer *l) {
    while (l->at < l->in.n && blank(l->in.p[l->at])) l->at++;
    if (l->at >= l->in.n) return (struct token){.kind = T_END};
    size_t from = l->at;
    char c = l->in.p[l->at];
    if (c == '\'') {
        struct token t = {.kind = T_STRING};
        if (!quoted(l, &l->at, &t.text)) {
            t.kind = T_WRONG;
            l->at = l->in.n;
        }
        t.raw = str_n(l->in.p + from, l->at - from);
        return t;
    }
    bool sign = (c == '-' || c == '+') && l->at + 1 < l->in.n &&
                (digit(l->in.p[l->at + 1]) || l->in.p[l->at + 1] == '.');
    if (digit(c) || sign || (c == '.' && l->at + 1 < l->in.n && digit(l->in.p[l->at + 1])))
        return number_token(l);
    if (name_char(c) || c == '`' || c == '"') return name_token(l);
    if (c == '<' || c == '>' || c == '=' || c == '!') return compare_token(l);
    l->at++;
    enum token_kind k = c == '(' ? T_OPEN : c == ')' ? T_CLOSE : c == ',' ? T_COMMA : T_WRONG;
    return (struct token){.kind = k, .raw = str_n(l->in.p + from, 1)};
}

static bool word(const struct token *t, const char *keyword) {
    return t->kind == T_NAME && !t->dotted && str_ieq(t->raw, str_of(keyword));
}

/* ---- names ---- */

static const char *attribute_names(arena *a, enum filter_domain d) {
    buf b = {0};
    buf_z(&b, "{");
    for (const struct attribute_row *r = domains[d].attributes; r->name; r++)
        buf_fmt(&b, "%s'%s'", b.n > 1 ? ", " : "", r->name);
    buf_z(&b, "}");
    const char *s = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return s;
}

static const struct attribute_row *attribute_of(enum filter_domain d, str name, bool order) {
    for (const struct attribute_row *r = domains[d].attributes; r->name; r++)
        if (str_eqz(name, r->name)) return r->use & (order ? FILTER_ONLY : ORDER_ONLY) ? NULL : r;
    return NULL;
}

err *filter_attribute(enum filter_domain d, str name, enum mlq_attribute *ret) {
    const struct attribute_row *r = attribute_of(d, name, true);
    if (!r || r->entity != MLQ_ATTRIBUTE)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid order by field name: %.*s.",
                       STR_ARG(str_cut(name, 200)));
    *ret = r->attribute;
    return NULL;
}

struct target {
    enum mlq_entity entity;
    str key;
    const struct attribute_row *row; /* of attributes, also those that are something else below */
};

static err *span_key(str key) {
    if (str_starts(key, STR("attributes."))) {
        if (key.n > 11) return NULL;
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Span attribute name cannot be empty after 'attributes.'");
    }
    if (str_eqz(key, "name") || str_eqz(key, "type") || str_eqz(key, "status") ||
        str_eqz(key, "content"))
        return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid span attribute '%.*s'. Supported attributes: name, status, type, "
                   "attributes.<attribute_name>.",
                   STR_ARG(str_cut(key, 200)));
}

static err *target_of(arena *a, enum filter_domain d, const struct token *t, bool order,
                      struct target *ret) {
    *ret = (struct target){MLQ_ATTRIBUTE, t->dotted ? t->key : t->text, NULL};
    if (t->dotted) {
        const struct entity_row *e = domains[d].entities;
        while (e->name && !str_eqz(t->text, e->name)) e++;
        if (!e->name)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid entity type '%.*s'. Valid values are %s",
                           STR_ARG(str_cut(t->text, 200)), domains[d].entity_names);
        ret->entity = e->entity;
    }
    if (ret->entity == MLQ_SPAN) return span_key(ret->key);
    if (ret->entity == MLQ_DATASET) {
        if (str_eqz(ret->key, "name") || str_eqz(ret->key, "digest") ||
            str_eqz(ret->key, "context"))
            return NULL;
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid dataset key '%.*s' specified. Valid keys are '{'name', 'digest', "
                       "'context'}'",
                       STR_ARG(str_cut(ret->key, 200)));
    }
    if (ret->entity != MLQ_ATTRIBUTE) return NULL;
    ret->row = attribute_of(d, ret->key, order);
    if (!ret->row)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid attribute key '%.*s' specified. Valid keys are '%s'",
                       STR_ARG(str_cut(ret->key, 200)), attribute_names(a, d));
    if (ret->row->entity != MLQ_ATTRIBUTE) {
        ret->entity = ret->row->entity;
        ret->key = str_of(ret->row->key);
    }
    return NULL;
}

/* ---- comparators ---- */

static unsigned ops_of(enum filter_domain d, const struct target *t) {
    unsigned rlike = d == FILTER_TRACES ? BIT(MLQ_RLIKE) : 0;
    bool no_null = d == FILTER_MODELS || d == FILTER_REGISTERED || d == FILTER_VERSIONS;
    unsigned null = no_null ? 0 : OPS_NULL;
    if (t->row) {
        if (t->row->use & USE_NUMBER) return OPS_NUMBER;
        if (t->entity == MLQ_SPAN) return BIT(MLQ_LIKE) | BIT(MLQ_ILIKE);
        return OPS_TEXT | OPS_LIST | rlike;
    }
    switch (t->entity) {
    case MLQ_METRIC:
        return OPS_NUMBER;
    case MLQ_PARAM:
    case MLQ_TAG:
    case MLQ_METADATA:
        return OPS_TEXT | null | rlike;
    case MLQ_FEEDBACK:
    case MLQ_EXPECTATION:
        return OPS_NUMBER | OPS_TEXT | OPS_NULL | rlike;
    case MLQ_SPAN:
        if (str_eqz(t->key, "content")) return BIT(MLQ_LIKE) | BIT(MLQ_ILIKE);
        return OPS_TEXT | OPS_LIST | rlike;
    default:
        return OPS_TEXT | OPS_LIST;
    }
}

static err *check_op(unsigned allowed, enum mlq_op op) {
    if (allowed & BIT(op)) return NULL;
    buf b = {0};
    for (unsigned i = 0; i < sizeof(op_names) / sizeof(op_names[0]); i++)
        if (allowed & BIT(i)) buf_fmt(&b, "%s'%s'", b.n ? ", " : "", op_names[i]);
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid comparator '%s' not one of '{%.*s}'",
                     op_names[op], (int)b.n, b.p);
    buf_free(&b);
    return e;
}

/* The comparator after a name; false where there is none. */
static bool read_op(struct lexer *l, struct token *t, enum mlq_op *ret) {
    if (t->kind == T_COMPARE) {
        for (int i = MLQ_EQ; i <= MLQ_GE; i++)
            if (str_eqz(t->raw, op_names[i])) {
                *ret = (enum mlq_op)i;
                return true;
            }
        return false;
    }
    for (int i = MLQ_LIKE; i <= MLQ_IN; i++)
        if (word(t, op_names[i])) {
            *ret = (enum mlq_op)i;
            return true;
        }
    if (word(t, "NOT")) {
        *t = next(l);
        *ret = MLQ_NOT_IN;
        return word(t, "IN");
    }
    if (!word(t, "IS")) return false;
    *ret = MLQ_IS_NULL;
    *t = next(l);
    if (word(t, "NOT")) {
        *ret = MLQ_NOT_NULL;
        *t = next(l);
    }
    return word(t, "NULL");
}

/* ---- values ---- */

static err *read_list(struct lexer *l, const struct target *target, struct mlq_clause *c) {
    bool ok = target->entity != MLQ_ATTRIBUTE || (target->row->use & USE_LIST);
    if (target->row && !(target->row->use & USE_LIST)) ok = false;
    if (!ok)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The attribute '%.*s' does not support comparison with a list of quoted "
                       "string values.",
                       STR_ARG(str_cut(target->key, 200)));
    struct token t = next(l);
    size_t cap = 16;
    c->list = arena_array_of(l->a, str, cap);
    while (t.kind == T_OPEN || t.kind == T_COMMA) {
        t = next(l);
        if (t.kind == T_CLOSE && c->n_list) break; /* a comma before the bracket */
        if (t.kind != T_STRING && !(t.kind == T_NAME && t.raw.p[0] == '"' && !t.dotted))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "While parsing a list in the query, expected string value, punctuation, "
                           "or whitespace, but got different type in list: %.*s",
                           STR_ARG(str_cut(t.raw, 200)));
        if (c->n_list == MLQ_MAX_LIST)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "A list holds more than %d values.",
                           MLQ_MAX_LIST);
        if (c->n_list == cap) {
            str *more = arena_array_of(l->a, str, cap * 2);
            memcpy(more, c->list, cap * sizeof(str));
            c->list = more;
            cap *= 2;
        }
        c->list[c->n_list++] = t.text;
        t = next(l);
    }
    if (t.kind == T_CLOSE && c->n_list) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "While parsing a list in the query, expected a non-empty list of string values, "
                   "but got ill-formed list.");
}

static bool is_assessment(enum mlq_entity e) { return e == MLQ_FEEDBACK || e == MLQ_EXPECTATION; }

static err *read_value(struct lexer *l, const struct target *target, struct mlq_clause *c) {
    struct token t = next(l);
    str shown = str_cut(t.raw, 200);
    bool text = t.kind == T_STRING || (t.kind == T_NAME && !t.dotted && t.raw.p[0] == '"');
    if (t.kind == T_END)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid comparison clause. Expected 3 tokens found 2");
    c->numeric = target->entity == MLQ_METRIC || (target->row && target->row->use & USE_NUMBER) ||
                 (is_assessment(target->entity) && c->op >= MLQ_LT && c->op <= MLQ_GE);
    if (c->numeric) {
        c->number = t.number;
        if (t.kind == T_NUMBER) return NULL;
        if (target->entity == MLQ_METRIC)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Expected numeric value type for metric. Found %.*s", STR_ARG(shown));
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Expected numeric value type for numeric attribute: %.*s. Found %.*s",
                       STR_ARG(str_cut(target->key, 200)), STR_ARG(shown));
    }
    c->text = t.text;
    if (text) return NULL;
    static const char *const names[] = {
        "attributes",       "metric", "parameter", "tag",        "dataset attributes",
        "request_metadata", "span",   "feedback",  "expectation"};
    const char *example = target->entity == MLQ_ATTRIBUTE || target->entity == MLQ_DATASET
                              ? ""
                              : " (e.g. 'my-value')";
    if (t.kind == T_NAME)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Parameter value is either not quoted or unidentified quote types used for "
                       "string value %.*s. Use either single or double quotes.",
                       STR_ARG(shown));
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Expected a quoted string value for %s%s. Got value %.*s", names[target->entity],
                   example, STR_ARG(shown));
}

static err *read_clause(struct lexer *l, enum filter_domain d, const struct token *name,
                        struct mlq_clause *c) {
    struct target target;
    struct token t = next(l);
    if (name->kind != T_NAME) return wrong("Invalid clause(s) in filter string: '", name->raw);
    if (t.kind == T_END) return wrong("Invalid clause(s) in filter string: '", name->raw);
    struct token first = t;
    if (!read_op(l, &t, &c->op)) {
        if (first.kind == T_COMPARE)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid comparison clause. Expected comparison found '%.*s'",
                           STR_ARG(first.raw));
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid clause(s) in filter string: '%.*s', '%.*s'",
                       STR_ARG(str_cut(name->raw, 200)), STR_ARG(str_cut(first.raw, 200)));
    }
    TRY(target_of(l->a, d, name, false, &target));
    if ((OPS_NULL & BIT(c->op)) &&
        (target.row || target.entity == MLQ_METRIC || target.entity == MLQ_DATASET))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "IS NULL / IS NOT NULL is only supported for tags and params, not for "
                       "'%.*s'",
                       STR_ARG(str_cut(target.key, 200)));
    TRY(check_op(ops_of(d, &target), c->op));
    c->entity = target.entity;
    c->key = target.key;
    c->attribute = target.row ? target.row->attribute : MLQ_NONE;
    if (OPS_NULL & BIT(c->op)) return NULL;
    if (OPS_LIST & BIT(c->op)) return read_list(l, &target, c);
    return read_value(l, &target, c);
}

err *filter_parse(arena *a, enum filter_domain d, str text, struct mlq *q) {
    if (text.n > FILTER_MAX_TEXT)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The filter is longer than %u bytes.",
                       FILTER_MAX_TEXT);
    struct lexer l = {a, text, 0};
    q->clauses = arena_array_of(a, struct mlq_clause, MLQ_MAX_CLAUSES);
    struct token t = next(&l);
    while (t.kind != T_END) {
        if (q->n_clauses == MLQ_MAX_CLAUSES)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "The filter has more than %d clauses.",
                           MLQ_MAX_CLAUSES);
        TRY(read_clause(&l, d, &t, &q->clauses[q->n_clauses]));
        q->n_clauses++;
        t = next(&l);
        if (t.kind == T_END) break;
        if (!word(&t, "AND")) return wrong("Invalid clause(s) in filter string: '", t.raw);
        t = next(&l);
        if (t.kind == T_END) return wrong("Invalid clause(s) in filter string: '", STR("AND"));
    }
    return mlq_prepare(a, q);
}

err *filter_order(arena *a, enum filter_domain d, str text, struct mlq *q) {
    if (text.n > 4096)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "An order_by clause is longer than 4096 bytes.");
    struct lexer l = {a, text, 0};
    struct token name = next(&l), t = next(&l);
    if (name.kind != T_NAME)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid order_by clause '%.*s'. Could not be parsed.",
                       STR_ARG(str_cut(text, 200)));
    bool descending = word(&t, "DESC");
    if (t.kind != T_END && !descending && !word(&t, "ASC"))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid ordering key in order_by clause '%.*s'.",
                       STR_ARG(str_cut(text, 200)));
    t = t.kind == T_END ? t : next(&l);
    if (t.kind != T_END)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid order_by clause '%.*s'. Could not be parsed.",
                       STR_ARG(str_cut(text, 200)));
    struct target target;
    TRY(target_of(a, d, &name, true, &target));
    bool ok = target.entity == MLQ_ATTRIBUTE || (target.row != NULL) ||
              (d == FILTER_RUNS && target.entity != MLQ_DATASET) ||
              (d == FILTER_MODELS && target.entity == MLQ_METRIC);
    if (!ok)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid order_by entity: %.*s",
                       STR_ARG(str_cut(name.text, 200)));
    if (!q->orders) q->orders = arena_array_of(a, struct mlq_order, MLQ_MAX_ORDERS);
    if (q->n_orders == MLQ_MAX_ORDERS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %d order_by clauses.",
                       MLQ_MAX_ORDERS);
    q->orders[q->n_orders++] =
        (struct mlq_order){target.entity, target.row ? target.row->attribute : MLQ_NONE,
                           descending,    target.key,
                           STR_NONE,      STR_NONE};
    return NULL;
}
