/* SPDX-License-Identifier: Apache-2.0 */
/* SHOW …: lists of what the caller may see, with the columns that the published platform gives them. */
#include "catalog/cmd.h"
#include "catalog/functions.h"
#include "catalog/tables.h"
#include "identity/identity.h"

struct list {
    struct ask *k;
    str pattern;
    int64_t page, n; /* rows of a page (0: all are wanted), rows so far */
    str last;        /* of a full page: the name that it ends with */
    enum { NAMES, WITH_SCHEMA, EXTENDED, VIEWS, FULL } form;
};

static struct list begin(struct ask *k) {
    struct list l = {.k = k, .pattern = ask_text(k, "pattern")};
    if (!json_i64(json_get(k->in, "page"), &l.page) || l.page < 0) l.page = 0;
    return l;
}

/* A row of this name was added. */
static void added(struct list *l, str name, bool *go) {
    if (++l->n != l->page) return;
    l->last = arena_str(l->k->c->a, name);
    *go = false;
}

/* The things of a schema whose names pass the pattern; only SHOW TABLE EXTENDED needs more than their names. */
static err *walk(struct list *l, const struct securable *schema, enum securable_kind kind, ask_each fn) {
    struct ask_walk w = {.pattern = l->pattern, .brief = l->form != EXTENDED, .after = l->page ? ask_text(l->k, "after") : STR("")};
    TRY(ask_walk_leaves(l->k, schema, kind, &w, fn, l));
    if (l->last.n) json_put_str(l->k->d, l->k->out, "next", l->last);
    return NULL;
}

/* ---- catalogs and schemas ---- */

static void put_name(struct list *l, str name) {
    if (ask_like(l->pattern, name)) ask_put(l->k, ask_row(l->k), name);
}

static err *on_catalog(void *arg, const struct securable *s, bool *go) {
    (void)go;
    put_name(arg, s->catalog.name);
    return NULL;
}

static err *show_catalogs(struct ask *k) {
    struct list l = begin(k);
    ask_columns(k, "catalog");
    TRY(ask_each_catalog(k, on_catalog, &l));
    put_name(&l, STR(SYSTEM_CATALOG));
    return NULL;
}

static err *on_schema(void *arg, const struct securable *s, bool *go) {
    (void)go;
    put_name(arg, s->schema.name);
    return NULL;
}

static err *show_schemas(struct ask *k) {
    struct list l = begin(k);
    struct ask_name n = {.part = {k->catalog}};
    struct securable s;
    if (json_get(k->in, "catalog") && !yyjson_is_str(json_get(k->in, "catalog"))) TRY(ask_name(k, json_get(k->in, "catalog"), 1, &n));
    ask_columns(k, "databaseName");
    if (!str_ieq(n.part[0], STR(SYSTEM_CATALOG))) {
        TRY(ask_open(k, SEC_CATALOG, &n, 0, &s));
        TRY(ask_each_schema(k, &s, on_schema, &l));
        if (str_ieq(s.catalog.name, STR(HIVE_CATALOG))) return NULL;
    }
    put_name(&l, STR(INFORMATION_SCHEMA));
    return NULL;
}

static err *show_current_schema(struct ask *k) {
    ask_columns(k, "catalog, namespace");
    jmut *row = ask_row(k);
    ask_put(k, row, k->catalog);
    ask_put(k, row, k->schema);
    return NULL;
}

/* ---- what is in a schema ---- */

/* The schema of slot `schema` (or the current one); *virt: information_schema. */
static err *open_schema(struct ask *k, struct securable *ret, bool *virt, struct ask_name *n) {
    *n = (struct ask_name){.part = {k->catalog, k->schema}};
    jval *slot = json_get(k->in, "schema");
    if (slot && !yyjson_is_str(slot)) TRY(ask_name(k, slot, 2, n));
    *virt = ask_is_virtual(n->part[0], n->part[1]);
    return *virt ? NULL : ask_open(k, SEC_SCHEMA, n, 0, ret);
}

static str type_name(const struct ent_uc_table *t) { return table_is_view(t) ? STR("VIEW") : t->table_type; }

