/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/registry_rules.h"

const char *const registry_stage_names[STAGE_COUNT] = {"None", "Staging", "Production", "Archived"};

/* True where a name, read as a relative path, is not itself: "a//b", "./a", "a/..", "/a". */
static bool path_not_unique(str name) {
    if (str_eqz(name, ".") || str_eqz(name, "..")) return true;
    if (name.n && name.p[0] == '/') return true;
    str rest = name, part;
    bool many = str_chr(name, '/', 0) >= 0;
    while (many && str_split(&rest, '/', &part))
        if (!part.n || str_eqz(part, ".") || str_eqz(part, "..")) return true;
    return false;
}

static err *missing(const char *field) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter '%s'.", field);
}

static err *too_long(const char *field, size_t max) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "'%s' exceeds the maximum length of %zu characters",
                   field, max);
}

/* Characters, as MLflow counts, not bytes. */
static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

err *registry_check_text(str text, const char *field, size_t max) {
    return text.n > max && characters(text) > max ? too_long(field, max) : NULL;
}

err *registry_check_name(str name, const char *field) {
    if (!str_trim(name).n) return missing(field);
    if (str_chr(name, '/', 0) >= 0 || str_chr(name, ':', 0) >= 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid model name '%.*s'. Names cannot contain '/' or ':'.",
                       STR_ARG(str_cut(name, 300)));
    if (path_not_unique(name))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value \"%.*s\" for parameter '%s' supplied: Names may be treated as "
                       "files in certain cases, and must not resolve to other names when treated "
                       "as such.",
                       STR_ARG(name), field);
    return registry_check_text(name, field, REGISTRY_MAX_NAME);
}

static bool is_word(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

static bool is_version_name(str alias) {
    if (alias.n < 2 || (alias.p[0] != 'v' && alias.p[0] != 'V')) return false;
    for (size_t i = 1; i < alias.n; i++)
        if (alias.p[i] < '0' || alias.p[i] > '9') return false;
    return true;
}

err *registry_check_alias(str alias, bool for_set) {
    if (!alias.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Registered model alias name cannot be empty.");
    for (size_t i = 0; i < alias.n; i++)
        if (!is_word((unsigned char)alias.p[i]) && alias.p[i] != '-')
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid alias name: '%.*s'. Names may only contain alphanumerics, "
                           "underscores (_), and dashes (-).",
                           STR_ARG(str_cut(alias, 300)));
    TRY(registry_check_text(alias, "Registered model alias name", REGISTRY_MAX_ALIAS));
    if (!for_set) return NULL;
    if (str_ieq(alias, STR("latest")))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'latest' alias name (case insensitive) is reserved.");
    if (is_version_name(alias))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Version alias name '%.*s' is reserved.",
                       STR_ARG(alias));
    return NULL;
}

static bool tag_char(unsigned char c) {
    return is_word(c) || c == '/' || c == '.' || c == '-' || c == ' ' || c == ':';
}

err *registry_check_tag(str key, str value) {
    if (!key.n) return missing("key");
    for (size_t i = 0; i < key.n; i++)
        if (!tag_char((unsigned char)key.p[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid value \"%.*s\" for parameter 'key' supplied: Names may only "
                           "contain alphanumerics, underscores (_), dashes (-), periods (.), "
                           "spaces ( ), colon(:) and slashes (/).",
                           STR_ARG(str_cut(key, 300)));
    if (path_not_unique(key))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value \"%.*s\" for parameter 'key' supplied: Names may be treated "
                       "as files in certain cases, and must not resolve to other names when "
                       "treated as such.",
                       STR_ARG(str_cut(key, 300)));
    TRY(registry_check_text(key, "key", REGISTRY_MAX_TAG_KEY));
    return registry_check_text(value, "value", REGISTRY_MAX_TAG_VALUE);
}

err *registry_check_tags(const struct kv *tags) {
    for (size_t i = 0; i < tags->n; i++) TRY(registry_check_tag(tags->p[i].key, tags->p[i].value));
    return NULL;
}

err *registry_check_version(str text, int64_t *ret) {
    int64_t n;
    if (!str_to_i64(text, &n))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Parameter 'version' must be an integer, got "
                       "'%.*s'.",
                       STR_ARG(str_cut(text, 100)));
    *ret = n;
    return NULL;
}

err *registry_stage_of(str text, enum registry_stage *ret) {
    for (int i = 0; i < STAGE_COUNT; i++)
        if (str_ieq(text, str_of(registry_stage_names[i]))) {
            *ret = (enum registry_stage)i;
            return NULL;
        }
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid Model Version stage: %.*s. Value must be one of None, Staging, "
                   "Production, Archived.",
                   STR_ARG(str_cut(text, 100)));
}
