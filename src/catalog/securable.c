/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/securable.h"

#include "base/map.h"
#include "catalog/bindings.h"
#include "catalog/grants.h"
#include "catalog/name.h"

/* What differs by kind. `type` is the name in tables/permissions.json ("on"), in the API in upper
 * case; `reading` is the privilege that is named to whoever may know of it but not read it. */
static const struct kind_row {
    const char *type, *title, *what;
    int parts;
    uint64_t reading;
} kinds[SEC_KINDS] = {
    [SEC_METASTORE] = {"metastore", "Metastore", "metastore", 0, 0},
    [SEC_CATALOG] = {"catalog", "Catalog", "catalog", 1, PRIV_USE_CATALOG},
    [SEC_SCHEMA] = {"schema", "Schema", "schema", 2, PRIV_USE_SCHEMA},
    [SEC_MODEL] = {"registered_model", "Registered model", "registered model", 3, PRIV_EXECUTE},
    [SEC_TABLE] = {"table", "Table", "table", 3, PRIV_SELECT},
    [SEC_VOLUME] = {"volume", "Volume", "volume", 3, PRIV_READ_VOLUME},
    [SEC_FUNCTION] = {"function", "Function", "function", 3, PRIV_EXECUTE},
    [SEC_LOCATION] = {"external_location", "External location", "external location", 1,
                      PRIV_READ_FILES},
    [SEC_CREDENTIAL] = {"storage_credential", "Storage credential", "storage credential", 1,
                        PRIV_CREATE_EXTERNAL_LOCATION},
};

const char *const securable_kind_names[SEC_KINDS] = {
    "metastore", "catalog",  "schema",            "registered_model",  "table",
    "volume",    "function", "external_location", "storage_credential"};

const char *securable_type_name(enum securable_kind kind) {
    static const char *const names[SEC_KINDS] = {
        "METASTORE", "CATALOG",  "SCHEMA",            "REGISTERED_MODEL",  "TABLE",
        "VOLUME",    "FUNCTION", "EXTERNAL_LOCATION", "STORAGE_CREDENTIAL"};
    return names[kind];
}

int securable_parts(enum securable_kind kind) { return kinds[kind].parts; }

const char *securable_title(const struct securable *s) {
    if (s->kind == SEC_TABLE && s->table.view_text.n) return "View";
    return kinds[s->kind].title;
}

int securable_kind_of(str type) {
    for (int i = 0; i < SEC_KINDS; i++)
        if (str_ieq(type, str_of(kinds[i].type))) return i;
    if (str_ieq(type, STR("database"))) return SEC_SCHEMA;
    if (str_ieq(type, STR("view"))) return SEC_TABLE;
    if (str_ieq(type, STR("credential"))) return SEC_CREDENTIAL;
    return -1;
}

uint64_t securable_grantable(enum securable_kind kind) {
    static const uint64_t on[SEC_KINDS] = {
        PRIVS_ON_METASTORE, PRIVS_ON_CATALOG,  PRIVS_ON_SCHEMA,
        PRIVS_ON_REGISTERED_MODEL, PRIVS_ON_TABLE,   PRIVS_ON_VOLUME,
        PRIVS_ON_FUNCTION,  PRIVS_ON_EXTERNAL_LOCATION, PRIVS_ON_STORAGE_CREDENTIAL};
    return on[kind];
}

err *securable_missing(enum securable_kind kind, str full_name) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s '%.*s' does not exist.", kinds[kind].title,
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
                     : arena_printf(c->a, "%s '%.*s'", securable_title(s), STR_ARG(full_name));
    if (c->own && kind == c->own_kind) {
        uint64_t key = (uint64_t)id;
        node->entries = map_get(c->own, map_key_u64(&key));
        node->n = node->entries ? 1 : 0;
        return NULL;
    }
    struct caller now = *c;
    now.tx = c->today;
    struct policy_entry *entries;
    TRY(grants_entries(&now, kind, id, &entries, &node->n));
    node->entries = entries;
    return NULL;
}

/* ---- rows ---- */