static err *information(struct ask *k, const struct securable *s, str *ret) {
    const struct ent_uc_table *t = &s->table;
    str engine, url, owner;
    jval *columns, *v;
    size_t i, n;
    struct kv properties;
    TRY(ask_table_place(k->c, t, &engine, &url));
    TRY(ask_principal(k, t->owner_id, &owner));
    buf b = {0};
    buf_fmt(&b, "Catalog: %.*s\nDatabase: %.*s\nTable: %.*s\nOwner: %.*s\nCreated Time: %.*s\nLast Access: UNKNOWN\nCreated By: Boathouse\n"
            "Type: %.*s\n", STR_ARG(s->catalog.name), STR_ARG(s->schema.name), STR_ARG(t->name), STR_ARG(owner),
            STR_ARG(ask_time(k->c->a, t->created_at)), STR_ARG(type_name(t)));
    if (t->comment.n) buf_fmt(&b, "Comment: %.*s\n", STR_ARG(t->comment));
    if (table_is_view(t)) {
        if (securable_shows_text(k->c, s))
            buf_fmt(&b, "View Text: %.*s\nView Original Text: %.*s\nView Catalog and Namespace: %.*s.%.*s\n", STR_ARG(t->view_text),
                    STR_ARG(t->view_text), STR_ARG(t->view_catalog), STR_ARG(t->view_schema));
    } else {
        buf_z(&b, "Provider: ");
        for (size_t c = 0; c < t->format.n; c++)
            buf_c(&b, t->format.p[c] >= 'A' && t->format.p[c] <= 'Z' ? (char)(t->format.p[c] + 32) : t->format.p[c]);
        buf_fmt(&b, "\nLocation: %.*s\n", STR_ARG(url));
    }
    TRY(tables_properties(k->c, t, &properties));
    buf_z(&b, "Table Properties: [");
    for (i = 0; i < properties.n; i++)
        buf_fmt(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(properties.p[i].key), STR_ARG(properties.p[i].value));
    buf_z(&b, "]\nSchema: root\n");
    TRY(tables_columns(k->c, t, &columns));
    yyjson_arr_foreach(columns, i, n, v)
        buf_fmt(&b, " |-- %.*s: %.*s (nullable = %s)\n", STR_ARG(json_get_str(v, "name")), STR_ARG(cmd_type_text(v)),
                yyjson_is_false(json_get(v, "nullable")) ? "false" : "true");
    *ret = arena_str(k->c->a, buf_view(&b));
    buf_free(&b);
    return NULL;
}

static err *on_table(void *arg, const struct securable *s, bool *go) {
    struct list *l = arg;
    struct ask *k = l->k;
    const struct ent_uc_table *t = &s->table;
    if (!ask_like(l->pattern, t->name) || (l->form == VIEWS && !table_is_view(t))) return NULL;
    jmut *row = ask_row(k);
    ask_put(k, row, s->schema.name);
    ask_put(k, row, t->name);
    ask_put_bool(k, row, false);
    if (l->form == VIEWS) ask_put_bool(k, row, str_eqz(t->table_type, "MATERIALIZED_VIEW"));
    if (l->form == EXTENDED) {
        str text;
        TRY(information(k, s, &text));
        ask_put(k, row, text);
    }
    if (l->form == FULL) {
        ask_put_z(k, row, "");
        ask_put(k, row, s->catalog.name);
        ask_put(k, row, type_name(t));
        ask_put(k, row, t->comment.p ? t->comment : STR(""));
    }
    added(l, t->name, go);
    return NULL;
}

static void virtual_tables(struct list *l) {
    const char *const *names;
    size_t n = ask_information_views(&names);
    for (size_t i = 0; i < n; i++) {
        if (!ask_like(l->pattern, str_of(names[i]))) continue;
        jmut *row = ask_row(l->k);
        ask_put_z(l->k, row, INFORMATION_SCHEMA);
        ask_put_z(l->k, row, names[i]);
        ask_put_bool(l->k, row, false);
        if (l->form == VIEWS) ask_put_bool(l->k, row, false);
        if (l->form == EXTENDED) ask_put_z(l->k, row, "");
    }
}

static err *tables(struct ask *k, int form, const char *columns) {
    struct list l = begin(k);
    struct ask_name n;
    struct securable s;
    bool virt;
    l.form = form;
    ask_columns(k, columns);
    TRY(open_schema(k, &s, &virt, &n));
    if (virt) {
        virtual_tables(&l);
        return NULL;
    }
    return walk(&l, &s, SEC_TABLE, on_table);
}

