/* SPDX-License-Identifier: Apache-2.0 */
/* DuckDB opened with its locks (duck.h). */
#include "engine/worker/duck.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "engine/worker/fn.h"
#include "sql/error.h"

#define DUCK_MAGIC 0x6475636bu

struct duck {
    uint32_t magic;
    duckdb_database db;
    duckdb_connection own;  /* for settings of the database */
};

/* What is given when the database opens. Some of these cannot be said later. */
static const struct { const char *name, *value; } fixed[] = {
    {"access_mode", "automatic"},
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
    {"allow_community_extensions", "false"},
    {"allow_unsigned_extensions", "false"},
    {"allow_persistent_secrets", "false"},
    {"allow_unredacted_secrets", "false"},
    {"custom_user_agent", "boathouse"},
    {"default_null_order", "nulls_first"},
    {"enable_external_file_cache", "true"},
    {"ieee_floating_point_ops", "true"},
    {"immediate_transaction_mode", "false"},
    {"old_implicit_casting", "false"},
    {"preserve_insertion_order", "true"},
};

/* And with SET, when it stands: not every version knows each as an option of opening. */
static const char *const after[] = {
    "SET TimeZone = 'UTC'",
    "SET Calendar = 'gregorian'",
    "SET integer_division = false",
    "SET enable_progress_bar = true",
    "SET enable_progress_bar_print = false",
    "SET progress_bar_time = 0",
    "SET scalar_subquery_error_on_multiple_rows = true",
    "SET enable_logging = false",
    "SET parquet_metadata_cache = true", /* a table's files never change; counted in the memory limit, given up at need */
};

static void set_option(duckdb_config cfg, const char *name, const char *value) {
    /* A name that this version does not know is no lock that we miss: those are proved by a test. */
    (void)duckdb_set_config(cfg, name, value);
}

static void quote(buf *b, str s) {
    buf_c(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_c(b, '\'');
        buf_c(b, s.p[i]);
    }
    buf_c(b, '\'');
}

static err *allow_roots(duck *d, const struct duck_options *o) {
    buf b = {0};
    buf_z(&b, "SET allowed_directories = [");
    for (size_t i = 0; i < o->n_roots; i++) {
        if (i) buf_c(&b, ',');
        quote(&b, str_of(o->roots[i]));
    }
    if (o->spill_dir) {
        if (o->n_roots) buf_c(&b, ',');
        quote(&b, str_of(o->spill_dir));
    }
    buf_z(&b, "]");
    buf_c(&b, 0);
    err *e = duck_do(d->own, b.p);
    buf_free(&b);
    if (e) return e;
    return duck_do(d->own, "SET enable_external_access = false");
}

static err *set_limits(duck *d, int threads, uint64_t memory, uint64_t spill) {
    char text[96];
    if (threads > 0) {
        snprintf(text, sizeof(text), "SET threads = %d", threads);
        TRY(duck_do(d->own, text));
    }
    if (memory) {
        snprintf(text, sizeof(text), "SET memory_limit = '%lluB'", (unsigned long long)memory);
        TRY(duck_do(d->own, text));
    }
    if (spill) {
        snprintf(text, sizeof(text), "SET max_temp_directory_size = '%lluB'", (unsigned long long)spill);
        TRY(duck_do(d->own, text));
    }
    return NULL;
}

static err *prepare(duck *d, const struct duck_options *o) {
    for (size_t i = 0; i < ARRAY_LEN(after); i++) TRY(duck_do(d->own, after[i]));
    TRY(set_limits(d, o->threads > 0 ? o->threads : 1, o->memory_bytes ? o->memory_bytes : 1ull << 30,
                   o->spill_dir ? (o->spill_bytes ? o->spill_bytes : 1ull << 30) : 0));
    TRY(duck_do(d->own, "BEGIN"));
    TRY(fn_register_all(d->own));
    TRY(duck_do(d->own, "COMMIT"));
    return allow_roots(d, o);
}

err *duck_open(const struct duck_options *o, duck **ret) {
    duckdb_config cfg;
    if (duckdb_create_config(&cfg) != DuckDBSuccess) return err_new(ERR_INTERNAL_ERROR, "DuckDB gives no configuration");
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) set_option(cfg, fixed[i].name, fixed[i].value);
    set_option(cfg, "temp_directory", o->spill_dir ? o->spill_dir : "");
    duck *d = calloc(1, sizeof(*d));
    must(d);
    d->magic = DUCK_MAGIC;
    char *text = NULL;
    duckdb_state rc = duckdb_open_ext(NULL, &d->db, cfg, &text);
    duckdb_destroy_config(&cfg);
    err *e = NULL;
    if (rc != DuckDBSuccess) e = err_new(ERR_INTERNAL_ERROR, "DuckDB does not open: %s", text ? text : "no reason given");
    duckdb_free(text);
    if (!e && duckdb_connect(d->db, &d->own) != DuckDBSuccess) e = err_new(ERR_INTERNAL_ERROR, "DuckDB gives no connection");
    if (!e) e = prepare(d, o);
    if (e) {
        duck_close(d);
        return err_while(e, "opening DuckDB");
    }
    *ret = d;
    return NULL;
}

void duck_close(duck *d) {
    if (!d) return;
    must_magic(d, DUCK_MAGIC);
    if (d->own) duckdb_disconnect(&d->own);
    if (d->db) duckdb_close(&d->db);
    d->magic = 0;
    free(d);
}

err *duck_limit(duck *d, int threads, uint64_t memory_bytes, uint64_t spill_bytes) {
    must_magic(d, DUCK_MAGIC);
    return set_limits(d, threads, memory_bytes, spill_bytes);
}

err *duck_connect(duck *d, duckdb_connection *ret) {
    must_magic(d, DUCK_MAGIC);
    if (duckdb_connect(d->db, ret) != DuckDBSuccess) return err_new(ERR_INTERNAL_ERROR, "DuckDB gives no connection");
    return NULL;
}

/* DuckDB's zones are ICU's: an offset is written as Etc/GMT with the sign turned, where it is whole hours. */
err *duck_zone(duckdb_connection con, str zone) {
    buf b = {0};
    buf_z(&b, "SET TimeZone = ");
    int h = 0, m = 0;
    char sign = 0, text[16];
    if (zone.n && (zone.p[0] == '+' || zone.p[0] == '-') && zone.n < sizeof(text)) {
        memcpy(text, zone.p, zone.n);
        text[zone.n] = 0;
        if (sscanf(text + 1, "%d:%d", &h, &m) >= 1) sign = text[0];
    }
    if (sign && m == 0) {
        snprintf(text, sizeof(text), h ? "Etc/GMT%c%d" : "UTC", sign == '+' ? '-' : '+', h);
        quote(&b, str_of(text));
    } else if (sign) {
        snprintf(text, sizeof(text), "GMT%c%02d:%02d", sign, h, m);
        quote(&b, str_of(text));
    } else quote(&b, zone);
    buf_c(&b, 0);
    err *e = duck_do(con, b.p);
    buf_free(&b);
    return e;
}

err *duck_run(duckdb_connection con, const char *sql, duckdb_result *ret) {
    if (duckdb_query(con, sql, ret) == DuckDBSuccess) return NULL;
    const char *text = duckdb_result_error(ret);
    err *e = sql_error_of_duckdb(text ? text : "DuckDB failed without a reason");
    duckdb_destroy_result(ret);
    return e;
}

err *duck_do(duckdb_connection con, const char *sql) {
    duckdb_result r;
    TRY(duck_run(con, sql, &r));
    duckdb_destroy_result(&r);
    return NULL;
}
