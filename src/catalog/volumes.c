/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/volumes.h"

#include "catalog/grants.h"
#include "catalog/locations.h"
#include "catalog/name.h"

static err *check_free(const struct caller *c, const struct securable *schema, str name,
                       int64_t but) {
    struct ent_uc_volume row;
    bool found;
    TRY(ent_uc_volume_by_name(c->tx, metastore_scope(c), c->a, schema->id, name, &row, &found));
    if (!found || row.id == but) return NULL;
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Volume '%.*s.%.*s' already exists.",
                   STR_ARG(schema->full_name), STR_ARG(row.name));
}

err *volumes_create(const struct caller *c, const struct securable *schema, str name, str location,
                    str comment, struct securable *ret) {
    TRY(name_check_part(name, "volume"));
    TRY(check_free(c, schema, name, 0));
    struct ent_uc_volume row = {.schema_id = schema->id,
                                .name = name,
                                .volume_type = location.n ? STR("EXTERNAL") : STR("MANAGED"),
                                .location = location,
                                .comment = comment,
                                .tags = STR("{}"),
                                .owner_id = c->who->id};
    TRY(ent_uc_volume_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_volume(c, schema, &row, ret));
    store_tx_securable(c->tx, "volume", row.id, ret->full_name);
    return NULL;
}

err *volumes_save(const struct caller *c, struct securable *v) {
    must(v->kind == SEC_VOLUME);
    TRY(ent_uc_volume_update(c->tx, metastore_scope(c), &v->volume));
    v->full_name = name_join(c->a, v->catalog.name, v->schema.name, v->volume.name);
    store_tx_securable(c->tx, "volume", v->id, v->full_name);
    return NULL;
}

err *volumes_rename(const struct caller *c, struct securable *v, str new_name) {
    struct securable schema;
    TRY(name_check_part(new_name, "volume"));
    TRY(securable_up(c, v, SEC_SCHEMA, &schema));
    TRY(check_free(c, &schema, new_name, v->id));
    v->volume.name = new_name;
    return volumes_save(c, v);
}

err *volumes_delete(const struct caller *c, const struct securable *v) {
    TRY(grants_drop(c, SEC_VOLUME, v->id));
    if (c->drop_files && !v->volume.location.n)
        TRY(c->drop_files(c, volumes_storage_path(c->a, v->id)));
    store_tx_securable(c->tx, "volume", v->id, v->full_name);
    return ent_uc_volume_delete(c->tx, metastore_scope(c), v->id);
}

str volumes_storage_path(arena *a, int64_t volume_id) {
    return str_of(arena_printf(a, "/Volumes/.id/%lld", (long long)volume_id));
}

str volumes_shown(arena *a, const struct securable *v) {
    return str_of(arena_printf(a, "/Volumes/%.*s/%.*s/%.*s", STR_ARG(v->catalog.name), STR_ARG(v->schema.name), STR_ARG(v->volume.name)));
}

err *volumes_check_path(str path, str *ret) {
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    str rest = str_from(path, 1), part;
    bool good = path.n <= 4000 && str_is_utf8(path) && !memchr(path.p, 0, path.n);
    while (good && str_split(&rest, '/', &part)) good = part.n && !str_eqz(part, ".") && !str_eqz(part, "..");
    *ret = path;
    return good ? NULL : err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no usable path: it has an empty segment, '.' or '..', or is too long.",
                                 STR_ARG(str_cut(path, 300)));
}

static str take_part(str *rest) {
    ptrdiff_t slash = str_chr(*rest, '/', 0);
    str part = slash < 0 ? *rest : str_cut(*rest, (size_t)slash);
    *rest = slash < 0 ? STR("") : str_from(*rest, (size_t)slash + 1);
    return part;
}

err *volumes_of_path(const struct caller *c, str path, struct securable *ret, str *ret_rest) {
    bool found = false;
    str rest = path, first = take_part(&rest), second = take_part(&rest);
    if (str_eqz(first, ".id")) {
        int64_t id;
        if (str_to_i64(second, &id)) TRY(securable_by_id(c, SEC_VOLUME, id, ret, &found));
        *ret_rest = rest;
        return securable_known(c, ret, found, SEC_VOLUME, second);
    }
    str third = take_part(&rest);
    if (!third.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'/Volumes/%.*s' does not name a volume: "
                       "/Volumes/<catalog>/<schema>/<volume>/….",
                       STR_ARG(str_cut(path, 600)));
    str full = name_join(c->a, first, second, third);
    TRY(securable_find(c, SEC_VOLUME, full, ret, &found));
    *ret_rest = rest;
    return securable_known(c, ret, found, SEC_VOLUME, full);
}

err *volumes_file_access(const struct caller *c, str path, bool write, str *ret_path) {
    struct securable v;
    str rest;
    TRY(volumes_of_path(c, path, &v, &rest));
    TRY(securable_need(c, &v, write ? PRIV_WRITE_VOLUME : PRIV_READ_VOLUME));
    if (str_starts(v.volume.location, STR("s3://"))) {
        *ret_path = rest.n ? str_of(arena_printf(c->a, "%.*s/%.*s", STR_ARG(v.volume.location), STR_ARG(rest))) : v.volume.location;
        TRY(locations_url(c->a, *ret_path, ret_path));
        return locations_check_tables(c, *ret_path, write);
    }
    if (v.volume.location.n)
        return err_new(ERR_NOT_IMPLEMENTED,
                       "Files of the external volume '%.*s' are reached by SQL, not by the Files "
                       "API.",
                       STR_ARG(v.full_name));
    str folder = volumes_storage_path(c->a, v.id);
    *ret_path = rest.n ? str_of(arena_printf(c->a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(rest)))
                       : folder;
    return NULL;
}
