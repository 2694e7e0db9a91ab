/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/location.h"

static const struct {
    const char *prefix;
    const char *kinds[3]; /* the part before the id; "" for none */
} forms[] = {
    {"mlflow-artifacts:/", {"", "models/", "traces/"}},
    {"dbfs:/databricks/mlflow-tracking/", {"", "logged_models/", ""}},
    {"/WorkspaceInternal/Mlflow/Artifacts/", {"Runs/", "LoggedModels/", "Traces/"}},
};

static bool take(str *s, const char *prefix) {
    str p = str_of(prefix);
    if (!str_starts(*s, p)) return false;
    *s = str_from(*s, p.n);
    return true;
}

static str take_part(str *s) {
    ptrdiff_t slash = str_chr(*s, '/', 0);
    str part = slash < 0 ? *s : str_cut(*s, (size_t)slash);
    *s = slash < 0 ? STR("") : str_from(*s, (size_t)slash + 1);
    return part;
}

static bool good_path(str path) {
    str rest = path, part;
    while (path.n && str_split(&rest, '/', &part))
        if (!part.n || str_eqz(part, ".") || str_eqz(part, "..")) return false;
    return true;
}

static bool read_form(int form, str s, struct location *ret) {
    if (!take(&s, forms[form].prefix)) return false;
    /* mlflow-artifacts://host:port/… names the server that we are. */
    if (form == 0 && take(&s, "/")) take_part(&s);
    if (!str_to_i64(take_part(&s), &ret->experiment) || ret->experiment < 0) return false;
    bool found = false;
    /* The longest name first: a run's id comes without a word before it. */
    for (int k = LOCATION_TRACE; k >= LOCATION_RUN && !found; k--) {
        const char *word = forms[form].kinds[k];
        found = word[0] ? take(&s, word) : k == LOCATION_RUN || str_starts(s, STR("tr-"));
        if (found) ret->kind = (enum location_kind)k;
    }
    if (!found) return false;
    ret->id = take_part(&s);
    if (!ret->id.n || !str_eqz(take_part(&s), "artifacts")) return false;
    if (s.n && s.p[s.n - 1] == '/') s.n--;
    ret->rest = s;
    return good_path(ret->id) && good_path(s);
}

bool location_read(str text, struct location *ret) {
    struct location l = {0};
    for (int form = 0; form < 3; form++)
        if (read_form(form, text, &l)) {
            *ret = l;
            return true;
        }
    return false;
}

static str write_form(arena *a, int form, const struct location *l) {
    return str_of(arena_printf(a, "%s%lld/%s%.*s/artifacts%s%.*s", forms[form].prefix,
                               (long long)l->experiment, forms[form].kinds[l->kind],
                               STR_ARG(l->id), l->rest.n ? "/" : "", STR_ARG(l->rest)));
}

str location_http(arena *a, const struct location *l) { return write_form(a, 0, l); }
str location_databricks(arena *a, const struct location *l) { return write_form(a, 1, l); }
str location_files(arena *a, const struct location *l) { return write_form(a, 2, l); }
