/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a SCIM body changes: the fields of create and replace, and PATCH, RFC 7644 §3.5.2.
 *
 * Lists (emails, entitlements, roles) hold objects whose identity is their "value".
 */
#include "scim_int.h"

#include <stdlib.h>

#include "api/gen_routes.h"
#include "rules.h"

/* ---- reading a body ---- */

static str json_arg(struct req *r, jval *v) {
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    str s = p ? arena_str(r->a, str_n(p, n)) : STR("");
    free(p);
    return s;
}

static bool names_account_admin(jval *roles) {
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(roles, i, n, v) {
        if (str_eqz(json_get_str(v, "value"), "account_admin")) return true;
    }
    return false;
}

err *scim_take_fields(struct req *r, struct scim_resource *s, jval *o) {
    jval *v;
    const char *name_key = s->type == PRINCIPAL_USER    ? "userName"
                           : s->type == PRINCIPAL_GROUP ? "displayName"
                                                        : "applicationId";
    if ((v = json_get(o, name_key)) && yyjson_is_str(v)) {
        if (s->type == PRINCIPAL_SERVICE && s->id && !str_eq(s->name, json_str(v)))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "applicationId cannot be changed.");
        s->name = json_str(v);
    }
    if (s->type != PRINCIPAL_GROUP && (v = json_get(o, "displayName")) && yyjson_is_str(v))
        s->display_name = json_str(v);
    if ((v = json_get(o, "externalId")) && yyjson_is_str(v)) s->external_id = json_str(v);
    if ((v = json_get(o, "active")))
        s->active = yyjson_is_bool(v) ? yyjson_get_bool(v) : str_ieq(json_str(v), STR("true"));
    jval *name = json_get(o, "name");
    if (yyjson_is_obj(name)) {
        if ((v = json_get(name, "givenName"))) s->given_name = json_str(v);
        if ((v = json_get(name, "familyName"))) s->family_name = json_str(v);
    }
    if ((v = json_get(o, "emails")) && yyjson_is_arr(v)) s->emails = json_arg(r, v);
    if ((v = json_get(o, "entitlements")) && yyjson_is_arr(v)) s->entitlements = json_arg(r, v);
    if ((v = json_get(o, "roles")) && yyjson_is_arr(v)) {
        bool admin = names_account_admin(v);
        if (admin != s->account_admin && !r->account_admin)
            return err_new(ERR_PERMISSION_DENIED, "Only account admins can give or take this role.");
        s->roles = json_arg(r, v);
        s->account_admin = admin;
    }
    return NULL;
}

static err *member_id(jval *v, int64_t *ret) {
    jval *id = yyjson_is_obj(v) ? json_get(v, "value") : v;
    if (json_i64(id, ret)) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "A member's value must be the id of a principal.");
}

err *scim_add_members(struct req *r, const struct scim_resource *g, jval *list) {
    size_t i, n;
    jval *v;
    if (yyjson_is_obj(list)) {
        int64_t id;
        TRY(member_id(list, &id));
        TRY(rules_may_add(r, g, id));
        return scim_member_add(r->tx, r->a, g, id);
    }
    yyjson_arr_foreach(list, i, n, v) {
        int64_t id;
        TRY(member_id(v, &id));
        TRY(rules_may_add(r, g, id));
        TRY(scim_member_add(r->tx, r->a, g, id));
    }
    return NULL;
}

err *scim_remove_all_members(struct req *r, const struct scim_resource *g) {
    struct id_list m;
    TRY(scim_members(r->tx, r->a, g, &m));
    for (size_t i = 0; i < m.n; i++) {
        TRY(scim_member_remove(r->tx, r->a, g, m.p[i]));
        TRY(rules_publish(r, m.p[i], true));
    }
    return NULL;
}

/* ---- PATCH ---- */

enum verb { VERB_ADD, VERB_REPLACE, VERB_REMOVE };

static err *patch_members(struct req *r, const struct scim_resource *s, enum verb verb, const struct scim_path *p, jval *value) {
    if (verb != VERB_REMOVE) {
        if (verb == VERB_REPLACE) TRY(scim_remove_all_members(r, s));
        return scim_add_members(r, s, value);
    }
    int64_t id;
    if (p->want.n) {
        if (!str_ieq(p->key, STR("value")) || !str_to_i64(p->want, &id)) return scim_path_invalid(STR("members[…]"));
        TRY(scim_member_remove(r->tx, r->a, s, id));
        return rules_publish(r, id, true);
    }
    if (!value) return scim_remove_all_members(r, s);
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(value, i, n, v) {
        TRY(member_id(v, &id));
        TRY(scim_member_remove(r->tx, r->a, s, id));
        TRY(rules_publish(r, id, true));
    }
    return NULL;
}

/* A value that a list takes: an object, or a bare string as its "value". */
static jmut *list_element(struct req *r, jval *v) {
    if (!yyjson_is_str(v)) return yyjson_val_mut_copy(r->doc, v);
    jmut *o = yyjson_mut_obj(r->doc);
    json_put_str(r->doc, o, "value", json_str(v));
    return o;
}