/* SHOW TABLES IN CATALOG c [SCHEMA LIKE …]: drivers' form. */
struct of_catalog {
    struct list l;
    str schemas;
};
static err *schema_of_catalog(void *arg, const struct securable *s, bool *go) {
    struct of_catalog *o = arg;
    (void)go;
    if (!ask_like(o->schemas, s->schema.name)) return NULL;
    return walk(&o->l, s, SEC_TABLE, on_table);
}
static err *catalog_of_all(void *arg, const struct securable *s, bool *go) {
    (void)go;
    struct of_catalog *o = arg;
    return ask_each_schema(o->l.k, s, schema_of_catalog, o);
}

static err *show_tables(struct ask *k) {
    jval *catalog = json_get(k->in, "catalog");
    bool all = ask_flag(k, "all");
    if (!all && (!catalog || yyjson_is_str(catalog))) return tables(k, WITH_SCHEMA, "database, tableName, isTemporary boolean");
    struct of_catalog o = {begin(k), ask_text(k, "schema")};
    struct ask_name n;
    struct securable s;
    o.l.form = FULL;
    o.l.page = 0; /* of many schemas */
    ask_columns(k, "namespace, tableName, isTemporary boolean, information, catalogName, tableType, remarks");
    if (all) return ask_each_catalog(k, catalog_of_all, &o);
    TRY(ask_name(k, catalog, 1, &n));
    TRY(ask_open(k, SEC_CATALOG, &n, 0, &s));
    return ask_each_schema(k, &s, schema_of_catalog, &o);
}
static err *show_table_extended(struct ask *k) { return tables(k, EXTENDED, "database, tableName, isTemporary boolean, information"); }
static err *show_views(struct ask *k) { return tables(k, VIEWS, "namespace, viewName, isTemporary boolean, isMaterialized boolean"); }

static err *on_volume(void *arg, const struct securable *s, bool *go) {
    struct list *l = arg;
    if (!ask_like(l->pattern, s->volume.name)) return NULL;
    jmut *row = ask_row(l->k);
    ask_put(l->k, row, s->schema.name);
    ask_put(l->k, row, s->volume.name);
    added(l, s->volume.name, go);
    return NULL;
}

static err *show_volumes(struct ask *k) {
    struct list l = begin(k);
    struct ask_name n;
    struct securable s;
    bool virt;
    ask_columns(k, "database, volume_name");
    TRY(open_schema(k, &s, &virt, &n));
    return virt ? NULL : walk(&l, &s, SEC_VOLUME, on_volume);
}

static err *on_function(void *arg, const struct securable *s, bool *go) {
    struct list *l = arg;
    if (!ask_like(l->pattern, s->function.name)) return NULL;
    ask_put(l->k, ask_row(l->k), str_of(arena_printf(l->k->c->a, "%.*s.%.*s.%.*s", STR_ARG(s->catalog.name), STR_ARG(s->schema.name),
                                                     STR_ARG(s->function.name))));
    added(l, s->function.name, go);
    return NULL;
}

/* Users' functions; the built-in ones are the engine's to name. */
static err *show_functions(struct ask *k) {
    struct list l = begin(k);
    struct ask_name n;
    struct securable s;
    bool virt;
    if (ask_word(k, "name").n) l.pattern = ask_word(k, "name");
    ask_columns(k, "function");
    if (str_eqz(ask_text(k, "key"), "system")) return NULL;
    TRY(open_schema(k, &s, &virt, &n));
    return virt ? NULL : walk(&l, &s, SEC_FUNCTION, on_function);
}

static err *show_tables_dropped(struct ask *k) {
    struct ask_name n;
    struct securable s, t;
    bool virt;
    struct ent_uc_table_rows rows;
    int64_t limit = INT64_MAX;
    ask_columns(k, "catalogName, schemaName, tableName, tableId, tableType, deletedAt, createdAt, updatedAt, createdBy, owner, comment");
    TRY(open_schema(k, &s, &virt, &n));
    if (virt) return NULL;
    (void)json_i64(json_get(k->in, "limit"), &limit);
    TRY(tables_dropped(k->c, s.id, &rows));
    for (size_t i = 0; i < rows.n && (int64_t)i < limit; i++) {
        const struct ent_uc_table *x = &rows.p[i];
        str creator, owner;
        TRY(securable_of_table(k->c, &s, x, &t));
        if (!securable_allows(k->c, &t, PRIV_MANAGE)) continue;
        TRY(ask_principal(k, x->created_by, &creator));
        TRY(ask_principal(k, x->owner_id, &owner));
        jmut *row = ask_row(k);
        ask_put(k, row, s.catalog.name);
        ask_put(k, row, s.schema.name);
        ask_put(k, row, x->dropped_name);
        ask_put(k, row, x->uuid);
        ask_put(k, row, x->table_type);
        ask_put(k, row, ask_time(k->c->a, x->dropped_at));
        ask_put(k, row, ask_time(k->c->a, x->created_at));
        ask_put(k, row, ask_time(k->c->a, x->updated_at));
        ask_put(k, row, creator);
        ask_put(k, row, owner);
        ask_put(k, row, x->comment);
    }
    return NULL;
}

