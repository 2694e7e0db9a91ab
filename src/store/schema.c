/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas: bringing a file up to date when it is opened.
 *
 * user_version of a file is the number of its steps (schema_<file>.c) that have run, plus one for
 * store_state, which every file has:
 *
 *   one          always 1
 *   sequence     of the last committed write
 *   time         of that write, UTC microseconds
 *   oldest       first sequence that can be read (meta.db)
 *   fingerprint  of the entities' declaration that the tables follow (meta.db)
 *
 * Entities need no steps for what is only more: tables, columns and indexes that the declaration
 * has and the file lacks are made; indexes that it no longer has are dropped; columns that it names
 * in `removed` are dropped. A column or entity of the file that the declaration neither has nor
 * names as removed was made by a newer Boathouse, and the file is refused by name.
 *
 * All of it is one transaction, after a copy of the file was put into <dir>/before (the last
 * KEEP_COPIES per file stay there).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "store/store_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define KEEP_COPIES 3u

static const struct schema_step *const steps_of[STORE_FILES] = {schema_meta, schema_mlflow,
                                                                schema_history};

static int64_t step_count(enum store_file f) {
    int64_t n = 0;
    while (steps_of[f][n].what) n++;
    return n;
}

/* ---- the copy ---- */

static err *drop_old_copies(const char *dir, const char *prefix) {
    struct files_names names;
    TRY(files_list(dir, 10000, &names));
    size_t n = 0, seen = 0;
    for (size_t i = 0; i < names.n; i++) n += str_starts(str_of(names.p[i]), str_of(prefix));
    for (size_t i = 0; i < names.n && n - seen > KEEP_COPIES; i++) {
        if (!str_starts(str_of(names.p[i]), str_of(prefix))) continue;
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", dir, names.p[i]);
        unlink(path);
        seen++;
    }
    files_names_free(&names);
    return NULL;
}

static err *copy_before(store *s, struct conn *c, enum store_file f, int64_t version) {
    char dir[PATH_MAX - 128], path[PATH_MAX], prefix[32];
    snprintf(dir, sizeof(dir), "%s/before", s->dir);
    snprintf(prefix, sizeof(prefix), "%s-", store_file_names[f]);
    TRY(files_mkdirs(dir, 0700));
    arena *a = arena_new();
    char *time = time_rfc3339(a, clock_now(), 6);
    for (char *p = time; *p; p++)
        if (*p == ':') *p = '-';
    snprintf(path, sizeof(path), "%s/%s%s-schema-%lld.db", dir, prefix, time, (long long)version);
    arena_free(a);
    TRY(backup_copy(c, path, s->vfs, keys_of(s->keys, (enum keys_name)f)));
    log_debug("store copied before its schema changes", lf_z("file", store_file_names[f]),
              lf_z("copy", path));
    return drop_old_copies(dir, prefix);
}

/* ---- entities ---- */

/* Calls fn for each row of a query on names; fn's text is valid during the call. */
static err *each_name(store_tx *tx, const char *query, const struct sql_arg *args, size_t n,
                      err *(*fn)(void *arg, str name), void *arg) {
    sql *q;
    TRY(sql_open_text(&q, tx, query, args, n));
    bool row;
    err *e;
    while (!(e = sql_step(q, &row)) && row && !e) e = fn(arg, sql_peek_t(q, 0));
    sql_close(q);
    return e;
}

struct have {
    arena *a;
    struct {
        str *p;
        size_t n, cap;
    } names;
};

static err *collect(void *arg, str name) {
    struct have *h = arg;
    if (h->names.n == h->names.cap) {
        size_t cap = h->names.cap ? h->names.cap * 2 : 64;
        str *p = arena_array_of(h->a, str, cap);
        if (h->names.n) memcpy(p, h->names.p, h->names.n * sizeof(str));
        h->names.p = p;
        h->names.cap = cap;
    }
    h->names.p[h->names.n++] = arena_str(h->a, name);
    return NULL;
}

