/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches of registered models and of versions.
 *
 * A search walks the candidates (all of the workspace, or what an index gives for `name = …`,
 * `run_id = …`, `source_path = …`), drops what the filter or the caller's rights exclude and keeps,
 * as small `hit`s, the first max_results + 1 after the page's key in the order asked for; then the
 * rows of the page are read. So memory depends on the page, time on the candidates.
 *
 * The order always ends with name, version and id, so it is total, and the page's key is the last
 * hit itself, as JSON. Models with the tag mlflow.prompt.is_prompt are prompts: they show up only
 * when the filter asks for them.
 */
#include <stdlib.h>

#include "base/time.h"
#include "mlflow/filter.h"
#include "mlflow/registry.h"
#include "rest/page.h"

#define IS_PROMPT "mlflow.prompt.is_prompt"
#define PAGE 1000

struct hit {
    str name;
    int64_t id, version, created, updated; /* version 0: a model */
};

struct search {
    struct req *r;
    struct mlq q;
    bool prompts;   /* the filter asks for prompts */
    size_t want;    /* hits to keep: the page and one more */
    bool paged;
    struct hit key; /* hits must come after it */
    vec_of(struct hit) hits;
    arena *names;   /* the hits' names */
};

/* ---- order ---- */

static int by_number(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

static int by_attribute(enum mlq_attribute attribute, const struct hit *a, const struct hit *b) {
    switch (attribute) {
    case MLQ_NAME: return str_cmp(a->name, b->name);
    case MLQ_START: return by_number(a->created, b->created);
    case MLQ_END: return by_number(a->updated, b->updated);
    case MLQ_VERSION_NUMBER: return by_number(a->version, b->version);
    default: return 0;
    }
}

static int compare(const struct hit *a, const struct hit *b, const struct mlq *q) {
    for (size_t i = 0; i < q->n_orders; i++) {
        int c = by_attribute(q->orders[i].attribute, a, b);
        if (c) return q->orders[i].descending ? -c : c;
    }
    int c = str_cmp(a->name, b->name);
    if (!c) c = -by_number(a->version, b->version);
    return c ? c : by_number(a->id, b->id);
}

static int compare_hits(const void *x, const void *y, void *q) { return compare(x, y, q); }

/* Keeps the first `want`: sorts and cuts when twice as many have gathered. */
static void settle(struct search *s) {
    if (s->hits.n) qsort_r(s->hits.p, s->hits.n, sizeof(s->hits.p[0]), compare_hits, &s->q);
    if (s->hits.n > s->want) s->hits.n = s->want;
}

static void keep(struct search *s, struct hit h) {
    if (s->paged && compare(&h, &s->key, &s->q) <= 0) return;
    h.name = arena_str(s->names, h.name);
    vec_push(&s->hits, h);
    if (s->hits.n >= 2 * s->want + PAGE) settle(s);
}

/* ---- filter ---- */

static bool is_prompt_clause(const struct mlq_clause *c) {
    return c->entity == MLQ_TAG && str_eqz(c->key, IS_PROMPT);
}

static bool asks_for_prompts(const struct mlq *q) {
    for (size_t i = 0; i < q->n_clauses; i++)
        if (is_prompt_clause(&q->clauses[i]))
            return (q->clauses[i].op == MLQ_EQ && str_eqz(q->clauses[i].text, "true")) ||
                   (q->clauses[i].op == MLQ_NE && str_eqz(q->clauses[i].text, "false"));
    return false;
}

static bool match_tags(const struct search *s, const struct kv *tags) {
    const struct kv_pair *p = kv_find(tags, STR(IS_PROMPT));
    if (!s->prompts && p && str_eqz(p->value, "true")) return false;
    for (size_t i = 0; i < s->q.n_clauses; i++) {
        const struct mlq_clause *c = &s->q.clauses[i];
        if (c->entity != MLQ_TAG || (!s->prompts && is_prompt_clause(c))) continue;
        p = kv_find(tags, c->key);
        if (!p || !mlq_match_text(c, p->value)) return false;
    }
    return true;
}

static bool match_name(const struct search *s, str name) {
    for (size_t i = 0; i < s->q.n_clauses; i++) {
        const struct mlq_clause *c = &s->q.clauses[i];
        if (c->entity == MLQ_ATTRIBUTE && c->attribute == MLQ_NAME && !mlq_match_text(c, name))
            return false;
    }
    return true;
}

static bool match_version(const struct search *s, const struct ent_model_version *v) {
    for (size_t i = 0; i < s->q.n_clauses; i++) {
        const struct mlq_clause *c = &s->q.clauses[i];
        if (c->entity != MLQ_ATTRIBUTE) continue;
        if (c->attribute == MLQ_VERSION_NUMBER && !mlq_match_number(c, (double)v->version))
            return false;
        if (c->attribute == MLQ_SOURCE_RUN && !mlq_match_text(c, v->run_id)) return false;
        if (c->attribute == MLQ_SOURCE_PATH && !mlq_match_text(c, v->source)) return false;
    }
    return true;
}

/* The text of a clause `attribute = 'text'`, or NULL. */
static const str *equals(const struct search *s, enum mlq_attribute attribute) {
    for (size_t i = 0; i < s->q.n_clauses; i++) {
        const struct mlq_clause *c = &s->q.clauses[i];
        if (c->entity == MLQ_ATTRIBUTE && c->attribute == attribute && c->op == MLQ_EQ)
            return &c->text;
    }
    return NULL;
}

/* ---- arguments and page keys ---- */

static err *read_orders(struct search *s, enum filter_domain d) {
    jval *list = arg(s->r, "order_by"), *e;
    size_t i, n;
    if (yyjson_is_arr(list)) {
        yyjson_arr_foreach(list, i, n, e) TRY(filter_order(s->r->a, d, json_str(e), &s->q));
    }
    for (size_t k = 0; k < s->q.n_orders; k++)
        for (size_t j = 0; j < k; j++)
            if (s->q.orders[k].attribute == s->q.orders[j].attribute)
                return err_new(ERR_INVALID_PARAMETER_VALUE,
                               "`order_by` contains duplicate fields: %.*s",
                               STR_ARG(s->q.orders[k].key));
    if (!s->q.n_orders && d == FILTER_VERSIONS)
        TRY(filter_order(s->r->a, d, STR("last_updated_timestamp DESC"), &s->q));
    return NULL;
}

static str fingerprint(struct req *r) {
    jval *list = arg(r, "order_by"), *e;
    size_t i, n;
    buf b = {0};
    buf_fmt(&b, "%s.%s\n", r->row->service, r->row->name);
    buf_json_str(&b, arg_str(r, "filter"));
    if (yyjson_is_arr(list)) {
        yyjson_arr_foreach(list, i, n, e) buf_json_str(&b, json_str(e));
    }
    str out = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static err *read_key(struct search *s) {
    str text;
    TRY(page_token_read(s->r, arg_str(s->r, "page_token"), fingerprint(s->r), &text));
    if (!text.n) return NULL;
    jval *o;
    TRY(json_parse(s->r->a, text, false, &o));
    s->key.name = json_get_str(o, "n");
    s->paged = json_i64(json_get(o, "i"), &s->key.id) && json_i64(json_get(o, "v"), &s->key.version) &&
               json_i64(json_get(o, "c"), &s->key.created) &&
               json_i64(json_get(o, "u"), &s->key.updated);
    return NULL;
}

static void put_next(struct search *s, const struct hit *last) {
    jdoc *d = json_doc(s->r->a);
    jmut *o = yyjson_mut_obj(d);
    json_put_str(d, o, "n", last->name);
    json_put_int(d, o, "i", last->id);
    json_put_int(d, o, "v", last->version);
    json_put_int(d, o, "c", last->created);
    json_put_int(d, o, "u", last->updated);
    str token = page_token_make(s->r, fingerprint(s->r), json_text(s->r->a, o));
    json_put_str(req_doc(s->r), req_out(s->r), "next_page_token", token);
}

static err *begin(struct search *s, struct req *r, enum filter_domain d, int64_t dflt, int64_t max) {
    *s = (struct search){.r = r};
    int64_t n = arg_i64(r, "max_results", dflt);
    if (n < 1)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value for max_results. It must be a positive integer, but got %lld",
                       (long long)n);
    if (n > max)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value for request parameter max_results. It must be at most %lld, "
                       "but got value %lld",
                       (long long)max, (long long)n);
    s->want = (size_t)n + 1;
    TRY(filter_parse(r->a, d, arg_str(r, "filter"), &s->q));
    TRY(read_orders(s, d));
    s->prompts = asks_for_prompts(&s->q);
    return read_key(s);
}

