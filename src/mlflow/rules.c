/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/rules.h"

#include "sys/rand.h"

static size_t code_points(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

str rule_cut(str s, size_t limit) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == limit) return str_cut(s, i);
    return s;
}

err *rule_length(str s, size_t limit, const char *path) {
    if (s.n <= limit || code_points(s) <= limit) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "'%s' exceeds the maximum length of %zu characters",
                   path, limit);
}

static bool key_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           ((unsigned char)c & 0x80) || (c && strchr("/_.- :", c));
}

/* Python's posixpath.normpath, which MLflow applies because keys were file names once. */
static str normal_path(arena *a, str s) {
    if (s.n == 0) return STR(".");
    bool absolute = s.p[0] == '/';
    char *out = arena_alloc(a, s.n + 2);
    size_t n = 0, depth = 0;
    if (absolute) out[n++] = '/';
    str rest = s, part;
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_eqz(part, ".")) continue;
        if (str_eqz(part, "..") && (depth > 0 || absolute)) {
            if (depth == 0) continue;
            depth--;
            while (n > (absolute ? 1u : 0u) && out[n - 1] != '/') n--;
            if (n > 1) n--;
            continue;
        }
        if (!str_eqz(part, "..")) depth++;
        if (n && out[n - 1] != '/') out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    return n ? str_n(out, n) : STR(".");
}

static err *check_path(arena *a, str key, const char *path) {
    str norm = normal_path(a, key);
    bool ok = str_eq(norm, key) && !str_eqz(norm, ".") && !str_starts(norm, STR("..")) &&
              norm.p[0] != '/';
    if (ok) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid value \"%.*s\" for parameter '%s' supplied: Names may be treated as "
                   "files in certain cases, and must not resolve to other names when treated as "
                   "such. This name would resolve to '%.*s'",
                   STR_ARG(str_cut(key, 500)), path, STR_ARG(str_cut(norm, 500)));
}

err *rule_key(str key, const char *path, const char *entity) {
    for (size_t i = 0; i < key.n; i++)
        if (!key_char(key.p[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid value \"%.*s\" for parameter '%s' supplied: Names may only "
                           "contain alphanumerics, underscores (_), dashes (-), periods (.), "
                           "spaces ( ), colon(:) and slashes (/).",
                           STR_ARG(str_cut(key, 500)), path);
    /* As a file name it is itself where it has one part that no dot begins: nearly all. */
    err *e = NULL;
    if (!key.n || key.p[0] == '.' || str_chr(key, '/', 0) >= 0) {
        arena *a = arena_new();
        e = check_path(a, key, path);
        arena_free(a);
    }
    return e ? e : rule_length(key, RULE_MAX_KEY, entity);
}

err *rule_timestamp(int64_t ms, const char *path, str key) {
    if (ms >= 0) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid value %lld for parameter '%s' supplied: metric '%.*s'. Timestamp must "
                   "be a nonnegative long (64-bit integer)",
                   (long long)ms, path, STR_ARG(str_cut(key, 200)));
}

err *rule_batch(const char *what, size_t limit, size_t n) {
    if (n <= limit) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "A batch logging request can contain at most %zu %s. Got %zu %s. Please split "
                   "up %s across multiple requests and try again.",
                   limit, what, n, what, what);
}

err *rule_model_name(str name) {
    bool bad = name.n == 0;
    for (size_t i = 0; i < name.n; i++) bad |= name.p[i] && strchr("/:.%\"'", name.p[i]);
    if (!bad) return rule_length(name, 500, "name");
    return err_new(
        ERR_INVALID_PARAMETER_VALUE,
        "Invalid model name ('%.*s') provided. Model name must be a non-empty string and "
        "cannot contain the following characters: ('/', ':', '.', '%%', '\"', \"'\")",
        STR_ARG(str_cut(name, 500)));
}

str rule_random_name(arena *a) {
    static const char *const first[] = {
        "amber",  "bold",  "brisk",  "calm",  "clear",  "coral",  "crisp", "dapper",
        "eager",  "early", "fair",   "fleet", "fresh",  "gentle", "glad",  "grand",
        "hardy",  "jolly", "keen",   "light", "lively", "lucky",  "merry", "mild",
        "neat",   "noble", "proud",  "quick", "quiet",  "rapid",  "rosy",  "sharp",
        "silver", "smart", "steady", "sunny", "swift",  "tidy",   "warm",  "wise"};
    static const char *const second[] = {
        "beaver", "bream",  "carp",  "coot",  "crane",  "dace",   "diver",  "duck",
        "eel",    "egret",  "finch", "frog",  "gannet", "goose",  "grebe",  "gull",
        "heron",  "ibis",   "loach", "loon",  "minnow", "newt",   "otter",  "perch",
        "pike",   "plover", "rail",  "roach", "ruff",   "seal",   "shrimp", "snipe",
        "stork",  "swan",   "teal",  "tern",  "trout",  "turtle", "vole",   "wader"};
    uint64_t r = rand_u64();
    return str_of(arena_printf(a, "%s-%s-%d", first[r % ARRAY_LEN(first)],
                               second[(r >> 16) % ARRAY_LEN(second)], (int)((r >> 32) % 1000)));
}