static bool has(const struct have *h, const char *name) {
    for (size_t i = 0; i < h->names.n; i++)
        if (str_eqz(h->names.p[i], name)) return true;
    return false;
}

static bool word_in(const char *words, str w) {
    char text[160];
    snprintf(text, sizeof(text), " %.*s ", STR_ARG(w));
    return strstr(words, text) != NULL;
}

static err *newer(const char *what, str name) {
    return err_hint(err_new(ERR_INVALID_STATE,
                            "meta.db was written by a newer Boathouse: it has the %s '%.*s'.", what,
                            STR_ARG(name)),
                    "Start that version, or restore a backup made by this one.");
}

static bool head_column(str name) {
    static const char *const names[] = {"id",         "account_id", "workspace_id",
                                        "from_seq",   "to_seq",     "created_at",
                                        "created_by", "updated_at", "updated_by"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eqz(name, names[i])) return true;
    return false;
}

static const struct ent_column *declared(const struct ent_table *t, str name, bool *ret_folded) {
    for (int i = 0; i < t->n_cols; i++) {
        const struct ent_column *c = &t->cols[i];
        size_t n = strlen(c->name);
        *ret_folded = c->fold && name.n == n + 2 && str_ends(name, STR("_k"));
        if (str_eqz(name, c->name) || (*ret_folded && memcmp(name.p, c->name, n) == 0)) return c;
    }
    return NULL;
}

static err *add_column(store_tx *tx, const struct ent_column *c, const char *table, bool folded) {
    static const char *const types[] = {
        [ENT_INT] = "INTEGER DEFAULT 0", [ENT_BOOL] = "INTEGER DEFAULT 0",
        [ENT_FLOAT] = "REAL DEFAULT 0",  [ENT_TEXT] = "TEXT DEFAULT ''",
        [ENT_JSON] = "TEXT DEFAULT ''",  [ENT_BLOB] = "BLOB DEFAULT x''"};
    static const char *const nullable[] = {
        [ENT_INT] = "INTEGER", [ENT_BOOL] = "INTEGER", [ENT_FLOAT] = "REAL",
        [ENT_TEXT] = "TEXT",   [ENT_JSON] = "TEXT",    [ENT_BLOB] = "BLOB"};
    char text[512];
    if (!folded) {
        snprintf(text, sizeof(text), "ALTER TABLE \"%s\" ADD COLUMN \"%s\" %s%s", table, c->name,
                 c->null ? nullable[c->type] : types[c->type], c->null ? "" : " NOT NULL");
        return sql_run_text(tx, text, NULL, 0);
    }
    snprintf(text, sizeof(text), "ALTER TABLE \"%s\" ADD COLUMN \"%s_k\" TEXT", table, c->name);
    TRY(sql_run_text(tx, text, NULL, 0));
    snprintf(text, sizeof(text), "UPDATE \"%s\" SET \"%s_k\" = bh_fold(\"%s\")", table, c->name,
             c->name);
    return sql_run_text(tx, text, NULL, 0);
}

static err *update_columns(store_tx *tx, arena *a, const struct ent_table *t, const char *table) {
    struct have have = {.a = a};
    char text[512];
    const struct sql_arg args[] = {sql_z(table)};
    TRY(each_name(tx, "SELECT name FROM pragma_table_info(?1)", args, 1, collect, &have));
    for (size_t i = 0; i < have.names.n; i++) {
        bool folded;
        str name = have.names.p[i];
        if (head_column(name) || declared(t, name, &folded)) continue;
        str base = str_ends(name, STR("_k")) ? str_cut(name, name.n - 2) : name;
        bool was_folded = declared(t, base, &folded) != NULL; /* no longer folded */
        if (!word_in(t->removed, name) && !word_in(t->removed, base) && !was_folded)
            return newer("column", str_of(arena_printf(a, "%s.%.*s", table, STR_ARG(name))));
        snprintf(text, sizeof(text), "ALTER TABLE \"%s\" DROP COLUMN \"%.*s\"", table,
                 STR_ARG(name));
        TRY(sql_run_text(tx, text, NULL, 0));
    }
    for (int i = 0; i < t->n_cols; i++) {
        const struct ent_column *c = &t->cols[i];
        char twin[128];
        snprintf(twin, sizeof(twin), "%s_k", c->name);
        if (!has(&have, c->name)) TRY(add_column(tx, c, table, false));
        if (c->fold && !has(&have, twin)) TRY(add_column(tx, c, table, true));
    }
    return NULL;
}

