/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/securable.h"

#include "catalog/grants.h"
#include "catalog/name.h"

const char *const securable_kind_names[SEC_KINDS] = {"metastore", "catalog", "schema",
                                                     "registered_model"};

/* Names in tables/permissions.json ("on"). A registered model is a FUNCTION there and in the API. */
static const char *const on_names[SEC_KINDS] = {"metastore", "catalog", "schema", "function"};
static const char *const titles[SEC_KINDS] = {"Metastore", "Catalog", "Schema",
                                              "Registered model"};

int securable_kind_of(str type) {
    for (int i = 0; i < SEC_KINDS; i++)
        if (str_ieq(type, str_of(securable_kind_names[i])) || str_ieq(type, str_of(on_names[i])))
            return i;
    return -1;
}

uint64_t securable_grantable(enum securable_kind kind) {
    uint64_t bits = 0;
    for (int i = 0; i < PRIV_COUNT; i++) {
        str rest = str_of(priv_rows[i].on), part;
        while (str_split(&rest, ' ', &part))
            if (str_eqz(part, on_names[kind])) bits |= 1ull << i;
    }
    return bits;
}

err *securable_missing(enum securable_kind kind, str full_name) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s '%.*s' does not exist.", titles[kind],
                   STR_ARG(str_cut(full_name, 800)));
}

/* ---- chains ---- */

static err *add_node(const struct caller *c, enum securable_kind kind, int64_t id, int64_t owner,
                     uint64_t use, str full_name, struct securable *s) {
    must(s->n < SECURABLE_DEPTH);
    struct policy_node *node = &s->chain[s->n++];
    *node = (struct policy_node){.owner = owner, .use = use};
    node->what = kind == SEC_METASTORE
                     ? "the metastore"
                     : arena_printf(c->a, "%s '%.*s'", titles[kind], STR_ARG(full_name));
    struct caller now = *c;
    now.tx = c->today;
    struct policy_entry *entries;
    TRY(grants_entries(&now, kind, id, &entries, &node->n));
    node->entries = entries;
    return NULL;
}

/* Who owns today what was looked up in the past; a thing that is gone keeps its last owner. */
static err *owner_today(const struct caller *c, enum securable_kind kind, int64_t id,
                        int64_t *owner) {
    if (c->today == c->tx) return NULL;
    bool found;
    struct ent_catalog catalog;
    struct ent_schema schema;
    struct ent_uc_model model;
    switch (kind) {
    case SEC_CATALOG:
        TRY(ent_catalog_get(c->today, metastore_scope(c), c->a, id, &catalog, &found));
        if (found) *owner = catalog.owner_id;
        return NULL;
    case SEC_SCHEMA:
        TRY(ent_schema_get(c->today, metastore_scope(c), c->a, id, &schema, &found));
        if (found) *owner = schema.owner_id;
        return NULL;
    case SEC_MODEL:
        TRY(ent_uc_model_get(c->today, metastore_scope(c), c->a, id, &model, &found));
        if (found) *owner = model.owner_id;
        return NULL;
    default: return NULL;
    }
}

static void copy_chain(const struct securable *up, struct securable *s) {
    must(s->n + up->n <= SECURABLE_DEPTH);
    memcpy(&s->chain[s->n], up->chain, up->n * sizeof(up->chain[0]));
    s->n += up->n;
}

err *securable_of_catalog(const struct caller *c, const struct ent_catalog *row,
                          struct securable *ret) {
    *ret = (struct securable){.kind = SEC_CATALOG,
                              .id = row->id,
                              .owner = row->owner_id,
                              .full_name = row->name,
                              .catalog = *row};
    TRY(owner_today(c, SEC_CATALOG, row->id, &ret->owner));
    TRY(add_node(c, SEC_CATALOG, row->id, ret->owner, PRIV_USE_CATALOG, row->name, ret));
    return add_node(c, SEC_METASTORE, 0, 0, 0, STR(""), ret);
}

err *securable_of_schema(const struct caller *c, const struct securable *catalog,
                         const struct ent_schema *row, struct securable *ret) {
    must(catalog->kind == SEC_CATALOG);
    *ret = (struct securable){.kind = SEC_SCHEMA,
                              .id = row->id,
                              .owner = row->owner_id,
                              .catalog = catalog->catalog,
                              .schema = *row};
    ret->full_name = name_join(c->a, catalog->catalog.name, row->name, STR(""));
    TRY(owner_today(c, SEC_SCHEMA, row->id, &ret->owner));
    TRY(add_node(c, SEC_SCHEMA, row->id, ret->owner, PRIV_USE_SCHEMA, ret->full_name, ret));
    copy_chain(catalog, ret);
    return NULL;
}

err *securable_of_model(const struct caller *c, const struct securable *schema,
                        const struct ent_uc_model *row, struct securable *ret) {
    must(schema->kind == SEC_SCHEMA);
    *ret = (struct securable){.kind = SEC_MODEL,
                              .id = row->id,
                              .owner = row->owner_id,
                              .catalog = schema->catalog,
                              .schema = schema->schema,
                              .model = *row};
    ret->full_name = name_join(c->a, schema->catalog.name, schema->schema.name, row->name);
    TRY(owner_today(c, SEC_MODEL, row->id, &ret->owner));
    TRY(add_node(c, SEC_MODEL, row->id, ret->owner, 0, ret->full_name, ret));
    copy_chain(schema, ret);
    return NULL;
}

