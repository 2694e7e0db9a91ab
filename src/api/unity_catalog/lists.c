/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of the catalog tree. Objects that the caller may not see are left out; a page ends when it
 * is full, so it is short only at the end. Page keys are names and ids of the last object shown.
 */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "catalog/ask.h"
#include "rest/page.h"

#define STEP 500 /* rows read at once */

err *uc_page_size(struct req *r, int64_t dflt, int64_t max, size_t *ret) {
    int64_t n = arg_i64(r, "max_results", 0);
    if (n < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "max_results must not be negative, as %lld is.",
                       (long long)n);
    if (n > max) n = max; /* clients ask for more than a page (MLflow: 10,000 versions) */
    *ret = (size_t)(n ? n : dflt);
    return NULL;
}

/* Where a list goes on: the last object shown, with the objects above it. */
struct key {
    bool set;
    int64_t catalog, schema, id;
    str name;
};

struct list {
    struct req *r;
    struct caller c;
    str filter; /* what the token is bound to */
    size_t want, n;
    struct key key, last;
    bool full; /* there is at least one more */
    jmut *arr;
};

static err *begin(struct list *l, struct req *r, const char *name, str filter) {
    *l = (struct list){.r = r, .c = uc_caller(r)};
    l->filter = str_of(arena_printf(r->a, "%s.%s %.*s", r->row->service, r->row->name,
                                    STR_ARG(filter)));
    TRY(uc_page_size(r, 100, 1000, &l->want));
    str text;
    TRY(page_token_read(r, arg_str(r, "page_token"), l->filter, &text));
    l->arr = json_put_arr(r->doc ? r->doc : req_doc(r), req_out(r), name);
    if (!text.n) return NULL;
    jval *o;
    TRY(json_parse(r->a, text, false, &o));
    l->key.name = json_get_str(o, "n");
    l->key.set = json_i64(json_get(o, "i"), &l->key.id) &&
                 json_i64(json_get(o, "c"), &l->key.catalog) &&
                 json_i64(json_get(o, "s"), &l->key.schema);
    return NULL;
}

static void end(struct list *l) {
    if (!l->full) return;
    jdoc *d = json_doc(l->r->a);
    jmut *o = yyjson_mut_obj(d);
    json_put_str(d, o, "n", l->last.name);
    json_put_int(d, o, "i", l->last.id);
    json_put_int(d, o, "c", l->last.catalog);
    json_put_int(d, o, "s", l->last.schema);
    json_put_str(req_doc(l->r), req_out(l->r), "next_page_token",
                 page_token_make(l->r, l->filter, json_text(l->r->a, o)));
}

/* One object: shown, skipped, or the sign that there is more. */
typedef err *(*put_fn)(struct req *, jmut *, const struct securable *);
static err *show(struct list *l, const struct securable *s, str name, put_fn put) {
    if (!securable_visible(&l->c, s) || !securable_readable(&l->c, s)) return NULL;
    if (!arg_bool(l->r, "include_browse", false) && securable_browse_only(&l->c, s)) return NULL;
    if (l->n == l->want) {
        l->full = true;
        return NULL;
    }
    l->n++;
    l->last = (struct key){true, s->catalog.id, s->schema.id, s->id, name};
    return put(l->r, json_add_obj(l->r->doc, l->arr), s);
}

static void after_name(struct ent_list_query *q, str name, int64_t id) {
    q->after = true;
    q->after_s = name;
    q->after_id = id;
}