static err *table_exists(store_tx *tx, const char *table, bool *ret) {
    int64_t one;
    return sql_one_i(&one, ret, tx,
                     "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
                     sql_z(table));
}

static err *update_table(store_tx *tx, arena *a, const struct ent_table *t, const char *table,
                         const char *create) {
    bool there;
    TRY(table_exists(tx, table, &there));
    if (!there) return sql_run_text(tx, create, NULL, 0);
    return update_columns(tx, a, t, table);
}

/* Drops every index of ours whose text is not that of a declared one; columns can go only after. */
static err *drop_indexes(store_tx *tx, arena *a) {
    struct have names = {.a = a}, texts = {.a = a};
    char text[256];
    TRY(each_name(
        tx,
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'ix\\_%' ESCAPE"
        " '\\' ORDER BY name",
        NULL, 0, collect, &names));
    TRY(each_name(tx,
                  "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name LIKE 'ix\\_%' ESCAPE"
                  " '\\' ORDER BY name",
                  NULL, 0, collect, &texts));
    must(names.names.n == texts.names.n);
    for (size_t i = 0; i < names.names.n; i++) {
        bool keep = false;
        for (int t = 0; t < ENT_COUNT && !keep; t++)
            for (const struct ent_index *x = ent_tables[t]->indexes; x->name && !keep; x++)
                keep = str_eqz(texts.names.p[i], x->sql);
        if (keep) continue;
        snprintf(text, sizeof(text), "DROP INDEX \"%.*s\"", STR_ARG(names.names.p[i]));
        TRY(sql_run_text(tx, text, NULL, 0));
    }
    return NULL;
}

static err *add_indexes(store_tx *tx, const struct ent_table *t) {
    for (const struct ent_index *x = t->indexes; x->name; x++) {
        int64_t one;
        bool there;
        TRY(sql_one_i(&one, &there, tx,
                      "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1",
                      sql_z(x->name)));
        if (!there) TRY(sql_run_text(tx, x->sql, NULL, 0));
    }
    return NULL;
}

static err *recount(store_tx *tx, const struct ent_table *t) {
    char text[512];
    snprintf(text, sizeof(text),
             "INSERT INTO ent_count (entity, account_id, workspace_id, n)"
             " SELECT '%s', account_id, workspace_id, count(*) FROM \"%s\""
             " GROUP BY account_id, workspace_id",
             t->name, t->name);
    return sql_run_text(tx, text, NULL, 0);
}

/* An erased entity that used to be versioned loses its past at once. */
static err *drop_past(store_tx *tx, const struct ent_table *t) {
    char text[160];
    snprintf(text, sizeof(text), "DROP TABLE IF EXISTS \"%s_past\"", t->name);
    return sql_run_text(tx, text, NULL, 0);
}

static err *drop_removed(store_tx *tx, arena *a, const struct have *known) {
    for (size_t i = 0; i < known->names.n; i++) {
        str name = known->names.p[i];
        bool ours = false;
        for (int t = 0; t < ENT_COUNT; t++) ours |= str_eqz(name, ent_tables[t]->name);
        if (ours) continue;
        if (!word_in(ENT_REMOVED, name)) return newer("entity", name);
        TRY(sql_run_text(tx, arena_printf(a, "DROP TABLE IF EXISTS \"%.*s\"", STR_ARG(name)), NULL,
                         0));
        TRY(sql_run_text(tx, arena_printf(a, "DROP TABLE IF EXISTS \"%.*s_past\"", STR_ARG(name)),
                         NULL, 0));
    }
    return NULL;
}