/* ---- external locations, credentials, principals ---- */

static err *show_locations(struct ask *k) {
    struct ent_external_location_rows rows;
    struct ent_list_query q = {.order = ENT_EXTERNAL_LOCATION_NAME};
    ask_columns(k, "name, url, comment");
    TRY(ent_external_location_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        struct securable s;
        TRY(securable_of_location(k->c, &rows.p[i], &s));
        if (!securable_visible(k->c, &s) || !ask_like(ask_text(k, "pattern"), rows.p[i].name)) continue;
        jmut *row = ask_row(k);
        ask_put(k, row, rows.p[i].name);
        ask_put(k, row, rows.p[i].url);
        ask_put(k, row, rows.p[i].comment);
    }
    return NULL;
}

static err *show_credentials(struct ask *k) {
    struct ent_storage_credential_rows rows;
    struct ent_list_query q = {.order = ENT_STORAGE_CREDENTIAL_NAME};
    ask_columns(k, "name, comment");
    TRY(ent_storage_credential_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        struct securable s;
        TRY(securable_of_credential(k->c, &rows.p[i], &s));
        if (!securable_visible(k->c, &s) || !ask_like(ask_text(k, "pattern"), rows.p[i].name)) continue;
        jmut *row = ask_row(k);
        ask_put(k, row, rows.p[i].name);
        ask_put(k, row, rows.p[i].comment);
    }
    return NULL;
}

static err *show_users(struct ask *k) {
    struct ent_user_rows rows;
    struct ent_list_query q = {.order = ENT_USER_USER_NAME};
    ask_columns(k, "name");
    TRY(ent_user_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++)
        if (ask_like(ask_text(k, "pattern"), rows.p[i].user_name)) ask_put(k, ask_row(k), rows.p[i].user_name);
    return NULL;
}

static err *groups_of_scope(struct ask *k, struct store_scope scope, const struct id_list *only) {
    struct ent_group_rows rows;
    struct ent_list_query q = {.order = ENT_GROUP_DISPLAY_NAME};
    TRY(ent_group_list(k->c->tx, scope, k->c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        bool in = !only;
        for (size_t j = 0; only && j < only->n; j++) in |= only->p[j] == rows.p[i].id;
        if (!in || !ask_like(ask_text(k, "pattern"), rows.p[i].display_name)) continue;
        jmut *row = ask_row(k);
        ask_put(k, row, rows.p[i].display_name);
        ask_put_bool(k, row, true);
    }
    return NULL;
}

static err *show_groups(struct ask *k) {
    struct id_list of = {0};
    str principal = ask_text(k, "principal");
    int64_t id;
    ask_columns(k, "name, directGroup boolean");
    if (principal.n) {
        TRY(ask_principal_id(k, principal, &id));
        TRY(identity_groups_of(k->c->tx, k->c->a, id, &of));
    }
    TRY(groups_of_scope(k, metastore_scope(k->c), principal.n ? &of : NULL));
    return groups_of_scope(k, (struct store_scope){k->c->scope.account, k->workspace}, principal.n ? &of : NULL);
}

static err *nothing_to_show(struct ask *k) {
    ask_columns(k, "name");
    return NULL;
}

const struct ask_command ask_show_commands[] = {
    {"show_catalogs", show_catalogs, false},
    {"show_schemas", show_schemas, false},
    {"show_current_schema", show_current_schema, false},
    {"show_tables", show_tables, false},
    {"show_table_extended", show_table_extended, false},
    {"show_views", show_views, false},
    {"show_volumes", show_volumes, false},
    {"show_functions", show_functions, false},
    {"show_tables_dropped", show_tables_dropped, false},
    {"show_locations", show_locations, false},
    {"show_credentials", show_credentials, false},
    {"show_users", show_users, false},
    {"show_groups", show_groups, false},
    {"show_connections", nothing_to_show, false},
    {"show_shares", nothing_to_show, false},
    {"show_providers", nothing_to_show, false},
    {"show_recipients", nothing_to_show, false},
    {"show_procedures", nothing_to_show, false},
    {NULL, NULL, false},
};