err *securable_find(const struct caller *c, enum securable_kind kind, str full_name,
                    struct securable *ret, bool *found) {
    struct store_scope scope = metastore_scope(c);
    *found = false;
    if (kind == SEC_METASTORE) {
        *ret = (struct securable){.kind = kind, .full_name = STR("")};
        TRY(add_node(c, SEC_METASTORE, 0, 0, 0, STR(""), ret));
        *found = true;
        return NULL;
    }
    static const char *const what[SEC_KINDS] = {"", "catalog", "schema", "registered model"};
    str part[3];
    TRY(name_split(c->a, full_name, (int)kind, what[kind], part));
    bool hit;
    struct ent_catalog catalog_row;
    struct securable catalog, schema;
    TRY(ent_catalog_by_name(c->tx, scope, c->a, part[0], &catalog_row, &hit));
    if (!hit) return NULL;
    TRY(securable_of_catalog(c, &catalog_row, kind == SEC_CATALOG ? ret : &catalog));
    *found = kind == SEC_CATALOG;
    if (*found) return NULL;
    struct ent_schema schema_row;
    TRY(ent_schema_by_name(c->tx, scope, c->a, catalog_row.id, part[1], &schema_row, &hit));
    if (!hit) return NULL;
    TRY(securable_of_schema(c, &catalog, &schema_row, kind == SEC_SCHEMA ? ret : &schema));
    *found = kind == SEC_SCHEMA;
    if (*found) return NULL;
    struct ent_uc_model model_row;
    TRY(ent_uc_model_by_name(c->tx, scope, c->a, schema_row.id, part[2], &model_row, &hit));
    if (!hit) return NULL;
    TRY(securable_of_model(c, &schema, &model_row, ret));
    *found = true;
    return NULL;
}

err *securable_model(const struct caller *c, int64_t id, struct securable *ret, bool *found) {
    struct store_scope scope = metastore_scope(c);
    struct ent_uc_model model;
    struct ent_schema schema_row;
    struct ent_catalog catalog_row;
    struct securable catalog, schema;
    TRY(ent_uc_model_get(c->tx, scope, c->a, id, &model, found));
    if (!*found) return NULL;
    TRY(ent_schema_get(c->tx, scope, c->a, model.schema_id, &schema_row, NULL));
    TRY(ent_catalog_get(c->tx, scope, c->a, schema_row.catalog_id, &catalog_row, NULL));
    TRY(securable_of_catalog(c, &catalog_row, &catalog));
    TRY(securable_of_schema(c, &catalog, &schema_row, &schema));
    return securable_of_model(c, &schema, &model, ret);
}

/* ---- decisions ---- */

/* What, held on a securable of this kind (there or inherited), makes it known. */
static uint64_t telling(enum securable_kind kind) {
    uint64_t through = kind == SEC_MODEL    ? PRIV_USE_CATALOG | PRIV_USE_SCHEMA
                       : kind == SEC_SCHEMA ? PRIV_USE_CATALOG
                                            : 0;
    return ((securable_grantable(kind) & ~through) | PRIV_BROWSE) & ~PRIV_ALL_PRIVILEGES;
}

/* The decision as if nothing above asked for USE: knowing of a thing does not take it. */
static bool holds(const struct caller *c, const struct securable *s, uint64_t need) {
    struct policy_node chain[SECURABLE_DEPTH];
    memcpy(chain, s->chain, s->n * sizeof(chain[0]));
    for (size_t i = 0; i < s->n; i++) chain[i].use = 0;
    return policy_privilege(c->who, need, chain, s->n).allow;
}

/* BROWSE is a privilege of catalogs: what the catalog's grants and its owner have, not what owning
 * something inside gives. */
static bool browses(const struct caller *c, const struct securable *s) {
    must(s->n >= 2);
    return policy_privilege(c->who, PRIV_BROWSE, &s->chain[s->n - 2], 2).allow;
}

bool securable_visible(const struct caller *c, const struct securable *s) {
    return s->kind == SEC_METASTORE || holds(c, s, telling(s->kind));
}

bool securable_readable(const struct caller *c, const struct securable *s) {
    return s->kind == SEC_METASTORE || securable_allows(c, s, telling(s->kind)) || browses(c, s);
}

bool securable_browse_only(const struct caller *c, const struct securable *s) {
    return s->kind != SEC_METASTORE && !securable_allows(c, s, telling(s->kind) & ~PRIV_BROWSE) &&
           browses(c, s);
}

bool securable_allows(const struct caller *c, const struct securable *s, uint64_t need) {
    return policy_privilege(c->who, need, s->chain, s->n).allow;
}

err *securable_need(const struct caller *c, const struct securable *s, uint64_t need) {
    struct policy_verdict v = policy_privilege(c->who, need, s->chain, s->n);
    if (v.allow) return NULL;
    if (!securable_visible(c, s)) return securable_missing(s->kind, s->full_name);
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on %s.", STR_ARG(c->name),
                   v.missing ? v.missing : "a privilege", v.missing_on ? v.missing_on : "it");
}

err *securable_open(const struct caller *c, enum securable_kind kind, str full_name, uint64_t need,
                    struct securable *ret) {
    static const uint64_t reading[SEC_KINDS] = {0, PRIV_USE_CATALOG, PRIV_USE_SCHEMA, PRIV_EXECUTE};
    bool found;
    TRY(securable_find(c, kind, full_name, ret, &found));
    /* One sentence, with the name as the caller wrote it, for "never was" and "not for you". */
    if (!found || !securable_visible(c, ret)) return securable_missing(kind, full_name);
    if (need) return securable_need(c, ret, need);
    return securable_readable(c, ret) ? NULL : securable_need(c, ret, reading[kind]);
}
