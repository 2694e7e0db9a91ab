/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/tags.h"

#include "catalog/catalogs.h"
#include "catalog/functions.h"
#include "catalog/models.h"
#include "catalog/tables.h"
#include "catalog/volumes.h"

#define MOST_TAGS 50
#define MAX_NAME 255
#define MAX_VALUE 1000

static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static err *check_tag(const struct kv_pair *t) {
    str shown = str_cut(t->key, 60);
    if (!t->key.n || characters(t->key) > MAX_NAME) return err_new(ERR_INVALID_PARAMETER_VALUE, "The tag '%.*s' has a name that is empty or longer than 255 characters.", STR_ARG(shown));
    if (str_trim(t->key).n != t->key.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "The tag '%.*s' begins or ends with a blank.", STR_ARG(shown));
    for (size_t i = 0; i < t->key.n; i++)
        if ((unsigned char)t->key.p[i] < ' ' || memchr(".,-=/:", t->key.p[i], 6))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "The tag '%.*s' has a character that names of tags may not have: . , - = / : or a control character.",
                           STR_ARG(shown));
    if (characters(t->value) > MAX_VALUE) return err_new(ERR_INVALID_PARAMETER_VALUE, "The value of the tag '%.*s' is longer than 1000 characters.", STR_ARG(shown));
    return NULL;
}

/* Where tags lie that are one object of pairs. */
static str *pairs_of(struct securable *s) {
    switch (s->kind) {
    case SEC_CATALOG: return &s->catalog.tags;
    case SEC_SCHEMA: return &s->schema.tags;
    case SEC_VOLUME: return &s->volume.tags;
    case SEC_FUNCTION: return &s->function.tags;
    case SEC_MODEL: return &s->model.tags;
    default: return NULL;
    }
}

static err *none(const struct securable *s) { return err_new(ERR_INVALID_PARAMETER_VALUE, "Tags are not kept on a %s.", securable_title(s)); }

/* Tags of a column that is gone by now are nobody's. */
static err *check_column(const struct caller *c, const struct securable *s, str column) {
    jval *list, *v;
    size_t i, n;
    if (s->kind != SEC_TABLE) return none(s);
    TRY(tables_columns(c, &s->table, &list));
    yyjson_arr_foreach(list, i, n, v)
        if (str_ieq(json_get_str(v, "name"), column)) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Column '%.*s' of '%.*s' does not exist.", STR_ARG(str_cut(column, 255)), STR_ARG(s->full_name));
}

err *tags_of(const struct caller *c, const struct securable *s, str column, struct kv *ret) {
    *ret = (struct kv){0};
    if (column.n) TRY(check_column(c, s, column));
    if (s->kind == SEC_TABLE) return tables_tags(c, &s->table, column, ret);
    struct securable own = *s;
    const str *at = pairs_of(&own);
    return at ? kv_read(c->a, *at, ret) : none(s);
}

static err *save(const struct caller *c, struct securable *s) {
    if (s->kind == SEC_VOLUME) return volumes_save(c, s);
    if (s->kind == SEC_FUNCTION) return functions_save(c, s);
    if (s->kind == SEC_MODEL) return models_save(c, s);
    return catalogs_save(c, s);
}

err *tags_change(const struct caller *c, struct securable *s, str column, const struct kv *add, const str *remove, size_t n_remove) {
    struct kv tags;
    TRY(tags_of(c, s, column, &tags));
    for (size_t i = 0; i < add->n; i++) TRY(check_tag(&add->p[i]));
    for (size_t i = 0; i < add->n; i++) kv_set(c->a, &tags, add->p[i].key, add->p[i].value);
    for (size_t i = 0; i < n_remove; i++) kv_del(&tags, remove[i]);
    if (add->n && tags.n > MOST_TAGS) return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' would have more than %d tags.", STR_ARG(s->full_name), MOST_TAGS);
    if (s->kind == SEC_TABLE) return tables_set_tags(c, s, column, add, remove, n_remove);
    TRY(kv_text(c->a, &tags, "tags", pairs_of(s)));
    return save(c, s);
}
