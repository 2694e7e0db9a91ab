/* SPDX-License-Identifier: Apache-2.0 */
/* Which commits of others stand against ours: the matrix of commit.h, with the published names. */
#include <string.h>

#include "delta/commit.h"

struct winner {
    bool blind;           /* only adds, nothing read */
    str operation;
};

static struct winner facts_of(arena *a, const struct delta_action *acts, size_t n) {
    struct winner w = {0};
    for (size_t i = 0; i < n; i++) {
        jval *v;
        if (acts[i].kind != DELTA_COMMIT_INFO) continue;
        err *e = json_parse(a, acts[i].info, false, &v);
        if (e) {
            err_free(e);
            continue;
        }
        w.blind = yyjson_is_true(json_get(v, "isBlindAppend"));
        w.operation = json_get_str(v, "operation");
    }
    return w;
}

static bool was_read(const struct delta_commit_ask *ask, const struct delta_file *f) {
    if (ask->read_all && !ask->n_tests) return true;
    for (size_t i = 0; i < ask->n_files_read; i++)
        if (str_eq(ask->files_read[i], f->path)) return true;
    /* A remove has partition values, and often no statistics: what it does not say may pass. */
    return ask->n_tests && !ask->files_listed && (!f->partition.n || delta_file_may_pass(f, ask->tests, ask->n_tests));
}

static bool removes(const struct delta_commit_ask *ask, str path) {
    for (size_t i = 0; i < ask->n; i++)
        if (ask->actions[i].kind == DELTA_REMOVE && str_eq(ask->actions[i].file.path, path)) return true;
    return false;
}

static err *conflict(const char *cls, const char *what, const struct winner *w, int64_t version) {
    return delta_error(cls, "%s The other commit: version %lld, operation %.*s. Run the statement again.", what,
                       (long long)version, STR_ARG(w->operation.n ? w->operation : STR("unknown")));
}

static bool same_app(const struct delta_commit_ask *ask, str app) {
    for (size_t i = 0; i < ask->n; i++)
        if (ask->actions[i].kind == DELTA_TXN && str_eq(ask->actions[i].txn.app, app)) return true;
    return false;
}

static bool same_domain(const struct delta_commit_ask *ask, str domain) {
    if (str_eqz(domain, "delta.rowTracking")) return false; /* merged by the committer */
    for (size_t i = 0; i < ask->n; i++)
        if (ask->actions[i].kind == DELTA_DOMAIN && str_eq(ask->actions[i].domain.name, domain)) return true;
    return false;
}

static bool touches_metadata(const struct delta_commit_ask *ask) {
    for (size_t i = 0; i < ask->n; i++)
        if (ask->actions[i].kind == DELTA_METADATA || ask->actions[i].kind == DELTA_PROTOCOL) return true;
    return false;
}

/* Of what everyone relies on. */
static err *check_table(const struct delta_commit_ask *ask, const struct delta_action *x, const struct winner *w, int64_t version) {
    if (x->kind == DELTA_PROTOCOL)
        return conflict("DELTA_PROTOCOL_CHANGED", "ProtocolChangedException: another writer has changed the table's protocol meanwhile.", w, version);
    if (x->kind == DELTA_METADATA)
        return conflict("DELTA_METADATA_CHANGED", "MetadataChangedException: another writer has changed the table's schema or properties "
                        "meanwhile.", w, version);
    if (x->kind == DELTA_TXN && same_app(ask, x->txn.app))
        return conflict("DELTA_CONCURRENT_TRANSACTION", "ConcurrentTransactionException: another run of the same application has "
                        "committed its transaction meanwhile.", w, version);
    if (x->kind == DELTA_DOMAIN && same_domain(ask, x->domain.name))
        return conflict("DELTA_METADATA_CHANGED", "MetadataChangedException: another writer has changed the same metadata domain of "
                        "the table meanwhile.", w, version);
    return NULL;
}

static err *check_added(const struct delta_commit_ask *ask, const struct delta_action *x, const struct winner *w, int64_t version) {
    bool check_blind = ask->serializable || touches_metadata(ask);
    if (x->kind != DELTA_ADD || ask->blind_append || !x->file.data_change || (w->blind && !check_blind)) return NULL;
    if (!(ask->n_tests ? delta_file_may_pass(&x->file, ask->tests, ask->n_tests) : ask->read_all)) return NULL;
    return conflict("DELTA_CONCURRENT_APPEND", "ConcurrentAppendException: another writer has added rows that this statement "
                    "would have read.", w, version);
}

static err *check_removed_read(const struct delta_commit_ask *ask, const struct delta_action *x, const struct winner *w, int64_t version) {
    if (x->kind != DELTA_REMOVE || ask->blind_append || !was_read(ask, &x->file)) return NULL;
    return conflict("DELTA_CONCURRENT_DELETE_READ", "ConcurrentDeleteReadException: another writer has removed a file that this "
                    "statement has read.", w, version);
}

static err *check_removed_twice(const struct delta_commit_ask *ask, const struct delta_action *x, const struct winner *w, int64_t version) {
    if (x->kind != DELTA_REMOVE || !removes(ask, x->file.path)) return NULL;
    return conflict("DELTA_CONCURRENT_DELETE_DELETE", "ConcurrentDeleteDeleteException: another writer has removed a file that this "
                    "statement removes too.", w, version);
}

/* In the order in which Spark looks: of several conflicts its name is the first's. */
err *delta_conflict(arena *a, const struct delta_commit_ask *ask, const struct delta_action *acts, size_t n, int64_t version) {
    static err *(*const checks[])(const struct delta_commit_ask *, const struct delta_action *, const struct winner *, int64_t) = {
        check_table, check_added, check_removed_read, check_removed_twice};
    struct winner w = facts_of(a, acts, n);
    for (size_t k = 0; k < ARRAY_LEN(checks); k++)
        for (size_t i = 0; i < n; i++) TRY(checks[k](ask, &acts[i], &w, version));
    return NULL;
}
