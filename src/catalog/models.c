/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/models.h"

#include "catalog/aliases.h"
#include "catalog/grants.h"
#include "catalog/name.h"

#define STATUS_PENDING "PENDING_REGISTRATION"
#define STATUS_READY "READY"

static err *check_comment(str comment) {
    if (comment.n <= MODELS_MAX_COMMENT) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "A comment may have %u bytes, not %zu.",
                   MODELS_MAX_COMMENT, comment.n);
}

static err *check_tags(const struct kv *tags) {
    for (size_t i = 0; i < tags->n; i++) {
        str key = tags->p[i].key;
        if (!key.n || key.n > 1000)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "A tag's key has 1 to 1000 bytes; '%.*s' has %zu.",
                           STR_ARG(str_cut(key, 60)), key.n);
        if (tags->p[i].value.n > 100000)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "The value of tag '%.*s' is longer than 100000 bytes.", STR_ARG(key));
    }
    return NULL;
}

static err *change_tags(arena *a, str *column, const struct kv *add, const str *remove,
                        size_t n_remove) {
    struct kv tags;
    TRY(check_tags(add));
    TRY(kv_read(a, *column, &tags));
    for (size_t i = 0; i < n_remove; i++) kv_del(&tags, remove[i]);
    for (size_t i = 0; i < add->n; i++) kv_set(a, &tags, add->p[i].key, add->p[i].value);
    return kv_text(a, &tags, "tags", column);
}

static err *drop_files(const struct caller *c, int64_t model_id, int64_t version);

/* ---- models ---- */

static err *taken(const struct securable *schema, str name) {
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "Registered model '%.*s.%.*s' already exists.",
                   STR_ARG(schema->full_name), STR_ARG(name));
}

static err *check_free(const struct caller *c, const struct securable *schema, str name,
                       int64_t but) {
    struct ent_uc_model other;
    bool found;
    TRY(ent_uc_model_by_name(c->tx, metastore_scope(c), c->a, schema->id, name, &other, &found));
    return found && other.id != but ? taken(schema, name) : NULL;
}

err *models_create(const struct caller *c, const struct securable *schema, str name, str comment,
                   const struct kv *tags, struct securable *ret) {
    TRY(name_check_part(name, "registered model"));
    TRY(check_comment(comment));
    TRY(check_tags(tags));
    TRY(check_free(c, schema, name, 0));
    struct ent_uc_model row = {.schema_id = schema->id,
                               .name = name,
                               .comment = comment,
                               .owner_id = c->who->id};
    TRY(kv_text(c->a, tags, "tags", &row.tags));
    TRY(ent_uc_model_insert(c->tx, metastore_scope(c), &row));
    TRY(securable_of_model(c, schema, &row, ret));
    store_tx_securable(c->tx, "registered_model", row.id, ret->full_name);
    return NULL;
}

err *models_save(const struct caller *c, struct securable *m) {
    TRY(check_comment(m->model.comment));
    TRY(ent_uc_model_update(c->tx, metastore_scope(c), &m->model));
    store_tx_securable(c->tx, "registered_model", m->id, m->full_name);
    return NULL;
}

err *models_rename(const struct caller *c, struct securable *m, str new_name) {
    struct securable schema = {.id = m->schema.id};
    schema.full_name = name_join(c->a, m->catalog.name, m->schema.name, STR(""));
    TRY(name_check_part(new_name, "registered model"));
    TRY(check_free(c, &schema, new_name, m->id));
    m->model.name = new_name;
    m->full_name = name_join(c->a, m->catalog.name, m->schema.name, new_name);
    return NULL;
}

err *models_change_tags(const struct caller *c, struct securable *m, const struct kv *add,
                        const str *remove, size_t n_remove) {
    TRY(change_tags(c->a, &m->model.tags, add, remove, n_remove));
    return models_save(c, m);
}

err *models_delete(const struct caller *c, const struct securable *m) {
    struct store_scope scope = metastore_scope(c);
    struct ent_list_query q = {.eq = {{.column = ENT_UC_MODEL_VERSION_MODEL_ID, .i = m->id}}};
    struct ent_uc_model_version_rows versions = {.more = true};
    while (versions.more) {
        TRY(ent_uc_model_version_list(c->tx, scope, c->a, &q, &versions));
        for (size_t i = 0; i < versions.n; i++)
            TRY(ent_uc_model_version_delete(c->tx, scope, versions.p[i].id));
    }
    TRY(aliases_drop(c->tx, scope, c->a, m->id, 0));
    TRY(grants_drop(c, SEC_MODEL, m->id));
    TRY(drop_files(c, m->id, 0));
    TRY(ent_uc_model_delete(c->tx, scope, m->id));
    store_tx_securable(c->tx, "registered_model", m->id, m->full_name);
    return NULL;
}

