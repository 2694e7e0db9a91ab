/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a PATCH (RFC 7644 §3.5.2):  attr | attr.sub | attr[sub eq "value"] | attr[sub eq "value"].sub ; attr may carry
 * the schema's URN in front.
 */
#include "identity/scim.h"

err *scim_path_invalid(str path) {
    return err_detail(err_new(ERR_INVALID_PARAMETER_VALUE, "The path '%.*s' names nothing that can be changed.", STR_ARG(str_cut(path, 80))), "invalidPath");
}

/* `sub eq "value"` between the brackets. */
static bool split_filter(str inside, struct scim_path *ret) {
    str rest = str_trim(inside), op;
    if (!str_split(&rest, ' ', &ret->key)) return false;
    rest = str_trim(rest);
    if (!str_split(&rest, ' ', &op) || !str_ieq(op, STR("eq"))) return false;
    rest = str_trim(rest);
    if (rest.n >= 2 && rest.p[0] == '"' && rest.p[rest.n - 1] == '"') rest = str_n(rest.p + 1, rest.n - 2);
    ret->want = rest;
    return ret->key.n && rest.n;
}

err *scim_path_parse(str text, struct scim_path *ret) {
    *ret = (struct scim_path){0};
    str s = text;
    if (str_starts(s, STR("urn:"))) { /* urn:…:User:attr */
        size_t last = 0;
        for (size_t i = 0; i < s.n && s.p[i] != '['; i++)
            if (s.p[i] == ':') last = i + 1;
        s = str_from(s, last);
    }
    ptrdiff_t open = str_chr(s, '[', 0), dot = str_chr(s, '.', 0);
    if (open >= 0) {
        ptrdiff_t close = str_chr(s, ']', (size_t)open);
        if (close < 0 || !split_filter(str_n(s.p + open + 1, (size_t)(close - open - 1)), ret)) return scim_path_invalid(text);
        str after = str_from(s, (size_t)close + 1);
        if (after.n && after.p[0] != '.') return scim_path_invalid(text);
        if (after.n) ret->sub = str_from(after, 1);
        ret->attr = str_cut(s, (size_t)open);
    } else {
        ret->attr = dot >= 0 ? str_cut(s, (size_t)dot) : s;
        if (dot >= 0) ret->sub = str_from(s, (size_t)dot + 1);
    }
    return NULL;
}