/* ---- registered models ---- */

static err *try_model(struct search *s, arena *a, const struct object_levels *levels,
                      const struct ent_registered_model *row) {
    struct kv tags;
    if (!match_name(s, row->name) || !object_levels_of(levels, row->id, row->owner_id)) return NULL;
    TRY(kv_read(a, row->tags, &tags));
    if (match_tags(s, &tags))
        keep(s, (struct hit){row->name, row->id, 0, row->created_at, row->updated_at});
    return NULL;
}

/* Calls fn for every model of the workspace, or for the one that the filter names. */
typedef err *(*model_fn)(struct search *s, arena *a, const struct object_levels *levels,
                         const struct ent_registered_model *row);
static err *each_model(struct search *s, const struct object_levels *levels, model_fn fn) {
    struct req *r = s->r;
    const str *name = equals(s, MLQ_NAME);
    if (name) {
        struct ent_registered_model row;
        bool found;
        TRY(ent_registered_model_by_name(r->tx, r->scope, r->a, *name, &row, &found));
        return found ? fn(s, r->a, levels, &row) : NULL;
    }
    struct ent_list_query q = {.limit = PAGE};
    struct ent_registered_model_rows rows = {.more = true};
    arena *a = arena_new();
    err *e = NULL;
    while (!e && rows.more) {
        arena_reset(a);
        e = ent_registered_model_list(r->tx, r->scope, a, &q, &rows);
        for (size_t i = 0; !e && i < rows.n; i++) e = fn(s, a, levels, &rows.p[i]);
        if (!e && rows.n) {
            q.after = true;
            q.after_i = q.after_id = rows.p[rows.n - 1].id;
        }
    }
    arena_free(a);
    return e;
}