static str value_of(jval *v) { return yyjson_is_str(v) ? json_str(v) : json_get_str(v, "value"); }

static bool names_value(jval *values, str value) {
    size_t i, n;
    jval *v;
    if (!yyjson_is_arr(values)) return values && str_eq(value_of(values), value);
    yyjson_arr_foreach(values, i, n, v) {
        if (str_eq(value_of(v), value)) return true;
    }
    return false;
}

static void append_all(struct req *r, jmut *out, jval *values) {
    size_t i, n;
    jval *v;
    if (!yyjson_is_arr(values)) {
        yyjson_mut_arr_append(out, list_element(r, values));
        return;
    }
    yyjson_arr_foreach(values, i, n, v) yyjson_mut_arr_append(out, list_element(r, v));
}

static bool selected(const struct scim_path *p, jval *element) {
    if (!p->want.n) return true;
    jval *v = yyjson_obj_getn(element, p->key.p, p->key.n);
    if (yyjson_is_bool(v)) return str_ieq(p->want, yyjson_get_bool(v) ? STR("true") : STR("false"));
    return str_ieq(json_str(v), p->want);
}

/* attr[filter].sub, or attr.sub of all: changes inside of the elements. */
static err *patch_inside(struct req *r, jval *old, jmut *out, enum verb verb, const struct scim_path *p, jval *value) {
    size_t i, n, hits = 0;
    jval *v;
    yyjson_arr_foreach(old, i, n, v) {
        jmut *e = yyjson_val_mut_copy(r->doc, v);
        yyjson_mut_arr_append(out, e);
        if (!selected(p, v)) continue;
        hits++;
        yyjson_mut_obj_remove_keyn(e, p->sub.p, p->sub.n);
        if (verb != VERB_REMOVE)
            yyjson_mut_obj_add(e, yyjson_mut_strn(r->doc, p->sub.p, p->sub.n), yyjson_val_mut_copy(r->doc, value));
    }
    if (hits || verb == VERB_REMOVE) return NULL;
    if (!p->want.n) return err_detail(err_new(ERR_INVALID_PARAMETER_VALUE, "The list '%.*s' is empty.", STR_ARG(p->attr)), "noTarget");
    jmut *e = json_add_obj(r->doc, out); /* what the filter describes does not exist yet */
    yyjson_mut_obj_add(e, yyjson_mut_strn(r->doc, p->key.p, p->key.n), yyjson_mut_strn(r->doc, p->want.p, p->want.n));
    yyjson_mut_obj_add(e, yyjson_mut_strn(r->doc, p->sub.p, p->sub.n), yyjson_val_mut_copy(r->doc, value));
    return NULL;
}

static err *patch_list(struct req *r, str *list, enum verb verb, const struct scim_path *p, jval *value) {
    jval *old = NULL, *v;
    if (list->n) TRY(json_parse(r->a, *list, false, &old));
    jmut *out = yyjson_mut_arr(r->doc);
    size_t i, n;
    if (p->sub.n) {
        TRY(patch_inside(r, old, out, verb, p, value));
    } else {
        bool all = verb != VERB_ADD && !p->want.n && !(verb == VERB_REMOVE && value);
        yyjson_arr_foreach(old, i, n, v) {
            bool drop = all || (p->want.n ? verb != VERB_ADD && selected(p, v) : names_value(value, json_get_str(v, "value")));
            if (!drop) yyjson_mut_arr_append(out, yyjson_val_mut_copy(r->doc, v));
        }
        if (verb != VERB_REMOVE) append_all(r, out, value);
    }
    *list = json_text(r->a, out);
    return NULL;
}

static err *patch_roles(struct req *r, struct scim_resource *s, enum verb verb, const struct scim_path *p, jval *value) {
    TRY(patch_list(r, &s->roles, verb, p, value));
    jval *v;
    TRY(json_parse(r->a, s->roles, false, &v));
    bool admin = names_account_admin(v);
    if (admin != s->account_admin && !r->account_admin)
        return err_new(ERR_PERMISSION_DENIED, "Only account admins can give or take this role.");
    s->account_admin = admin;
    return NULL;
}

/* A single attribute: as if an object with it had been sent. */
static err *patch_field(struct req *r, struct scim_resource *s, enum verb verb, const struct scim_path *p, jval *value) {
    jmut *o = yyjson_mut_obj(r->doc), *at = o;
    str leaf = p->attr;
    if (p->sub.n) {
        at = yyjson_mut_obj(r->doc);
        yyjson_mut_obj_add(o, yyjson_mut_strn(r->doc, p->attr.p, p->attr.n), at);
        leaf = p->sub;
    }
    yyjson_mut_obj_add(at, yyjson_mut_strn(r->doc, leaf.p, leaf.n),
                       verb == VERB_REMOVE ? yyjson_mut_str(r->doc, "") : yyjson_val_mut_copy(r->doc, value));
    yyjson_doc *flat = yyjson_mut_val_imut_copy(o, NULL);
    must(flat != NULL);
    arena_on_free(r->a, (void (*)(void *))yyjson_doc_free, flat);
    return scim_take_fields(r, s, yyjson_doc_get_root(flat));
}

