/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/locations.h"

#include <errno.h>
#include <sys/stat.h>

#include "catalog/grants.h"
#include "catalog/name.h"
#include "catalog/stores.h"
#include "catalog/tables.h"

/* ---- URLs ---- */

static err *bad_url(str url, const char *why) {
    return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a usable location: %s.",
                            STR_ARG(str_cut(url, 300)), why),
                    "Locations are s3://<bucket>/<prefix>, or file:///<folder> below one of storage.local_roots.");
}


/* As stores take them: 3 to 63 of [a-z0-9.-]. */
static bool is_bucket(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] == '-' || s.p[i] == '.') && i))) return false;
    return s.n >= 3 && s.n <= 63;
}

static err *s3_url(arena *a, str url, str rest, str *ret) {
    str part;
    buf out = {0};
    bool good = true, first = true;
    while (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    buf_z(&out, "s3:/");
    while (good && str_split(&rest, '/', &part)) {
        good = part.n && part.n <= 200 && !str_eqz(part, ".") && !str_eqz(part, "..") && (!first || is_bucket(part));
        for (size_t i = 0; i < part.n; i++) good &= (unsigned char)part.p[i] >= ' ' && part.p[i] != 0x7f;
        buf_c(&out, '/');
        buf_str(&out, part);
        first = false;
    }
    *ret = arena_str(a, buf_view(&out));
    buf_free(&out);
    if (!good || first || ret->n > 900 || !str_is_utf8(*ret))
        return bad_url(url, "it has no bucket's name, an empty segment, one that is too long, '.' or '..', or a control character");
    return NULL;
}

err *locations_url(arena *a, str url, str *ret) {
    str path = url;
    if (str_starts(url, STR("s3://"))) return s3_url(a, url, str_from(url, 5), ret);
    if (str_starts(url, STR("s3a://"))) return s3_url(a, url, str_from(url, 6), ret);
    if (str_starts(path, STR("file:///")))
        path = str_from(path, 7);
    else if (str_starts(path, STR("file:/")) && !str_starts(path, STR("file://")))
        path = str_from(path, 5);
    else
        return bad_url(url, "it is no file:/// or s3:// URL");
    if (path.n > 4000 || !str_is_utf8(path)) return bad_url(url, "it is too long, or not UTF-8");
    buf out = {0};
    buf_z(&out, "file://");
    str rest = path, part;
    bool good = true;
    while (str_split(&rest, '/', &part) && good) {
        if (!part.n) continue;
        good = !str_eqz(part, ".") && !str_eqz(part, "..");
        for (size_t i = 0; i < part.n; i++) good &= (unsigned char)part.p[i] >= ' ';
        buf_c(&out, '/');
        buf_str(&out, part);
    }
    *ret = arena_str(a, buf_view(&out));
    buf_free(&out);
    if (!good) return bad_url(url, "it has a segment '.' or '..', or a control character");
    return ret->n > 8 ? NULL : bad_url(url, "it names no folder");
}

/* Is `url` the same as `above`, or below it? Both canonical. */
static bool lies_in(str url, str above) {
    return str_starts(url, above) && (url.n == above.n || url.p[above.n] == '/');
}

/* No folder from the root downwards may be a link: it could lead anywhere. What is not there yet is
 * fine. */
static err *check_links(const struct caller *c, str url, str root, str rest) {
    str left = rest, part;
    buf path = {0};
    buf_str(&path, root);
    bool link = false, gone = false;
    while (!link && !gone && str_split(&left, '/', &part)) {
        if (!part.n) continue;
        struct stat st;
        buf_c(&path, '/');
        buf_str(&path, part);
        char *z = arena_strndup(c->a, path.p, path.n);
        gone = lstat(z, &st) != 0;
        link = !gone && S_ISLNK(st.st_mode);
    }
    buf_free(&path);
    return link ? bad_url(url, "a folder on the way is a link") : NULL;
}

err *locations_place(const struct caller *c, str url, struct location_place *ret) {
    if (str_starts(url, STR("s3://"))) {
        *ret = (struct location_place){.root = STR("s3"), .engine = url};
        return NULL;
    }
    for (size_t i = 0; i < c->n_roots; i++) {
        const struct engine_root *r = &c->roots[i];
        str above = str_of(r->url);
        while (above.n && above.p[above.n - 1] == '/') above.n--;
        if (above.n <= 7 || !lies_in(url, above)) continue;
        str rest = str_from(url, above.n);
        TRY(check_links(c, url, str_of(r->control), rest));
        *ret = (struct location_place){
            .root = str_of(r->id),
            .control = str_of(arena_printf(c->a, "%s%.*s", r->control, STR_ARG(rest))),
            .engine = str_of(arena_printf(c->a, "%s%.*s", r->engine, STR_ARG(rest)))};
        return NULL;
    }
    return bad_url(url, "it is not below storage.local_roots");
}

/* ---- overlaps ---- */

static err *all_locations(const struct caller *c, struct ent_external_location_rows *ret) {
    struct ent_list_query q = {.order = ENT_EXTERNAL_LOCATION_NAME};
    return ent_external_location_list(c->tx, metastore_scope(c), c->a, &q, ret);
}

static err *check_alone(const struct caller *c, str url, int64_t but) {
    struct ent_external_location_rows rows;
    TRY(all_locations(c, &rows));
    for (size_t i = 0; i < rows.n; i++)
        if (rows.p[i].id != but && (lies_in(url, rows.p[i].url) || lies_in(rows.p[i].url, url)))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "The location '%.*s' overlaps with external location '%.*s'.",
                           STR_ARG(url), STR_ARG(rows.p[i].name));
    return NULL;
}