/* A leaf's row into the union. */
static err *leaf_get(const struct caller *c, store_tx *tx, enum securable_kind kind, int64_t id,
                     struct securable *s, bool *found) {
    struct store_scope scope = metastore_scope(c);
    switch (kind) {
    case SEC_MODEL: return ent_uc_model_get(tx, scope, c->a, id, &s->model, found);
    case SEC_TABLE: return ent_uc_table_get(tx, scope, c->a, id, &s->table, found);
    case SEC_VOLUME: return ent_uc_volume_get(tx, scope, c->a, id, &s->volume, found);
    case SEC_FUNCTION: return ent_uc_function_get(tx, scope, c->a, id, &s->function, found);
    case SEC_LOCATION: return ent_external_location_get(tx, scope, c->a, id, &s->location, found);
    case SEC_CREDENTIAL:
        return ent_storage_credential_get(tx, scope, c->a, id, &s->credential, found);
    default: must(false); return NULL;
    }
}

static err *leaf_by_name(const struct caller *c, enum securable_kind kind, int64_t schema, str name,
                         struct securable *s, bool *found) {
    struct store_scope scope = metastore_scope(c);
    switch (kind) {
    case SEC_MODEL:
        return ent_uc_model_by_name(c->tx, scope, c->a, schema, name, &s->model, found);
    case SEC_TABLE:
        return ent_uc_table_by_name(c->tx, scope, c->a, schema, name, &s->table, found);
    case SEC_VOLUME:
        return ent_uc_volume_by_name(c->tx, scope, c->a, schema, name, &s->volume, found);
    case SEC_FUNCTION:
        return ent_uc_function_by_name(c->tx, scope, c->a, schema, name, &s->function, found);
    case SEC_LOCATION:
        return ent_external_location_by_name(c->tx, scope, c->a, name, &s->location, found);
    case SEC_CREDENTIAL:
        return ent_storage_credential_by_name(c->tx, scope, c->a, name, &s->credential, found);
    default: must(false); return NULL;
    }
}

struct head {
    int64_t id, schema, owner;
    str name;
};
#define HEAD(row) ((struct head){(row).id, (row).schema_id, (row).owner_id, (row).name})
#define TOP_HEAD(row) ((struct head){(row).id, 0, (row).owner_id, (row).name})
static struct head leaf_head(const struct securable *s) {
    switch (s->kind) {
    case SEC_MODEL: return HEAD(s->model);
    case SEC_TABLE: return HEAD(s->table);
    case SEC_VOLUME: return HEAD(s->volume);
    case SEC_FUNCTION: return HEAD(s->function);
    case SEC_LOCATION: return TOP_HEAD(s->location);
    case SEC_CREDENTIAL: return TOP_HEAD(s->credential);
    default: must(false); return (struct head){0};
    }
}

/* What of today decides about what was looked up in the past: the owner, and the workspaces that it is bound to. A thing that is
 * gone keeps its last ones. */
static err *owner_today(const struct caller *c, enum securable_kind kind, int64_t id,
                        int64_t *owner) {
    if (c->today == c->tx || kind == SEC_METASTORE) return NULL;
    bool found;
    struct ent_catalog catalog;
    struct ent_schema schema;
    struct securable leaf = {.kind = kind};
    switch (kind) {
    case SEC_CATALOG:
        TRY(ent_catalog_get(c->today, metastore_scope(c), c->a, id, &catalog, &found));
        if (found) *owner = catalog.owner_id;
        return NULL;
    case SEC_SCHEMA:
        TRY(ent_schema_get(c->today, metastore_scope(c), c->a, id, &schema, &found));
        if (found) *owner = schema.owner_id;
        return NULL;
    default:
        TRY(leaf_get(c, c->today, kind, id, &leaf, &found));
        if (found) *owner = leaf_head(&leaf).owner;
        return NULL;
    }
}

static void copy_chain(const struct securable *up, struct securable *s) {
    must(s->n + up->n <= SECURABLE_DEPTH);
    memcpy(&s->chain[s->n], up->chain, up->n * sizeof(up->chain[0]));
    s->n += up->n;
}