static bool is_field(const struct scim_resource *s, const struct scim_path *p) {
    static const struct {
        const char *attr;
        bool user, group, service;
    } fields[] = {
        {"userName", true, false, false}, {"displayName", true, true, true},       {"externalId", true, true, true},
        {"active", true, false, true},    {"applicationId", false, false, true},
    };
    if (p->want.n) return false;
    if (s->type == PRINCIPAL_USER && str_eqz(p->attr, "name"))
        return !p->sub.n || str_eqz(p->sub, "givenName") || str_eqz(p->sub, "familyName");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!p->sub.n && str_eqz(p->attr, fields[i].attr))
            return s->type == PRINCIPAL_USER ? fields[i].user : s->type == PRINCIPAL_GROUP ? fields[i].group : fields[i].service;
    return false;
}

static err *patch_path(struct req *r, struct scim_resource *s, enum verb verb, str text, jval *value, bool *ret_known) {
    struct scim_path p;
    TRY(scim_path_parse(text, &p));
    *ret_known = true;
    if (s->type == PRINCIPAL_GROUP && str_eqz(p.attr, "members") && !p.sub.n) return patch_members(r, s, verb, &p, value);
    if (str_eqz(p.attr, "entitlements")) return patch_list(r, &s->entitlements, verb, &p, value);
    if (str_eqz(p.attr, "roles")) return patch_roles(r, s, verb, &p, value);
    if (s->type == PRINCIPAL_USER && str_eqz(p.attr, "emails")) return patch_list(r, &s->emails, verb, &p, value);
    if (is_field(s, &p)) return patch_field(r, s, verb, &p, value);
    *ret_known = false;
    return NULL;
}

err *scim_patch_one(struct req *r, struct scim_resource *s, jval *op) {
    str word = json_get_str(op, "op"), path = json_get_str(op, "path");
    jval *value = json_get(op, "value");
    enum verb verb;
    bool known;
    if (str_ieq(word, STR("add"))) verb = VERB_ADD;
    else if (str_ieq(word, STR("replace"))) verb = VERB_REPLACE;
    else if (str_ieq(word, STR("remove"))) verb = VERB_REMOVE;
    else return err_new(ERR_INVALID_PARAMETER_VALUE, "op '%.*s' is not add, replace or remove.", STR_ARG(str_cut(word, 40)));
    if (verb != VERB_REMOVE && (!value || yyjson_is_null(value)))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "op '%.*s' needs a value.", STR_ARG(word));
    if (path.n) {
        TRY(patch_path(r, s, verb, path, value, &known));
        return known ? NULL : scim_path_invalid(path);
    }
    if (verb == VERB_REMOVE) return err_detail(err_new(ERR_INVALID_PARAMETER_VALUE, "op 'remove' needs a path."), "noTarget");
    if (!yyjson_is_obj(value))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Without a path the value must be an object.");
    size_t i, n;
    jval *k, *v;
    yyjson_obj_foreach(value, i, n, k, v) {
        if (!yyjson_is_null(v)) TRY(patch_path(r, s, verb, json_str(k), v, &known));
    }
    return NULL;
}

/* ---- attributes that were asked for ---- */

/* Is the attribute in a list like "userName, emails.value"? */
static bool listed(str list, const char *attr) {
    str part;
    while (str_split(&list, ',', &part)) {
        part = str_trim(part);
        ptrdiff_t dot = str_chr(part, '.', 0);
        if (str_ieq(dot > 0 ? str_cut(part, (size_t)dot) : part, str_of(attr))) return true;
    }
    return false;
}

/* id and schemas are always there. */
bool scim_wanted(struct req *r, const char *attr) {
    if (strcmp(attr, "id") == 0 || strcmp(attr, "schemas") == 0) return true;
    str only = str_trim(arg_str(r, "attributes"));
    return only.n ? listed(only, attr) : !listed(arg_str(r, "excludedAttributes"), attr);
}

void scim_project(struct req *r, jmut *resource) {
    if (!arg_str(r, "attributes").n && !arg_str(r, "excludedAttributes").n) return;
    const char *drop[32];
    size_t drops = 0, i, n;
    jmut *k, *v;
    yyjson_mut_obj_foreach(resource, i, n, k, v) {
        if (!scim_wanted(r, yyjson_mut_get_str(k)) && drops < ARRAY_LEN(drop)) drop[drops++] = yyjson_mut_get_str(k);
    }
    for (i = 0; i < drops; i++) yyjson_mut_obj_remove_key(resource, drop[i]);
}