err *locations_of_url(const struct caller *c, str url, struct securable *ret, bool *found) {
    struct ent_external_location_rows rows;
    TRY(all_locations(c, &rows));
    *found = false;
    for (size_t i = 0; i < rows.n; i++) {
        if (!lies_in(url, rows.p[i].url)) continue;
        *found = true;
        return securable_of_location(c, &rows.p[i], ret);
    }
    return NULL;
}

err *locations_need(const struct caller *c, str url, uint64_t need, struct securable *ret) {
    bool found;
    TRY(locations_of_url(c, url, ret, &found));
    if (found && (need & (PRIV_WRITE_FILES | PRIV_CREATE_EXTERNAL_TABLE)) && ret->location.read_only)
        return err_new(ERR_PERMISSION_DENIED, "External location '%.*s' is read-only.",
                       STR_ARG(ret->full_name));
    if (found && securable_allows(c, ret, need)) return NULL;
    const char *name = "READ_FILES", *on = "the path";
    if (found && securable_visible(c, ret)) {
        (void)securable_lacks(c, ret, need, &name, &on);
    } else {
        for (int i = 0; i < PRIV_COUNT; i++)
            if (need & (1ull << i)) name = priv_rows[i].name;
        on = arena_printf(c->a, "path '%.*s'", STR_ARG(url));
    }
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on %s.", STR_ARG(c->name),
                   name, on);
}

static err *overlap(str url, const char *what) {
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "The location '%.*s' overlaps with that of another %s.", STR_ARG(url), what);
}

/* Volumes are few: all are looked at. */
static err *check_volumes(const struct caller *c, str url) {
    struct ent_uc_volume_rows rows = {.more = true};
    struct ent_list_query q = {.order = ENT_BY_ID};
    while (rows.more) {
        TRY(ent_uc_volume_list(c->tx, metastore_scope(c), c->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            str at = rows.p[i].location;
            if (at.n && (lies_in(url, at) || lies_in(at, url))) return overlap(url, "volume");
            q.after = true;
            q.after_id = q.after_i = rows.p[i].id;
        }
    }
    return NULL;
}

/* Tables that are made in a schema or catalog with a managed location come to lie below that. */
static err *check_root(str url, str root) {
    if (!root.n || !(lies_in(root, url) || lies_in(url, root))) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "The location '%.*s' overlaps with the managed location of a catalog or schema.", STR_ARG(url));
}

static err *check_roots_by(const struct caller *c, str url, const struct ent_list_query *catalogs, const struct ent_list_query *schemas) {
    struct ent_catalog_rows above;
    struct ent_schema_rows rows;
    TRY(ent_catalog_list(c->tx, metastore_scope(c), c->a, catalogs, &above));
    for (size_t i = 0; i < above.n; i++) TRY(check_root(url, above.p[i].storage_root));
    TRY(ent_schema_list(c->tx, metastore_scope(c), c->a, schemas, &rows));
    for (size_t i = 0; i < rows.n; i++) TRY(check_root(url, rows.p[i].storage_root));
    return NULL;
}