/* The workspace that asks, as bindings see it; c->today's row decides also about the past. */
static err *bind(const struct caller *c, struct securable *s) {
    bool found = true, past = c->today != c->tx;
    struct ent_catalog catalog = s->catalog;
    struct securable leaf = *s;
    if (past && s->kind == SEC_CATALOG)
        TRY(ent_catalog_get(c->today, metastore_scope(c), c->a, s->id, &catalog, &found));
    else if (past)
        TRY(leaf_get(c, c->today, s->kind, s->id, &leaf, &found));
    if (!found) catalog = s->catalog, leaf = *s;
    str mode = s->kind == SEC_CATALOG ? catalog.isolation_mode : s->kind == SEC_LOCATION ? leaf.location.isolation_mode : leaf.credential.isolation_mode;
    str text = s->kind == SEC_CATALOG ? catalog.bindings : s->kind == SEC_LOCATION ? leaf.location.bindings : leaf.credential.bindings;
    if (!c->any_workspace) s->chain[0].bound = bindings_say(mode, text, c->scope.workspace);
    return NULL;
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
    ret->chain[0].fixed = !ret->owner; /* samples */
    TRY(bind(c, ret));
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

/* Makes a securable of the row that is in s already. up NULL: right below the metastore. */
static err *finish_leaf(const struct caller *c, const struct securable *up, struct securable *s) {
    struct head h = leaf_head(s);
    s->id = h.id;
    s->owner = h.owner;
    s->n = 0;
    s->full_name = h.name;
    if (up) {
        must(up->kind == SEC_SCHEMA);
        s->catalog = up->catalog;
        s->schema = up->schema;
        s->full_name = name_join(c->a, up->catalog.name, up->schema.name, h.name);
    }
    TRY(owner_today(c, s->kind, s->id, &s->owner));
    TRY(add_node(c, s->kind, s->id, s->owner, 0, s->full_name, s));
    if (!up && bindings_on(s->kind)) TRY(bind(c, s));
    if (!up) return add_node(c, SEC_METASTORE, 0, 0, 0, STR(""), s);
    copy_chain(up, s);
    return NULL;
}

err *securable_of_model(const struct caller *c, const struct securable *schema,
                        const struct ent_uc_model *row, struct securable *ret) {
    *ret = (struct securable){.kind = SEC_MODEL, .model = *row};
    return finish_leaf(c, schema, ret);
}
err *securable_of_table(const struct caller *c, const struct securable *schema,
                        const struct ent_uc_table *row, struct securable *ret) {
    *ret = (struct securable){.kind = SEC_TABLE, .table = *row};
    return finish_leaf(c, schema, ret);
}
err *securable_of_volume(const struct caller *c, const struct securable *schema,
                         const struct ent_uc_volume *row, struct securable *ret) {
    *ret = (struct securable){.kind = SEC_VOLUME, .volume = *row};
    return finish_leaf(c, schema, ret);
}
err *securable_of_function(const struct caller *c, const struct securable *schema,
                           const struct ent_uc_function *row, struct securable *ret) {
    *ret = (struct securable){.kind = SEC_FUNCTION, .function = *row};
    return finish_leaf(c, schema, ret);
}
err *securable_of_location(const struct caller *c, const struct ent_external_location *row,
                           struct securable *ret) {
    *ret = (struct securable){.kind = SEC_LOCATION, .location = *row};
    return finish_leaf(c, NULL, ret);
}
err *securable_of_credential(const struct caller *c, const struct ent_storage_credential *row,
                             struct securable *ret) {
    *ret = (struct securable){.kind = SEC_CREDENTIAL, .credential = *row};
    return finish_leaf(c, NULL, ret);
}

/* ---- finding ---- */

err *securable_below(const struct caller *c, const struct securable *up, enum securable_kind kind,
                     str name, struct securable *ret, bool *found) {
    if (kind == SEC_SCHEMA) {
        struct ent_schema row;
        TRY(ent_schema_by_name(c->tx, metastore_scope(c), c->a, up->id, name, &row, found));
        return *found ? securable_of_schema(c, up, &row, ret) : NULL;
    }
    *ret = (struct securable){.kind = kind};
    TRY(leaf_by_name(c, kind, up ? up->id : 0, name, ret, found));
    return *found ? finish_leaf(c, up, ret) : NULL;
}

err *securable_find(const struct caller *c, enum securable_kind kind, str full_name,
                    struct securable *ret, bool *found) {
    *found = false;
    if (kind == SEC_METASTORE) {
        *ret = (struct securable){.kind = kind, .full_name = STR("")};
        TRY(add_node(c, SEC_METASTORE, 0, 0, 0, STR(""), ret));
        *found = true;
        return NULL;
    }
    str part[3];
    TRY(name_split(c->a, full_name, kinds[kind].parts, kinds[kind].what, part));
    if (kind == SEC_LOCATION || kind == SEC_CREDENTIAL)
        return securable_below(c, NULL, kind, part[0], ret, found);
    struct ent_catalog row;
    TRY(ent_catalog_by_name(c->tx, metastore_scope(c), c->a, part[0], &row, found));
    if (!*found) return NULL;
    if (kind == SEC_CATALOG) return securable_of_catalog(c, &row, ret);
    struct securable catalog, schema;
    TRY(securable_of_catalog(c, &row, &catalog));
    TRY(securable_below(c, &catalog, SEC_SCHEMA, part[1], kind == SEC_SCHEMA ? ret : &schema,
                        found));
    if (!*found || kind == SEC_SCHEMA) return NULL;
    return securable_below(c, &schema, kind, part[2], ret, found);
}

static err *schema_by_id(const struct caller *c, int64_t id, struct securable *ret, bool *found) {
    struct ent_schema row;
    struct ent_catalog catalog_row;
    struct securable catalog;
    TRY(ent_schema_get(c->tx, metastore_scope(c), c->a, id, &row, found));
    *found = *found && row.catalog_id > 0; /* a dropped one is reached by nobody */
    if (!*found) return NULL;
    TRY(ent_catalog_get(c->tx, metastore_scope(c), c->a, row.catalog_id, &catalog_row, NULL));
    TRY(securable_of_catalog(c, &catalog_row, &catalog));
    return securable_of_schema(c, &catalog, &row, ret);
}

err *securable_by_id(const struct caller *c, enum securable_kind kind, int64_t id,
                     struct securable *ret, bool *found) {
    if (kind == SEC_SCHEMA) return schema_by_id(c, id, ret, found);
    *ret = (struct securable){.kind = kind};
    TRY(leaf_get(c, c->tx, kind, id, ret, found));
    if (!*found) return NULL;
    if (kinds[kind].parts == 1) return finish_leaf(c, NULL, ret);
    struct securable schema;
    TRY(schema_by_id(c, leaf_head(ret).schema, &schema, found));
    return *found ? finish_leaf(c, &schema, ret) : NULL;
}

err *securable_model(const struct caller *c, int64_t id, struct securable *ret, bool *found) {
    return securable_by_id(c, SEC_MODEL, id, ret, found);
}

err *securable_up(const struct caller *c, const struct securable *s, enum securable_kind kind,
                  struct securable *ret) {
    struct securable catalog;
    TRY(securable_of_catalog(c, &s->catalog, kind == SEC_CATALOG ? ret : &catalog));
    if (kind == SEC_CATALOG) return NULL;
    must(kind == SEC_SCHEMA);
    return securable_of_schema(c, &catalog, &s->schema, ret);
}

/* ---- decisions ---- */

/* What, held on a securable of this kind (there or inherited), makes it known. */
static uint64_t telling(enum securable_kind kind) {
    uint64_t through = kind == SEC_SCHEMA ? PRIV_USE_CATALOG : 0;
    return ((securable_grantable(kind) & ~through) | PRIV_BROWSE) & ~PRIV_ALL_PRIVILEGES;
}

/* The decision as if what is bound to be read could be written to: knowing changes nothing. */
bool securable_knows(const struct caller *c, const struct securable *s, uint64_t need) {
    struct policy_node chain[SECURABLE_DEPTH];
    memcpy(chain, s->chain, s->n * sizeof(chain[0]));
    for (size_t i = 0; i < s->n; i++)
        if (chain[i].bound == POLICY_BOUND_TO_READ) chain[i].bound = POLICY_BOUND;
    return policy_privilege(c->who, need, chain, s->n).allow;
}

/* The same as if nothing above asked for USE: knowing of a thing does not take it. */
static bool holds(const struct caller *c, const struct securable *s, uint64_t need) {
    struct securable open = *s;
    for (size_t i = 0; i < s->n; i++) open.chain[i].use = 0;
    return securable_knows(c, &open, need);
}

err *securable_unbound(const struct caller *c, const struct securable *s) {
    struct securable open = *s;
    size_t at = s->n;
    for (size_t i = 0; i < s->n; i++)
        if (s->chain[i].bound == POLICY_NOT_BOUND) open.chain[at = i].bound = POLICY_BOUND;
    if (at == s->n || !securable_visible(c, &open)) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "%s is not bound to this workspace: it is for other workspaces alone.", s->chain[at].what);
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

err *securable_known(const struct caller *c, const struct securable *s, bool found, enum securable_kind kind, str name) {
    if (found) TRY(securable_unbound(c, s));
    return found && securable_visible(c, s) ? NULL : securable_missing(kind, name);
}

bool securable_readable(const struct caller *c, const struct securable *s) {
    return s->kind == SEC_METASTORE || securable_knows(c, s, telling(s->kind)) || browses(c, s);
}

bool securable_browse_only(const struct caller *c, const struct securable *s) {
    return s->kind != SEC_METASTORE && !securable_knows(c, s, telling(s->kind) & ~PRIV_BROWSE) &&
           browses(c, s);
}

bool securable_allows(const struct caller *c, const struct securable *s, uint64_t need) {
    return policy_privilege(c->who, need, s->chain, s->n).allow;
}

static bool reads_as_owner(const struct securable *s) { return s->kind == SEC_FUNCTION || (s->kind == SEC_TABLE && s->table.view_text.n); }

/* Is the principal the caller, a group of his, or anybody to an admin? */
static bool acts_for(const struct caller *c, int64_t principal) {
    const struct policy_node alone = {.owner = principal, .what = ""};
    return policy_privilege(c->who, PRIV_MANAGE, &alone, 1).allow;
}

err *securable_need_owner(const struct caller *c, const struct securable *s) {
    if (!reads_as_owner(s) || acts_for(c, s->owner)) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have OWNERSHIP on %s '%.*s': it reads with its owner's rights, so only the owner "
                   "changes what it reads. Whoever has MANAGE may make himself the owner first.", STR_ARG(c->name), securable_title(s), STR_ARG(s->full_name));
}

