/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/name.h"

static bool bad_char(unsigned char c) {
    return c <= ' ' || c == 0x7f || c == '.' || c == '/';
}

err *name_check_part(str part, const char *what) {
    if (!part.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The %s name is empty.", what);
    if (part.n > NAME_MAX_PART)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The %s name '%.*s…' is longer than %u bytes.", what,
                       STR_ARG(str_cut(part, 60)), NAME_MAX_PART);
    if (!str_is_utf8(part))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "The %s name is not UTF-8.", what);
    for (size_t i = 0; i < part.n; i++)
        if (bad_char((unsigned char)part.p[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "'%.*s' is not a valid %s name: it must not contain a period, a slash, "
                           "a blank or a control character.",
                           STR_ARG(part), what);
    return NULL;
}

/* Takes one part off *rest: up to the next dot outside backticks; `` stands for one backtick. */
static err *take_part(arena *a, str *rest, str *ret) {
    if (!rest->n || rest->p[0] != '`') {
        ptrdiff_t dot = str_chr(*rest, '.', 0);
        *ret = dot < 0 ? *rest : str_cut(*rest, (size_t)dot);
        *rest = str_from(*rest, ret->n);
        return NULL;
    }
    char *out = arena_alloc(a, rest->n + 1);
    size_t n = 0, i = 1;
    for (; i < rest->n; i++) {
        if (rest->p[i] == '`') {
            if (i + 1 >= rest->n || rest->p[i + 1] != '`') break;
            i++;
        }
        out[n++] = rest->p[i];
    }
    if (i >= rest->n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A backtick in the name is not closed.");
    *ret = str_n(out, n);
    *rest = str_from(*rest, i + 1);
    if (rest->n && rest->p[0] != '.')
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A closing backtick must end a part of a name.");
    return NULL;
}

static const char *form_of(int want) {
    return want == 3 ? "<catalog>.<schema>.<name>" : want == 2 ? "<catalog>.<schema>" : "<name>";
}

err *name_split(arena *a, str full, int want, const char *what, str ret_parts[3]) {
    must(want >= 1 && want <= 3);
    static const char *const levels[] = {"catalog", "schema"};
    str rest = full, parts[3] = {{0}};
    int n = 0;
    bool more = full.n > 0;
    while (more && n < want) {
        TRY(take_part(a, &rest, &parts[n]));
        n++;
        more = rest.n > 0;
        if (more) rest = str_from(rest, 1);
    }
    if (n != want || more)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a valid name for a %s. It must "
                       "have the form %s.",
                       STR_ARG(str_cut(full, 200)), what, form_of(want));
    for (int i = 0; i < want; i++)
        TRY(name_check_part(parts[i], i == want - 1 ? what : levels[i]));
    memcpy(ret_parts, parts, sizeof(parts));
    return NULL;
}

str name_join(arena *a, str p0, str p1, str p2) {
    if (!p1.n) return p0;
    if (!p2.n) return str_of(arena_printf(a, "%.*s.%.*s", STR_ARG(p0), STR_ARG(p1)));
    return str_of(arena_printf(a, "%.*s.%.*s.%.*s", STR_ARG(p0), STR_ARG(p1), STR_ARG(p2)));
}