static err *check_roots(const struct caller *c, str url) {
    struct ent_list_query catalogs = {.order = ENT_CATALOG_STORAGE_ROOT, .prefix = url, .limit = 1000};
    struct ent_list_query schemas = {.order = ENT_SCHEMA_STORAGE_ROOT, .prefix = url, .limit = 1000};
    TRY(check_roots_by(c, url, &catalogs, &schemas));
    for (size_t n = url.n; n > 8; n--) {
        if (n < url.n && url.p[n] != '/') continue;
        catalogs = (struct ent_list_query){.eq = {{.column = ENT_CATALOG_STORAGE_ROOT, .s = str_cut(url, n)}}, .limit = 1};
        schemas = (struct ent_list_query){.eq = {{.column = ENT_SCHEMA_STORAGE_ROOT, .s = str_cut(url, n)}}, .limit = 1};
        TRY(check_roots_by(c, url, &catalogs, &schemas));
    }
    return NULL;
}

/* managed: of the catalog's own tables those below the URL do not matter, for which it is meant. */
static err *check_tables_free(const struct caller *c, str url, int64_t but_table, bool managed) {
    struct ent_uc_table_rows rows = {.more = true};
    struct ent_list_query below = {.order = ENT_UC_TABLE_LOCATION, .prefix = url, .limit = 1000};
    while (rows.more) {
        TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &below, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            const struct ent_uc_table *t = &rows.p[i];
            below.after = true;
            below.after_s = t->location;
            below.after_id = t->id;
            if (managed && table_is_managed(t)) continue;
            if (t->id != but_table && t->schema_id > 0 && lies_in(t->location, url)) return overlap(url, "table");
        }
    }
    for (size_t n = url.n; n > 8; n--) {
        if (n < url.n && url.p[n] != '/') continue;
        struct ent_list_query at = {
            .eq = {{.column = ENT_UC_TABLE_LOCATION, .s = str_cut(url, n)}}, .limit = 100};
        TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &at, &rows));
        for (size_t i = 0; i < rows.n; i++)
            if (rows.p[i].id != but_table && rows.p[i].schema_id > 0) return overlap(url, "table");
    }
    return check_volumes(c, url);
}

err *locations_check_free(const struct caller *c, str url, int64_t but_table) {
    TRY(check_tables_free(c, url, but_table, false));
    return check_roots(c, url);
}

err *locations_managed(const struct caller *c, str url, str *ret) {
    struct securable l;
    struct location_place place;
    TRY(locations_url(c->a, url, ret));
    TRY(locations_need(c, *ret, PRIV_CREATE_MANAGED_STORAGE, &l));
    TRY(locations_place(c, *ret, &place));
    return check_tables_free(c, *ret, 0, true);
}

/* ---- paths of tables ---- */

static err *check_table(const struct caller *c, str url, const struct ent_uc_table *row, bool write) {
    struct securable t;
    bool found, guarded;
    TRY(securable_by_id(c, SEC_TABLE, row->id, &t, &found));
    const char *privilege = write ? "MODIFY" : "SELECT";
    if (!found) /* a managed one that was dropped and may come back: nobody's grants count meanwhile */
        return table_is_managed(row) ? err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on path '%.*s'.", STR_ARG(c->name), privilege, STR_ARG(url)) : NULL;
    TRY(tables_guarded(c, row, &guarded));
    /* A clone's log says whose files are read: it is written by us alone. */
    if (write && row->clone_sources.n > 2 && securable_visible(c, &t))
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' is a shallow clone: it is changed by its name only.", STR_ARG(t.full_name));
    if (!guarded && securable_allows(c, &t, PRIV_SELECT) && (!write || securable_allows(c, &t, PRIV_MODIFY))) return NULL;
    if (!securable_visible(c, &t))
        return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on path '%.*s'.", STR_ARG(c->name), privilege, STR_ARG(url));
    if (guarded)
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' has a row filter or column masks: it is reached by its name only.", STR_ARG(t.full_name));
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on Table '%.*s'.", STR_ARG(c->name), privilege, STR_ARG(t.full_name));
}