static err *answer_models(struct search *s) {
    struct req *r = s->r;
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "registered_models");
    settle(s);
    for (size_t i = 0; i < s->hits.n && i + 1 < s->want; i++) {
        struct reg_model m = {0};
        TRY(ent_registered_model_get(r->tx, r->scope, r->a, s->hits.p[i].id, &m.row, NULL));
        TRY(registry_load(r, &m));
        TRY(registry_put_model(r, json_add_obj(r->doc, arr), &m, true));
    }
    if (s->hits.n == s->want) put_next(s, &s->hits.p[s->want - 2]);
    return NULL;
}

err *registry_search_models(struct req *r) {
    struct search s;
    struct object_levels levels;
    TRY(begin(&s, r, FILTER_REGISTERED, 100, 1000));
    TRY(object_levels_read(store_tx_today(r->tx), r->scope, r->a, PERM_REGISTERED_MODELS, &r->who,
                           &levels));
    s.names = arena_new();
    err *e = each_model(&s, &levels, try_model);
    if (!e) e = answer_models(&s);
    vec_free(&s.hits);
    arena_on_free(r->a, (void (*)(void *))arena_free, s.names);
    return e;
}

/* ---- versions ---- */

static err *try_version(struct search *s, arena *a, str name, const struct ent_model_version *row) {
    struct kv tags;
    if (!match_version(s, row)) return NULL;
    TRY(kv_read(a, row->tags, &tags));
    if (match_tags(s, &tags))
        keep(s, (struct hit){name, row->id, row->version, row->created_at, row->updated_at});
    return NULL;
}