err *api_unity_catalog_list_catalogs(struct req *r) {
    struct list l;
    TRY(begin(&l, r, "catalogs", STR("")));
    struct ent_list_query q = {.order = ENT_CATALOG_NAME, .limit = STEP};
    if (l.key.set) after_name(&q, l.key.name, l.key.id);
    struct ent_catalog_rows rows = {.more = true};
    while (rows.more && !l.full) {
        TRY(ent_catalog_list(r->tx, metastore_scope(&l.c), r->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !l.full; i++) {
            struct securable s;
            if (str_ieq(rows.p[i].name, STR(HIVE_CATALOG))) continue; /* no catalog of the metastore to clients of this list */
            TRY(securable_of_catalog(&l.c, &rows.p[i], &s));
            TRY(uc_unbound(r, &l.c, &s));
            TRY(show(&l, &s, rows.p[i].name, uc_put_catalog));
        }
        if (rows.n) after_name(&q, rows.p[rows.n - 1].name, rows.p[rows.n - 1].id);
    }
    end(&l);
    return NULL;
}

err *api_unity_catalog_list_schemas(struct req *r) {
    struct list l;
    struct securable catalog;
    TRY(begin(&l, r, "schemas", arg_str(r, "catalog_name")));
    TRY(securable_open(&l.c, SEC_CATALOG, arg_str(r, "catalog_name"), 0, &catalog));
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = catalog.id}},
                               .order = ENT_SCHEMA_NAME,
                               .limit = STEP};
    if (l.key.set) after_name(&q, l.key.name, l.key.id);
    struct ent_schema_rows rows = {.more = true};
    while (rows.more && !l.full) {
        TRY(ent_schema_list(r->tx, metastore_scope(&l.c), r->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !l.full; i++) {
            struct securable s;
            TRY(securable_of_schema(&l.c, &catalog, &rows.p[i], &s));
            TRY(show(&l, &s, rows.p[i].name, uc_put_schema));
        }
        if (rows.n) after_name(&q, rows.p[rows.n - 1].name, rows.p[rows.n - 1].id);
    }
    end(&l);
    return NULL;
}

/* ---- models: of a schema, of a catalog, of all ---- */

/* One row, read into an arena that is emptied again: what is shown is read once more, so that a
 * walk over many models that the caller may not see takes no memory. */
static err *try_model(struct list *l, const struct caller *scratch, const struct securable *schema,
                      const struct ent_uc_model *row, put_fn put) {
    struct securable s;
    struct ent_uc_model kept;
    TRY(securable_of_model(scratch, schema, row, &s));
    if (!securable_visible(scratch, &s) || !securable_readable(scratch, &s)) return NULL;
    TRY(ent_uc_model_get(l->r->tx, metastore_scope(&l->c), l->r->a, row->id, &kept, NULL));
    TRY(securable_of_model(&l->c, schema, &kept, &s));
    return show(l, &s, kept.name, put);
}

static err *models_of_schema(struct list *l, const struct securable *schema, put_fn put) {
    struct ent_list_query q = {.eq = {{.column = ENT_UC_MODEL_SCHEMA_ID, .i = schema->id}},
                               .order = ENT_UC_MODEL_NAME,
                               .limit = STEP};
    if (l->key.set && l->key.schema == schema->id) after_name(&q, l->key.name, l->key.id);
    struct ent_uc_model_rows rows = {.more = true};
    struct caller scratch = l->c;
    buf last = {0};
    err *e = NULL;
    scratch.a = arena_new();
    while (!e && rows.more && !l->full) {
        arena_reset(scratch.a);
        e = ent_uc_model_list(l->r->tx, metastore_scope(&l->c), scratch.a, &q, &rows);
        for (size_t i = 0; !e && i < rows.n && !l->full; i++)
            e = try_model(l, &scratch, schema, &rows.p[i], put);
        if (e || !rows.n) break;
        buf_clear(&last);
        buf_str(&last, rows.p[rows.n - 1].name);
        after_name(&q, buf_view(&last), rows.p[rows.n - 1].id);
    }
    buf_free(&last);
    arena_free(scratch.a);
    return e;
}

/* From id `first` on, that one too. */
static void from_id(struct ent_list_query *q, int64_t first) {
    q->after = true;
    q->after_i = q->after_id = first - 1;
}

static err *models_of_catalog(struct list *l, const struct securable *catalog, put_fn put) {
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = catalog->id}},
                               .limit = STEP};
    if (l->key.set && l->key.catalog == catalog->id) from_id(&q, l->key.schema);
    struct ent_schema_rows rows = {.more = true};
    while (rows.more && !l->full) {
        TRY(ent_schema_list(l->r->tx, metastore_scope(&l->c), l->r->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !l->full; i++) {
            struct securable schema;
            TRY(securable_of_schema(&l->c, catalog, &rows.p[i], &schema));
            TRY(models_of_schema(l, &schema, put));
        }
        if (rows.n) from_id(&q, rows.p[rows.n - 1].id + 1);
    }
    return NULL;
}