err *locations_check_tables(const struct caller *c, str url, bool write) {
    size_t wild = 0;
    while (wild < url.n && !strchr("*?[{", url.p[wild])) wild++;
    if (wild < url.n) { /* a pattern: whatever lies below its last plain folder */
        while (wild && url.p[wild - 1] != '/') wild--;
        url = str_cut(url, wild ? wild - 1 : 0);
    }
    struct ent_uc_table_rows rows = {.more = true};
    struct ent_list_query below = {.order = ENT_UC_TABLE_LOCATION, .prefix = url, .limit = 1000};
    while (rows.more) {
        TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &below, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            below.after = true;
            below.after_s = rows.p[i].location;
            below.after_id = rows.p[i].id;
            if (lies_in(rows.p[i].location, url)) TRY(check_table(c, url, &rows.p[i], write));
        }
    }
    for (size_t n = url.n; n > 8; n--) {
        if (n < url.n && url.p[n] != '/') continue;
        struct ent_list_query at = {.eq = {{.column = ENT_UC_TABLE_LOCATION, .s = str_cut(url, n)}}, .limit = 100};
        TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &at, &rows));
        for (size_t i = 0; i < rows.n; i++)
            TRY(check_table(c, url, &rows.p[i], write));
    }
    return NULL;
}

/* ---- external locations ---- */

static err *credential_id(const struct caller *c, str name, int64_t *ret) {
    struct securable s;
    *ret = 0;
    if (!name.n || str_ieq(name, STR("local"))) return NULL; /* built in */
    TRY(securable_open(c, SEC_CREDENTIAL, name, PRIV_CREATE_EXTERNAL_LOCATION, &s));
    *ret = s.id;
    return NULL;
}

/* A store is reached by a credential's keys; the platform's own storage is nobody's location. */
static err *check_remote(const struct caller *c, const struct ent_external_location *row) {
    str root = c->stores ? c->stores->root_url : STR("");
    if (!url_is_remote(row->url)) return NULL;
    if (!row->credential_id)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A location on s3:// needs a storage credential with keys.");
    if (root.n && (lies_in(row->url, root) || lies_in(root, row->url)))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The location '%.*s' overlaps with the platform's own storage.", STR_ARG(row->url));
    return NULL;
}

err *locations_set_credential(const struct caller *c, struct securable *l, str name) {
    must(l->kind == SEC_LOCATION);
    return credential_id(c, name, &l->location.credential_id);
}

err *locations_create(const struct caller *c, str name, str url, str credential, str comment,
                      bool read_only, struct securable *ret) {
    struct location_place place;
    struct ent_external_location row = {.name = name,
                                        .comment = comment,
                                        .read_only = read_only,
                                        .owner_id = c->who->id};
    bool found;
    TRY(name_check_part(name, "external location"));
    TRY(securable_below(c, NULL, SEC_LOCATION, name, ret, &found));
    if (found)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "External location '%.*s' already exists.",
                       STR_ARG(name));
    TRY(locations_url(c->a, url, &row.url));
    TRY(locations_place(c, row.url, &place));
    TRY(check_alone(c, row.url, 0));
    TRY(credential_id(c, credential, &row.credential_id));
    TRY(check_remote(c, &row));
    TRY(ent_external_location_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_location(c, &row, ret));
    store_tx_securable(c->tx, "external_location", row.id, row.name);
    return NULL;
}

err *locations_move(const struct caller *c, struct securable *l, str url, bool force) {
    struct securable top, credential;
    bool found;
    must(l->kind == SEC_LOCATION);
    TRY(locations_url(c->a, url, &url));
    if (str_eq(url, l->location.url)) return NULL;
    /* It opens another place than was given to it. */
    TRY(securable_find(c, SEC_METASTORE, STR(""), &top, &found));
    TRY(securable_need(c, &top, PRIV_CREATE_EXTERNAL_LOCATION));
    if (l->location.credential_id) {
        TRY(securable_by_id(c, SEC_CREDENTIAL, l->location.credential_id, &credential, &found));
        if (found) TRY(securable_need(c, &credential, PRIV_CREATE_EXTERNAL_LOCATION));
    }
    err *e = force ? NULL : locations_check_free(c, l->location.url, 0);
    if (e) {
        err_free(e);
        return err_hint(err_new(ERR_INVALID_STATE, "External location '%.*s' holds tables or volumes, which do not move with it.", STR_ARG(l->full_name)),
                        "Drop them first, or use force.");
    }
    l->location.url = url;
    return NULL;
}