/* All versions of one model that the caller may see. */
static err *versions_of(struct search *s, arena *a, const struct object_levels *levels,
                        const struct ent_registered_model *row) {
    struct req *r = s->r;
    if (!match_name(s, row->name) || !object_levels_of(levels, row->id, row->owner_id)) return NULL;
    struct ent_list_query q = {.eq = {{.column = ENT_MODEL_VERSION_MODEL_ID, .i = row->id}},
                               .order = ENT_MODEL_VERSION_VERSION,
                               .limit = PAGE};
    struct ent_model_version_rows rows = {.more = true};
    while (rows.more) {
        TRY(ent_model_version_list(r->tx, r->scope, a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) TRY(try_version(s, a, row->name, &rows.p[i]));
        if (!rows.n) break;
        q.after = true;
        q.after_i = rows.p[rows.n - 1].version;
        q.after_id = rows.p[rows.n - 1].id;
    }
    return NULL;
}

/* Versions that an index finds by run or source; their models come after. */
static err *versions_by(struct search *s, const struct object_levels *levels, int column, str text) {
    struct req *r = s->r;
    struct ent_list_query q = {.eq = {{.column = column, .s = text}}, .limit = PAGE};
    struct ent_model_version_rows rows = {.more = true};
    while (rows.more) {
        TRY(ent_model_version_list(r->tx, r->scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            struct ent_registered_model m;
            bool found;
            TRY(ent_registered_model_get(r->tx, r->scope, r->a, rows.p[i].model_id, &m, &found));
            if (found && match_name(s, m.name) && object_levels_of(levels, m.id, m.owner_id))
                TRY(try_version(s, r->a, m.name, &rows.p[i]));
        }
        if (!rows.n) break;
        q.after = true;
        q.after_i = q.after_id = rows.p[rows.n - 1].id;
    }
    return NULL;
}

static err *answer_versions(struct search *s) {
    struct req *r = s->r;
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "model_versions");
    struct reg_model m = {0};
    settle(s);
    for (size_t i = 0; i < s->hits.n && i + 1 < s->want; i++) {
        struct reg_version v;
        TRY(ent_model_version_get(r->tx, r->scope, r->a, s->hits.p[i].id, &v.row, NULL));
        if (m.row.id != v.row.model_id) {
            TRY(ent_registered_model_get(r->tx, r->scope, r->a, v.row.model_id, &m.row, NULL));
            TRY(registry_load(r, &m));
        }
        TRY(registry_load_version(r, &v));
        registry_put_version(r, json_add_obj(r->doc, arr), &m, &v);
    }
    if (s->hits.n == s->want) put_next(s, &s->hits.p[s->want - 2]);
    return NULL;
}

err *registry_search_versions(struct req *r) {
    struct search s;
    struct object_levels levels;
    TRY(begin(&s, r, FILTER_VERSIONS, 10000, 200000));
    TRY(object_levels_read(store_tx_today(r->tx), r->scope, r->a, PERM_REGISTERED_MODELS, &r->who,
                           &levels));
    s.names = arena_new();
    const str *run = equals(&s, MLQ_SOURCE_RUN), *source = equals(&s, MLQ_SOURCE_PATH);
    err *e;
    if (!equals(&s, MLQ_NAME) && run)
        e = versions_by(&s, &levels, ENT_MODEL_VERSION_RUN_ID, *run);
    else if (!equals(&s, MLQ_NAME) && source)
        e = versions_by(&s, &levels, ENT_MODEL_VERSION_SOURCE, *source);
    else
        e = each_model(&s, &levels, versions_of);
    if (!e) e = answer_versions(&s);
    vec_free(&s.hits);
    arena_on_free(r->a, (void (*)(void *))arena_free, s.names);
    return e;
}
