/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INSERT OVERWRITE DIRECTORY '…' USING parquet SELECT …: rows as Parquet files of a folder that is no table. The new files are there
 * and synced before the old ones go, so a statement that fails leaves the folder as it was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/worker/dml_int.h"
#include "engine/worker/remote.h"
#include "sys/files.h"

#define MOST_ENTRIES 1000000

/* The folder: after DIRECTORY or the option "path". */
static str place_of(const struct ast *s) {
    const struct ast *at = ast_get(s, SLOT_LOCATION), *options = ast_get(s, SLOT_OPTIONS);
    if (at) return at->text;
    for (uint32_t i = 0; options && i < options->n; i++)
        if (str_ieq(options->child[i]->text, STR("path")) && options->child[i]->n) return options->child[i]->child[0]->text;
    return STR_NONE;
}

static err *refuse(struct dml_x *x, const struct ast *s, const char *what) {
    str path = place_of(s);
    return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", path.n ? dml_z(x, path) : "DIRECTORY", "operation", what, NULL);
}

static err *open_folder(struct dml_x *x, const struct ast *s) {
    const struct ast *format = ast_get(s, SLOT_USING);
    str path = place_of(s);
    if (ast_has(s, AST_F_SPECIAL)) return refuse(x, s, "INSERT OVERWRITE LOCAL DIRECTORY");
    if (ast_has(s, AST_F_EXTENDED) || !format) return refuse(x, s, "INSERT OVERWRITE DIRECTORY in Hive's formats");
    if (!str_ieq(format->text, STR("parquet"))) return refuse(x, s, arena_printf(x->a, "INSERT OVERWRITE DIRECTORY USING %.*s", STR_ARG(format->text)));
    if (!path.n) return refuse(x, s, "INSERT OVERWRITE DIRECTORY without a path");
    x->url = x->full_name = path;
    if (x->d->scan->allow) TRY(x->d->scan->allow(x->d->scan->arg, x->url, true));
    TRY(scan_path(x->d->scan, x->url, &x->path));
    if (remote_is(x->path)) return refuse(x, s, "INSERT OVERWRITE DIRECTORY in an object store");
    if (files_exists(arena_printf(x->a, "%.*s/_delta_log", STR_ARG(x->path))))
        return refuse(x, s, "INSERT OVERWRITE DIRECTORY of a Delta table's folder");
    return files_mkdirs(dml_z(x, x->path), 0755);
}

/* The query's columns under their names, as dml_write() takes them. */
static err *columns_of(struct dml_x *x, const struct sql_compiled *c, buf *text) {
    struct sql_field *f = arena_array_of(x->a, struct sql_field, c->n + 1);
    buf_z(text, "SELECT ");
    for (size_t i = 0; i < c->n; i++) {
        static const enum sql_type_kind never[] = {TY_INTERVAL, TY_INTERVAL_DT, TY_INTERVAL_YM, TY_OBJECT, TY_VOID};
        f[i] = (struct sql_field){.name = c->cols[i].name, .type = c->cols[i].type, .nullable = true};
        if (dml_column(f, i, f[i].name) >= 0)
            return sql_error("COLUMN_ALREADY_EXISTS", NULL, STR_NONE, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(f[i].name)), NULL);
        for (size_t k = 0; k < ARRAY_LEN(never); k++) {
            buf t = {0};
            if (f[i].type->kind != never[k]) continue;
            sql_type_write_sql(f[i].type, &t);
            return sql_error("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE", NULL, STR_NONE, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(f[i].name)), "columnType",
                             dml_z(x, dml_take(x, &t)), "format", "Parquet", NULL);
        }
        buf_fmt(text, "%sc%zu AS ", i ? ", " : "", i);
        scan_quote_ident(f[i].name, text);
    }
    buf_fmt(text, " FROM (%.*s) q", STR_ARG(c->duckdb));
    x->cols = f, x->n = c->n;
    return NULL;
}

static err *sync_written(struct dml_x *x) {
    for (size_t i = 0; i < x->written.n; i++) {
        int fd = open(x->written.p[i], O_RDONLY | O_CLOEXEC);
        err *e = fd < 0 || fsync(fd) ? err_errno("%s", x->written.p[i]) : NULL;
        if (fd >= 0) close(fd);
        if (e) return e;
    }
    return x->written.n ? files_sync_parent(x->written.p[0]) : NULL;
}

err *dml_insert_directory(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    struct sql_compiled c;
    struct files_names old;
    buf text = {0};
    (void)ret;
    TRY(open_folder(x, s));
    TRY(sql_compile(&x->env, ast_get(s, SLOT_QUERY), &c));
    err *e = columns_of(x, &c, &text);
    x->metadata = arena_new_of(x->a, struct delta_metadata); /* of no table: nothing is set */
    x->protocol = arena_new_of(x->a, struct delta_protocol);
    TRY(files_list(dml_z(x, x->path), MOST_ENTRIES, &old));
    if (!e) e = dml_write(x, &(struct dml_write){.text = buf_view(&text), .data_change = true});
    if (!e) e = sync_written(x);
    for (size_t i = 0; !e && i < old.n; i++) e = files_remove_tree(arena_printf(x->a, "%.*s/%s", STR_ARG(x->path), old.p[i]), MOST_ENTRIES);
    files_names_free(&old);
    buf_free(&text);
    if (e) return e;
    /* They stay. */
    for (size_t i = 0; i < x->written.n; i++) free(x->written.p[i]);
    x->written.n = 0;
    return NULL;
}