/* ---- aliases ---- */

static bool alias_char(unsigned char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_' || ch == '-' || ch >= 0x80;
}

static err *check_alias(str alias) {
    bool version = alias.n > 1 && (alias.p[0] == 'v' || alias.p[0] == 'V');
    for (size_t i = 0; i < alias.n; i++) {
        if (!alias_char((unsigned char)alias.p[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid alias name: '%.*s'. Names may only contain alphanumerics, "
                           "underscores (_), and dashes (-).",
                           STR_ARG(str_cut(alias, 255)));
        version &= i == 0 || (alias.p[i] >= '0' && alias.p[i] <= '9');
    }
    if (!alias.n || alias.n > 255)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "An alias has 1 to 255 bytes, not %zu.",
                       alias.n);
    if (version || str_ieq(alias, STR("latest")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Alias name '%.*s' is reserved.",
                       STR_ARG(alias));
    return NULL;
}

err *models_set_alias(const struct caller *c, struct securable *m, str alias, int64_t version) {
    TRY(check_alias(alias));
    struct model_version v;
    TRY(models_version(c, m, version, &v));
    TRY(aliases_set(c->tx, metastore_scope(c), c->a, m->id, alias, version));
    return models_save(c, m);
}

err *models_delete_alias(const struct caller *c, struct securable *m, str alias) {
    TRY(aliases_delete(c->tx, metastore_scope(c), c->a, m->id, alias));
    return models_save(c, m);
}

/* ---- versions ---- */

static err *no_version(const struct securable *m, int64_t number) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                   "Model Version (name=%.*s, version=%lld) not found", STR_ARG(m->full_name),
                   (long long)number);
}

err *models_version_create(const struct caller *c, struct securable *m,
                           const struct version_spec *spec, struct model_version *ret) {
    TRY(check_comment(spec->comment));
    TRY(check_tags(&spec->tags));
    if (spec->source.n > 4096)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A source may have 4096 bytes, not %zu.",
                       spec->source.n);
    *ret = (struct model_version){.tags = spec->tags};
    ret->row = (struct ent_uc_model_version){.model_id = m->id,
                                             .version = ++m->model.last_version,
                                             .comment = spec->comment,
                                             .source = spec->source,
                                             .run_id = spec->run_id,
                                             .run_workspace_id = spec->run_workspace,
                                             .logged_model_id = spec->logged_model,
                                             .dependencies = spec->dependencies,
                                             .user_id = c->name,
                                             .status = STR(STATUS_PENDING)};
    TRY(kv_text(c->a, &spec->tags, "tags", &ret->row.tags));
    TRY(ent_uc_model_version_insert(c->tx, metastore_scope(c), &ret->row));
    return models_save(c, m);
}

err *models_version(const struct caller *c, const struct securable *m, int64_t number,
                    struct model_version *ret) {
    bool found;
    TRY(ent_uc_model_version_by_version(c->tx, metastore_scope(c), c->a, m->id, number, &ret->row,
                                        &found));
    if (!found) return no_version(m, number);
    return kv_read(c->a, ret->row.tags, &ret->tags);
}

err *models_version_by_alias(const struct caller *c, const struct securable *m, str alias,
                             struct model_version *ret) {
    int64_t number;
    TRY(aliases_find(c->tx, metastore_scope(c), c->a, m->id, alias, &number));
    if (!number)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Alias '%.*s' does not exist on model '%.*s'.",
                       STR_ARG(str_cut(alias, 255)), STR_ARG(m->full_name));
    return models_version(c, m, number, ret);
}

err *models_version_save(const struct caller *c, struct model_version *v) {
    TRY(check_comment(v->row.comment));
    return ent_uc_model_version_update(c->tx, metastore_scope(c), &v->row);
}

err *models_version_finalize(const struct caller *c, struct model_version *v) {
    if (str_eqz(v->row.status, STATUS_READY)) return NULL;
    if (!str_eqz(v->row.status, STATUS_PENDING))
        return err_new(ERR_INVALID_STATE, "Version %lld is %.*s and cannot be finalized.",
                       (long long)v->row.version, STR_ARG(v->row.status));
    v->row.status = STR(STATUS_READY);
    return models_version_save(c, v);
}