err *securable_may_give(const struct caller *c, const struct securable *s, int64_t new_owner) {
    if (!reads_as_owner(s) || new_owner == s->owner || acts_for(c, new_owner)) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "%s '%.*s' reads with its owner's rights: only an admin makes somebody else the owner. User '%.*s' may give it to "
                   "himself or to a group that he is in.", securable_title(s), STR_ARG(s->full_name), STR_ARG(c->name));
}

bool securable_shows_text(const struct caller *c, const struct securable *s) { return securable_knows(c, s, PRIV_MANAGE); }

bool securable_lacks(const struct caller *c, const struct securable *s, uint64_t need,
                     const char **ret_privilege, const char **ret_on) {
    struct policy_verdict v = policy_privilege(c->who, need, s->chain, s->n);
    *ret_privilege = v.missing ? v.missing : "a privilege";
    *ret_on = v.missing_on ? v.missing_on : "it";
    return !v.allow;
}

err *securable_need(const struct caller *c, const struct securable *s, uint64_t need) {
    struct policy_verdict v = policy_privilege(c->who, need, s->chain, s->n);
    if (v.allow) return NULL;
    TRY(securable_known(c, s, true, s->kind, s->full_name));
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on %s.", STR_ARG(c->name),
                   v.missing ? v.missing : "a privilege", v.missing_on ? v.missing_on : "it");
}

err *securable_open(const struct caller *c, enum securable_kind kind, str full_name, uint64_t need,
                    struct securable *ret) {
    bool found;
    TRY(securable_find(c, kind, full_name, ret, &found));
    /* One sentence, with the name as the caller wrote it, for "never was" and "not for you". */
    TRY(securable_known(c, ret, found, kind, full_name));
    if (need) return securable_need(c, ret, need);
    return securable_readable(c, ret) ? NULL : securable_need(c, ret, kinds[kind].reading);
}
