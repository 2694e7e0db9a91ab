/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of tag assignments: tags of catalogs, schemas, tables, columns and volumes, one by one. */
#include "catalog/tags.h"

#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "rest/page.h"

struct tagged {
    struct caller c;
    struct securable s;
    str type, name, column;
    struct kv tags;
};

/* entity_name of a column is that of its table, a period, its own. */
static err *open_entity(struct req *r, uint64_t need, struct tagged *ret) {
    static const struct {
        const char *type;
        enum securable_kind kind;
    } types[] = {{"catalogs", SEC_CATALOG}, {"schemas", SEC_SCHEMA}, {"tables", SEC_TABLE}, {"columns", SEC_TABLE}, {"volumes", SEC_VOLUME}};
    *ret = (struct tagged){.c = uc_caller(r), .type = arg_str(r, "entity_type"), .name = arg_str(r, "entity_name")};
    str full = ret->name;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_ieq(ret->type, str_of(types[i].type))) continue;
        if (str_ieq(ret->type, STR("columns"))) {
            size_t dot = full.n;
            while (dot && full.p[dot - 1] != '.') dot--;
            if (!dot) return err_new(ERR_INVALID_PARAMETER_VALUE, "entity_name '%.*s' is not that of a column: <catalog>.<schema>.<table>.<column>.", STR_ARG(str_cut(full, 800)));
            ret->column = str_from(full, dot);
            full = str_cut(full, dot - 1);
        }
        TRY(securable_open(&ret->c, types[i].kind, full, need, &ret->s));
        return tags_of(&ret->c, &ret->s, ret->column, &ret->tags);
    }
    return err_new(ERR_INVALID_PARAMETER_VALUE, "entity_type '%.*s' has no tags; it is one of catalogs, schemas, tables, columns, volumes.", STR_ARG(str_cut(ret->type, 64)));
}

static void put_assignment(struct req *r, jmut *o, const struct tagged *t, const struct kv_pair *tag) {
    json_put_str(r->doc, o, "entity_type", t->type);
    json_put_str(r->doc, o, "entity_name", t->name);
    json_put_str(r->doc, o, "tag_key", tag->key);
    json_put_str(r->doc, o, "tag_value", tag->value);
}

static err *answer(struct req *r, const struct tagged *t, const struct kv_pair *tag) {
    put_assignment(r, req_out(r), t, tag);
    return NULL;
}

static err *find(struct req *r, const struct tagged *t, const struct kv_pair **ret) {
    str key = arg_str(r, "tag_key");
    *ret = kv_find(&t->tags, key);
    if (*ret) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "'%.*s' has no tag '%.*s'.", STR_ARG(str_cut(t->name, 800)), STR_ARG(str_cut(key, 255)));
}

static err *set(struct req *r, struct tagged *t) {
    struct kv add = {0};
    kv_set(r->a, &add, arg_str(r, "tag_key"), arg_str(r, "tag_value"));
    TRY(tags_change(&t->c, &t->s, t->column, &add, NULL, 0));
    return answer(r, t, &add.p[0]);
}

err *api_unity_catalog_create_tag(struct req *r) {
    struct tagged t;
    TRY(open_entity(r, PRIV_APPLY_TAG | PRIV_MANAGE, &t));
    if (kv_find(&t.tags, arg_str(r, "tag_key")))
        return err_new(ERR_ALREADY_EXISTS, "'%.*s' has the tag '%.*s' already.", STR_ARG(str_cut(t.name, 800)), STR_ARG(arg_str(r, "tag_key")));
    return set(r, &t);
}

err *api_unity_catalog_get_tag(struct req *r) {
    struct tagged t;
    const struct kv_pair *tag;
    TRY(open_entity(r, 0, &t));
    TRY(find(r, &t, &tag));
    return answer(r, &t, tag);
}

err *api_unity_catalog_update_tag(struct req *r) {
    struct tagged t;
    const struct kv_pair *tag;
    str mask = arg_str(r, "update_mask");
    if (!str_eqz(mask, "tag_value") && !str_eqz(mask, "*"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "update_mask must be tag_value, not '%.*s': nothing else of an assignment changes.", STR_ARG(str_cut(mask, 100)));
    TRY(open_entity(r, PRIV_APPLY_TAG | PRIV_MANAGE, &t));
    TRY(find(r, &t, &tag));
    return set(r, &t);
}

err *api_unity_catalog_delete_tag(struct req *r) {
    struct tagged t;
    const struct kv_pair *tag;
    struct kv none = {0};
    TRY(open_entity(r, PRIV_APPLY_TAG | PRIV_MANAGE, &t));
    TRY(find(r, &t, &tag));
    return tags_change(&t.c, &t.s, t.column, &none, &tag->key, 1);
}

err *api_unity_catalog_list_tags(struct req *r) {
    struct tagged t;
    size_t want, n = 0;
    str after, filter = str_of(arena_printf(r->a, "tags %.*s %.*s", STR_ARG(arg_str(r, "entity_type")), STR_ARG(arg_str(r, "entity_name"))));
    TRY(uc_page_size(r, 100, 1000, &want));
    TRY(page_token_read(r, arg_str(r, "page_token"), filter, &after));
    TRY(open_entity(r, 0, &t));
    jmut *arr = json_put_arr(req_doc(r), req_out(r), "tag_assignments");
    bool begun = !after.n || !kv_find(&t.tags, after);
    for (size_t i = 0; i < t.tags.n; i++) {
        if (begun && n == want) {
            json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, filter, t.tags.p[i - 1].key));
            return NULL;
        }
        if (begun) put_assignment(r, json_add_obj(r->doc, arr), &t, &t.tags.p[i]);
        n += begun;
        begun |= str_eq(t.tags.p[i].key, after);
    }
    return NULL;
}