static err *update_entities(store_tx *tx, arena *a) {
    struct have known = {.a = a};
    TRY(each_name(tx, "SELECT name FROM ent_known", NULL, 0, collect, &known));
    TRY(drop_indexes(tx, a));
    TRY(drop_removed(tx, a, &known));
    TRY(sql_run(tx, "DELETE FROM ent_known"));
    TRY(sql_run(tx, "DELETE FROM ent_count"));
    for (int i = 0; i < ENT_COUNT; i++) {
        const struct ent_table *t = ent_tables[i];
        TRY(update_table(tx, a, t, t->name, t->create));
        if (t->erased)
            TRY(drop_past(tx, t));
        else
            TRY(update_table(tx, a, t, arena_printf(a, "%s_past", t->name), t->create_past));
        TRY(add_indexes(tx, t));
        if (t->limit) TRY(recount(tx, t));
        TRY(sql_run(tx, "INSERT INTO ent_known (name) VALUES (?1)", sql_z(t->name)));
    }
    return sql_run(tx, "UPDATE store_state SET fingerprint = ?1", sql_z(ENT_FINGERPRINT));
}

/* ---- all of it ---- */

static err *make_state(struct conn *c) {
    TRY(conn_exec(c, "CREATE TABLE store_state (one INTEGER PRIMARY KEY CHECK (one = 1),"
                     " sequence INTEGER NOT NULL, time INTEGER NOT NULL, oldest INTEGER NOT NULL,"
                     " fingerprint TEXT NOT NULL)"));
    return conn_exec(c, "INSERT INTO store_state VALUES (1, 0, 0, 1, '')");
}

static err *run_steps(store_tx *tx, struct conn *c, enum store_file f, int64_t version) {
    char text[64];
    if (version == 0) {
        TRY(make_state(c));
        version = 1;
    }
    for (const struct schema_step *st = &steps_of[f][version - 1]; st->what; st++) {
        err *e = st->text ? conn_exec(c, st->text) : st->fn(tx);
        if (e) return err_while(e, "step '%s' of the schema of %s", st->what, store_file_names[f]);
    }
    if (f == STORE_META) {
        arena *a = arena_new();
        err *e = update_entities(tx, a);
        arena_free(a);
        if (e) return e;
    }
    snprintf(text, sizeof(text), "PRAGMA user_version = %lld", (long long)step_count(f) + 1);
    return conn_exec(c, text);
}

static err *needed(struct conn *c, enum store_file f, int64_t version, bool *ret) {
    int64_t ours = step_count(f) + 1, same = 1;
    if (version > ours)
        return err_hint(
            err_new(ERR_INVALID_STATE,
                    "%s.db was written by a newer Boathouse (schema %lld, ours is %lld).",
                    store_file_names[f], (long long)version, (long long)ours),
            "Start that version, or restore a backup made by this one.");
    if (version == ours && f == STORE_META)
        TRY(conn_int(c,
                     "SELECT count(*) FROM store_state WHERE fingerprint = '" ENT_FINGERPRINT "'",
                     &same));
    *ret = version < ours || !same;
    return NULL;
}

err *schema_update(store *s, struct conn *c, enum store_file f) {
    int64_t version;
    bool need = true;
    TRY(conn_int(c, "PRAGMA user_version", &version));
    TRY(needed(c, f, version, &need));
    if (!need) return NULL;
    if (version > 0) TRY(copy_before(s, c, f, version));
    struct store_tx tx;
    tx_init(&tx, s, c, f, true);
    c->patient = true;
    conn_start_clock(c);
    TRY(conn_exec(c, "BEGIN IMMEDIATE"));
    err *e = run_steps(&tx, c, f, version);
    if (!e) e = conn_exec(c, "COMMIT");
    if (e && !sqlite3_get_autocommit(c->db)) {
        err *undo = conn_exec(c, "ROLLBACK");
        err_free(undo);
    }
    conn_drop_statements(c);
    c->patient = false;
    return err_while(e, "bringing %s.db up to date", store_file_names[f]);
}