err *models_version_delete(const struct caller *c, struct securable *m, struct model_version *v) {
    TRY(aliases_drop(c->tx, metastore_scope(c), c->a, m->id, v->row.version));
    TRY(ent_uc_model_version_delete(c->tx, metastore_scope(c), v->row.id));
    TRY(drop_files(c, m->id, v->row.version));
    return models_save(c, m);
}

err *models_version_change_tags(const struct caller *c, struct model_version *v,
                                const struct kv *add, const str *remove, size_t n_remove) {
    TRY(change_tags(c->a, &v->row.tags, add, remove, n_remove));
    TRY(kv_read(c->a, v->row.tags, &v->tags));
    return models_version_save(c, v);
}

/* ---- files ---- */

str models_storage_path(arena *a, int64_t model_id, int64_t version) {
    if (!version) return str_of(arena_printf(a, "/Models/.id/%lld", (long long)model_id));
    return str_of(arena_printf(a, "/Models/.id/%lld/%lld", (long long)model_id,
                               (long long)version));
}

static err *drop_files(const struct caller *c, int64_t model_id, int64_t version) {
    if (!c->drop_files) return NULL;
    return c->drop_files(c, models_storage_path(c->a, model_id, version));
}

static err *may_write(const struct caller *c, const struct securable *m,
                      const struct model_version *v) {
    TRY(securable_need(c, m, PRIV_CREATE_MODEL_VERSION));
    if (str_eqz(v->row.status, STATUS_PENDING)) return NULL;
    return err_new(ERR_PERMISSION_DENIED,
                   "Version %lld of model '%.*s' is %.*s; its files cannot be changed.",
                   (long long)v->row.version, STR_ARG(m->full_name), STR_ARG(v->row.status));
}

/* Takes the part before the next slash off *rest. */
static str take_part(str *rest) {
    ptrdiff_t slash = str_chr(*rest, '/', 0);
    str part = slash < 0 ? *rest : str_cut(*rest, (size_t)slash);
    *rest = slash < 0 ? STR("") : str_from(*rest, (size_t)slash + 1);
    return part;
}

/* The model at the beginning of a path, which is taken off *rest. */
static err *model_of_path(const struct caller *c, str *rest, struct securable *m) {
    bool found;
    str first = take_part(rest), second = take_part(rest);
    if (str_eqz(first, ".id")) {
        int64_t id;
        found = str_to_i64(second, &id);
        if (found) TRY(securable_model(c, id, m, &found));
        return securable_known(c, m, found, SEC_MODEL, second);
    }
    str third = take_part(rest);
    if (!third.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'/Models/%.*s%s%.*s' does not name a model's files: "
                       "/Models/<catalog>/<schema>/<model>/<version>/….",
                       STR_ARG(str_cut(first, 300)), second.n ? "/" : "",
                       STR_ARG(str_cut(second, 300)));
    str full = name_join(c->a, first, second, third);
    TRY(securable_find(c, SEC_MODEL, full, m, &found));
    return securable_known(c, m, found, SEC_MODEL, full);
}

err *models_file_access(const struct caller *c, str path, bool write, str *ret_path) {
    struct securable m;
    struct model_version v;
    str rest = path;
    TRY(model_of_path(c, &rest, &m));
    str version = take_part(&rest);
    int64_t number = 0;
    if (version.n) {
        if (!str_to_i64(version, &number) || number < 1)
            return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "'%.*s' is not a version of model '%.*s'.",
                           STR_ARG(str_cut(version, 40)), STR_ARG(m.full_name));
        TRY(models_version(c, &m, number, &v));
    }
    bool pending = number && str_eqz(v.row.status, STATUS_PENDING);
    if (write && !number)
        return err_new(ERR_PERMISSION_DENIED, "Only files of versions can be written.");
    if (write)
        TRY(may_write(c, &m, &v));
    else if (!pending || !securable_allows(c, &m, PRIV_CREATE_MODEL_VERSION))
        TRY(securable_need(c, &m, PRIV_EXECUTE));
    str folder = models_storage_path(c->a, m.id, number);
    *ret_path = rest.n ? str_of(arena_printf(c->a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(rest)))
                       : folder;
    return NULL;
}