static err *models_of_all(struct list *l, put_fn put) {
    struct ent_list_query q = {.limit = STEP};
    if (l->key.set) from_id(&q, l->key.catalog);
    struct ent_catalog_rows rows = {.more = true};
    while (rows.more && !l->full) {
        TRY(ent_catalog_list(l->r->tx, metastore_scope(&l->c), l->r->a, &q, &rows));
        for (size_t i = 0; i < rows.n && !l->full; i++) {
            struct securable catalog;
            TRY(securable_of_catalog(&l->c, &rows.p[i], &catalog));
            TRY(models_of_catalog(l, &catalog, put));
        }
        if (rows.n) from_id(&q, rows.p[rows.n - 1].id + 1);
    }
    return NULL;
}

err *uc_list_models(struct req *r, str catalog, str schema, uc_put_model_fn put) {
    struct list l;
    struct securable up;
    str bound = str_of(arena_printf(r->a, "%.*s %.*s", STR_ARG(catalog), STR_ARG(schema)));
    TRY(begin(&l, r, "registered_models", bound));
    if (schema.n && !catalog.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "schema_name '%.*s' is given without catalog_name.", STR_ARG(schema));
    if (schema.n) {
        str full = str_of(arena_printf(r->a, "%.*s.%.*s", STR_ARG(catalog), STR_ARG(schema)));
        TRY(securable_open(&l.c, SEC_SCHEMA, full, 0, &up));
        TRY(models_of_schema(&l, &up, put));
    } else if (catalog.n) {
        TRY(securable_open(&l.c, SEC_CATALOG, catalog, 0, &up));
        TRY(models_of_catalog(&l, &up, put));
    } else {
        TRY(models_of_all(&l, put));
    }
    end(&l);
    return NULL;
}

err *api_unity_catalog_list_models(struct req *r) {
    return uc_list_models(r, arg_str(r, "catalog_name"), arg_str(r, "schema_name"), uc_put_model);
}

/* ---- versions ---- */

err *uc_list_versions(struct req *r, const struct securable *m, int64_t dflt, int64_t max,
                      uc_put_version_fn put) {
    struct caller c = uc_caller(r);
    size_t want;
    str key, filter = str_of(arena_printf(r->a, "versions of %lld", (long long)m->id));
    TRY(uc_page_size(r, dflt, max, &want));
    TRY(page_token_read(r, arg_str(r, "page_token"), filter, &key));
    struct ent_list_query q = {.eq = {{.column = ENT_UC_MODEL_VERSION_MODEL_ID, .i = m->id}},
                               .order = ENT_UC_MODEL_VERSION_VERSION,
                               .descending = true};
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "model_versions");
    /* Versions are unique in their model: the number alone is the key. */
    if (key.n && str_to_i64(key, &q.after_i)) {
        q.after = true;
        q.after_id = INT64_MIN;
    }
    struct ent_uc_model_version_rows rows = {.more = true};
    for (size_t n = 0; rows.more && n < want; n += rows.n) {
        q.limit = (int)(want - n < STEP ? want - n : STEP);
        TRY(ent_uc_model_version_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            struct model_version v = {.row = rows.p[i]};
            TRY(kv_read(r->a, v.row.tags, &v.tags));
            TRY(put(r, json_add_obj(r->doc, arr), m, &v));
        }
        if (!rows.n) break;
        q.after = true;
        q.after_i = rows.p[rows.n - 1].version;
        q.after_id = INT64_MIN;
    }
    if (rows.more && rows.n)
        json_put_str(r->doc, out, "next_page_token",
                     page_token_make(r, filter,
                                     str_of(arena_printf(r->a, "%lld", (long long)q.after_i))));
    return NULL;
}
