/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/workspace.h"

static err *agree(int64_t *found, int64_t id) {
    if (*found && *found != id)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The request names two workspaces, %lld and %lld.",
                       (long long)*found, (long long)id);
    *found = id;
    return NULL;
}

static err *by_number(const struct facts *f, str v, int64_t *found) {
    int64_t id;
    if (!v.n) return NULL;
    if (!str_to_i64(v, &id) || !facts_workspace(f, id))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "There is no workspace '%.*s'.",
                       STR_ARG(str_cut(v, 40)));
    return agree(found, id);
}

static err *by_host(const struct facts *f, str host, int64_t *found) {
    ptrdiff_t colon = str_chr(host, ':', 0);
    if (colon > 0) host = str_cut(host, (size_t)colon);
    str k;
    void *v;
    for (size_t i = 0; map_next(f->workspaces, &i, &k, &v);) {
        struct fact_workspace *w = v;
        if (!w->host[0] || !str_ieq(host, str_of(w->host))) continue;
        if (*found && *found != w->id)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "The host name is of workspace %lld, the request names %lld.",
                           (long long)w->id, (long long)*found);
        *found = w->id;
    }
    return NULL;
}

err *workspace_choose(const struct facts *f, const struct workspace_asked *a, int64_t *ret) {
    int64_t named = 0;
    TRY(by_number(f, a->workspace_id, &named));
    TRY(by_number(f, a->org_id, &named));
    str rest = a->query, part;
    while (str_split(&rest, '&', &part))
        if (str_starts(part, STR("o="))) TRY(by_number(f, str_from(part, 2), &named));
    TRY(by_host(f, a->host, &named));
    if (named && a->bound && named != a->bound)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE,
                                "The credential is of workspace %lld, the request names %lld.",
                                (long long)a->bound, (long long)named),
                        "Use a token of that workspace.");
    *ret = named ? named : a->bound ? a->bound : f->default_workspace;
    return NULL;
}