err *locations_save(const struct caller *c, struct securable *l) {
    struct location_place place;
    must(l->kind == SEC_LOCATION);
    TRY(name_check_part(l->location.name, "external location"));
    TRY(locations_url(c->a, l->location.url, &l->location.url));
    TRY(locations_place(c, l->location.url, &place));
    TRY(check_alone(c, l->location.url, l->id));
    TRY(check_remote(c, &l->location));
    TRY(ent_external_location_update(c->tx, metastore_scope(c), &l->location));
    l->full_name = l->location.name;
    store_tx_securable(c->tx, "external_location", l->id, l->full_name);
    return NULL;
}

err *locations_delete(const struct caller *c, const struct securable *l, bool force) {
    err *e = force ? NULL : locations_check_free(c, l->location.url, 0);
    if (e) {
        err_free(e);
        return err_hint(err_new(ERR_INVALID_STATE, "External location '%.*s' holds tables or "
                                "volumes.", STR_ARG(l->full_name)),
                        "Drop them first, or use force.");
    }
    TRY(grants_drop(c, SEC_LOCATION, l->id));
    store_tx_securable(c->tx, "external_location", l->id, l->full_name);
    return ent_external_location_delete(c->tx, metastore_scope(c), l->id);
}

/* ---- storage credentials ---- */

err *credentials_create(const struct caller *c, str name, str kind, str config, str comment,
                        bool read_only, struct securable *ret) {
    struct ent_storage_credential row = {.name = name,
                                         .kind = kind,
                                         .config = config.n ? config : STR("{}"),
                                         .comment = comment,
                                         .read_only = read_only,
                                         .owner_id = c->who->id};
    bool found;
    TRY(name_check_part(name, "storage credential"));
    TRY(securable_below(c, NULL, SEC_CREDENTIAL, name, ret, &found));
    if (found || str_ieq(name, STR("local")))
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Storage credential '%.*s' already exists.",
                       STR_ARG(name));
    TRY(ent_storage_credential_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_credential(c, &row, ret));
    store_tx_securable(c->tx, "storage_credential", row.id, row.name);
    return NULL;
}

err *credentials_save(const struct caller *c, struct securable *s) {
    must(s->kind == SEC_CREDENTIAL);
    TRY(ent_storage_credential_update(c->tx, metastore_scope(c), &s->credential));
    s->full_name = s->credential.name;
    store_tx_securable(c->tx, "storage_credential", s->id, s->full_name);
    return NULL;
}

err *credentials_set_secret(const struct caller *c, int64_t id, str config) {
    struct ent_storage_secret_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_STORAGE_SECRET_CREDENTIAL_ID, .i = id}}, .limit = 10};
    TRY(ent_storage_secret_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    for (size_t i = 0; i < rows.n; i++) TRY(ent_storage_secret_delete(c->tx, metastore_scope(c), rows.p[i].id));
    if (!config.n) return NULL;
    struct ent_storage_secret row = {.credential_id = id, .config = config};
    return ent_storage_secret_insert(c->tx, metastore_scope(c), &row);
}

err *credentials_delete(const struct caller *c, const struct securable *s, bool force) {
    struct ent_external_location_rows rows;
    TRY(all_locations(c, &rows));
    for (size_t i = 0; i < rows.n && !force; i++)
        if (rows.p[i].credential_id == s->id)
            return err_new(ERR_INVALID_STATE,
                           "Storage credential '%.*s' is used by external location '%.*s'.",
                           STR_ARG(s->full_name), STR_ARG(rows.p[i].name));
    TRY(credentials_set_secret(c, s->id, STR_NONE));
    TRY(grants_drop(c, SEC_CREDENTIAL, s->id));
    store_tx_securable(c->tx, "storage_credential", s->id, s->full_name);
    return ent_storage_credential_delete(c->tx, metastore_scope(c), s->id);
}
