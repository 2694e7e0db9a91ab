/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a Delta table as one SELECT.
 *
 * Files whose Parquet schema is the same and that agree in having a deletion vector or not are one group, and one
 * read_parquet(): a table of one group without partitions reads as if its files had been named by hand, so filters and
 * projections reach the files' row groups. Several groups are a UNION ALL.
 *
 * Partition values are constants where all files of a group agree, else bh_part(group, file_index, k).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"
#include "delta/dv.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"
#include "sys/rand.h"

struct one {
    const struct delta_file *f;
    const struct delta_dv *dead;
    str path;
    const struct footer *foot;
};

/* How variants are read: by DuckDB alone, where no NULL is among them; from a copy without annotations, which tells NULL from a variant
 * that is null; from both, where parts of them are columns of their own (shredded), which DuckDB alone puts together. */
enum variants { VAR_NONE, VAR_NO_NULLS, VAR_COPY, VAR_SHREDDED };

struct group {
    const struct footer *foot;
    bool dv;
    enum variants variants;
    str *originals;          /* paths of the files that are read from copies */
    vec_of(struct one) files;
};

/* Facts of a file that hidden columns need, after the partition values. */
enum { FACT_SIZE, FACT_MTIME, FACT_BASE_ROW_ID, FACT_COMMIT_VERSION, FACT_PATH, FACTS };

struct emit {
    struct scan_table *t;
    const struct scan_files_ask *ask;
    arena *a;
    struct scan_conv conv;
    size_t n_parts;
    str *part_keys;          /* physical names of partition columns */
    buf *out;
};

static ptrdiff_t part_of(struct emit *e, const struct sql_field *f) {
    const struct delta_metadata *m = &e->t->snap->metadata;
    for (size_t i = 0; i < m->n_partitions; i++)
        if (str_ieq(m->partitions[i], f->name)) return (ptrdiff_t)i;
    return -1;
}

static void part_keys(struct emit *e) {
    const struct delta_metadata *m = &e->t->snap->metadata;
    e->n_parts = m->n_partitions;
    e->part_keys = arena_array_of(e->a, str, e->n_parts + 1);
    for (size_t i = 0; i < e->n_parts; i++) {
        e->part_keys[i] = m->partitions[i];
        for (size_t j = 0; e->conv.mapped && j < e->t->n; j++)
            if (str_ieq(e->t->cols[j].name, m->partitions[i])) e->part_keys[i] = scan_physical(e->a, &e->t->cols[j]);
    }
}

/* Text of a partition value (a literal, or a VARCHAR expression) as the column's type. */
static void part_cast(str text, const struct sql_type *t, buf *out) {
    switch (t->kind) {
    case TY_CHAR: scan_pad(text, t, out); return;
    case TY_STRING:
    case TY_VARCHAR: buf_str(out, text); return;
    case TY_BINARY: buf_fmt(out, "encode(%.*s)", STR_ARG(text)); return;
    default:
        /* A text that is none of the type is NULL, as for Spark. */
        buf_fmt(out, "TRY_CAST(%.*s AS ", STR_ARG(text));
        if (t->kind == TY_VOID)
            buf_z(out, "INTEGER");
        else
            sql_type_write_duckdb(t, out);
        buf_c(out, ')');
    }
}

/* A value as text that DuckDB's cast reads: timestamps get their zone; STR_NONE for NULL. */
static str part_text(struct emit *e, const struct delta_file *f, size_t k, const struct sql_type *t) {
    str v = delta_map_get(&f->partition, e->part_keys[k]);
    if (!v.n) return STR_NONE;
    int64_t us;
    /* Years above 9999 come with a sign, which DuckDB does not take. */
    if (v.p[0] == '+' && (t->kind == TY_DATE || t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ)) v = str_from(v, 1);
    if ((t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ) && delta_time_of_text(v, &us)) {
        int64_t s = us / 1000000, frac = us % 1000000;
        if (frac < 0) frac += 1000000, s--;
        bool has_zone = v.p[v.n - 1] == 'Z' || str_chr(v, '+', 10) > 0;
        if (t->kind == TY_TIMESTAMP) return has_zone ? v : str_of(arena_printf(e->a, "%.*s+00", STR_ARG(v)));
        return has_zone ? str_cut(v, v.n - 1) : v;
    }
    return v;
}

static const struct sql_type *type_of_part(struct emit *e, size_t k) {
    for (size_t i = 0; i < e->t->n; i++)
        if (part_of(e, &e->t->cols[i]) == (ptrdiff_t)k) return e->t->cols[i].type;
    return sql_type_of(TY_STRING);
}

static bool agree(struct emit *e, const struct group *g, size_t k) {
    str first = delta_map_get(&g->files.p[0].f->partition, e->part_keys[k]);
    for (size_t i = 1; i < g->files.n; i++) {
        str v = delta_map_get(&g->files.p[i].f->partition, e->part_keys[k]);
        if (v.n != first.n || !str_eq(v, first)) return false;
    }
    return true;
}

static void fill_facts(struct emit *e, const struct one *x, str *v) {
    v[FACT_SIZE] = str_of(arena_printf(e->a, "%lld", (long long)x->f->size));
    v[FACT_MTIME] = str_of(arena_printf(e->a, "%lld", (long long)x->f->mtime_ms));
    v[FACT_PATH] = x->path;
    v[FACT_BASE_ROW_ID] = x->f->base_row_id < 0 ? STR_NONE : str_of(arena_printf(e->a, "%lld", (long long)x->f->base_row_id));
    v[FACT_COMMIT_VERSION] =
        x->f->default_commit_version < 0 ? STR_NONE : str_of(arena_printf(e->a, "%lld", (long long)x->f->default_commit_version));
}

static bool has_variant(const struct footer_node *n) {
    if (n->logical == LOG_VARIANT) return true;
    for (size_t i = 0; i < n->n; i++)
        if (has_variant(&n->child[i])) return true;
    return false;
}

static bool shredded(const struct footer_node *n) {
    for (size_t i = 0; i < n->n; i++)
        if ((n->logical == LOG_VARIANT && str_eqz(n->child[i].name, "typed_value")) || shredded(&n->child[i])) return true;
    return false;
}

/* How the used variants of a file are read: see footer_copy_plain(). */
static enum variants variants_of(struct emit *e, const struct one *x) {
    enum variants how = VAR_NONE;
    bool copy = false, parts = false;
    if (!has_variant(&x->foot->root)) return how;
    for (size_t i = 0; i < e->t->n; i++) {
        if (e->ask->used && !e->ask->used[i]) continue;
        const struct footer_node *n = scan_find_node(&e->conv, &x->foot->root, &e->t->cols[i]);
        if (!n || !has_variant(n)) continue;
        copy |= n->logical != LOG_VARIANT || !e->t->ctx->spill.n || delta_null_count(x->f, n->name) != 0;
        parts |= shredded(n);
        how = VAR_NO_NULLS;
    }
    return !copy ? how : parts && e->t->ctx->spill.n ? VAR_SHREDDED : VAR_COPY;
}

static err *copy_variants(struct emit *e, struct group *g, struct scan_group_state *s) {
    if (g->variants < VAR_COPY || !e->t->ctx->spill.n) return NULL;
    s->temporary = arena_array_of(e->a, const char *, s->n_files);
    g->originals = arena_array_of(e->a, str, s->n_files);
    for (size_t i = 0; i < s->n_files; i++) {
        char id[37];
        rand_uuid(id);
        s->temporary[i] = arena_printf(e->a, "%.*s/variant-%s.parquet", STR_ARG(e->t->ctx->spill), id);
        err *why = footer_copy_plain(g->files.p[i].path.p, s->temporary[i]);
        for (size_t j = 0; why && j <= i; j++) unlink(s->temporary[j]);
        if (why) return why;
        g->originals[i] = g->files.p[i].path;
        g->files.p[i].path = str_of(s->temporary[i]);
    }
    return NULL;
}

static err *group_vectors(struct emit *e, const struct group *g, struct scan_group_state *s) {
    struct delta_fs fs = scan_fs(e->t->ctx, e->t->path);
    struct delta_dv *dv = arena_array_of(e->a, struct delta_dv, s->n_files);
    int64_t *rows = arena_array_of(e->a, int64_t, s->n_files);
    s->dead = arena_array_of(e->a, struct roaring64_bitmap_s *, s->n_files);
    for (size_t i = 0; i < s->n_files; i++) {
        TRY(scan_dv_place(e->t, g->files.p[i].dead, &dv[i]));
        rows[i] = delta_num_records(g->files.p[i].f);
    }
    return delta_dv_load_all(&fs, dv, rows, s->n_files, s->dead);
}

/* The state that the group's text refers to. */
static err *group_state(struct emit *e, struct group *g, uint64_t *ret) {
    struct scan_group_state s = {.n_files = g->files.n, .n_values = e->n_parts + FACTS};
    str *values = arena_array_of(e->a, str, s.n_files * s.n_values + 1);
    for (size_t i = 0; i < s.n_files; i++) {
        for (size_t k = 0; k < e->n_parts; k++) values[i * s.n_values + k] = part_text(e, g->files.p[i].f, k, type_of_part(e, k));
        if (e->ask->file_metadata || e->ask->tracking || g->variants >= VAR_COPY) fill_facts(e, &g->files.p[i], values + i * s.n_values + e->n_parts);
    }
    s.values = values;
    if (g->dv) TRY(group_vectors(e, g, &s));
    err *why = copy_variants(e, g, &s);
    if (why) {
        for (size_t j = 0; s.dead && j < s.n_files; j++) delta_bitmap_free(s.dead[j]);
        return why;
    }
    *ret = scan_state_add(e->t->ctx, &s);
    return NULL;
}

static void separator(struct emit *e, size_t *n) {
    if ((*n)++) buf_z(e->out, ", ");
}

static str fact(struct emit *e, uint64_t state, int k) {
    return str_of(arena_printf(e->a, "bh_part(%llu, file_index, %zu)", (unsigned long long)state, e->n_parts + (size_t)k));
}

/* Where a row comes from. Not a bare file name: DuckDB would take a filter on it as one on the list of files, and number
 * them anew. A copy that was made for reading goes by the name of its original. */
static str file_name(struct emit *e, uint64_t state) {
    return e->conv.plain_variants ? fact(e, state, FACT_PATH) : STR("filename || ''");
}

/* Row ids: what the file has of its own, else its base and the row's place; the version likewise. */
static void row_id(struct emit *e, uint64_t state, const struct footer *foot, bool version) {
    const struct delta_snapshot *s = e->t->snap;
    str own = delta_property(s, version ? "delta.rowTracking.materializedRowCommitVersionColumnName" : "delta.rowTracking.materializedRowIdColumnName");
    bool has = false;
    for (size_t i = 0; i < foot->root.n; i++) has |= own.n && str_eq(foot->root.child[i].name, own);
    if (has) buf_z(e->out, "COALESCE("), scan_quote_ident(own, e->out), buf_z(e->out, ", ");
    buf_fmt(e->out, "CAST(%.*s AS BIGINT)%s%s", STR_ARG(fact(e, state, version ? FACT_COMMIT_VERSION : FACT_BASE_ROW_ID)), version ? "" : " + file_row_number",
            has ? ")" : "");
}

static void tracking(struct emit *e, uint64_t state, const struct footer *foot) {
    row_id(e, state, foot, false);
    buf_z(e->out, " AS \"_bh_row_id\", ");
    row_id(e, state, foot, true);
    buf_z(e->out, " AS \"_bh_row_version\"");
}

static void metadata_struct(struct emit *e, uint64_t state, const struct footer *foot) {
    bool volume = remote_is_volume(e->t->path);
    str url = volume ? STR("dbfs:") : e->t->url.n ? e->t->url : e->t->path;
    buf_z(e->out, "struct_pack(f0 := ");
    scan_quote_text(str_of(arena_printf(e->a, "%s%.*s", url.p[0] == '/' ? "file://" : "", STR_ARG(url))), e->out);
    buf_fmt(e->out, " || substr(%.*s, %zu), f1 := parse_filename(%.*s), f2 := CAST(%.*s AS BIGINT), f3 := CAST(0 AS BIGINT), "
            "f4 := CAST(%.*s AS BIGINT), f5 := make_timestamptz(CAST(%.*s AS BIGINT) * 1000)",
            STR_ARG(file_name(e, state)), (volume ? remote_file_prefix() : e->t->path.n) + 1, STR_ARG(file_name(e, state)), STR_ARG(fact(e, state, FACT_SIZE)), STR_ARG(fact(e, state, FACT_SIZE)), STR_ARG(fact(e, state, FACT_MTIME)));
    if (scan_tracks_rows(e->t)) {
        buf_z(e->out, ", f6 := ");
        row_id(e, state, foot, false);
        buf_z(e->out, ", f7 := ");
        row_id(e, state, foot, true);
    }
    buf_z(e->out, ") AS \"_metadata\"");
}

static size_t place_of(const struct group *g, const struct footer_node *n) { return (size_t)(n - g->foot->root.child); }

/* A column with shredded variants: its value is the original's, its being NULL the copy's. NULL inside structs, arrays and maps is not
 * told from a variant that is null there. */
static void together(struct emit *e, const struct group *g, str ref, const struct footer_node *n, const struct sql_type *type, buf *out) {
    struct scan_conv conv = e->conv;
    str whole = str_of(arena_printf(e->a, "_bh_v%zu", place_of(g, n)));
    conv.plain_variants = false;
    if (n->logical != LOG_VARIANT) {
        scan_convert(&conv, whole, n, type, out);
    } else {
        buf_fmt(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE COALESCE(", STR_ARG(ref));
        scan_convert(&conv, whole, n, type, out);
        buf_z(out, ", bh_variant_join('\\x01\\x00\\x00'::BLOB, '\\x00'::BLOB)) END");
    }
    e->conv.vars = conv.vars;
}

/* The originals beside the copies, row by row. */
static void join_originals(struct emit *e, const struct group *g) {
    buf_z(e->out, " JOIN (SELECT file_index AS _bh_i, file_row_number AS _bh_n");
    for (size_t i = 0; i < g->foot->root.n; i++) {
        if (!shredded(&g->foot->root.child[i])) continue;
        buf_z(e->out, ", ");
        scan_quote_ident(g->foot->root.child[i].name, e->out);
        buf_fmt(e->out, " AS _bh_v%zu", i);
    }
    buf_z(e->out, " FROM read_parquet([");
    for (size_t i = 0; i < g->files.n; i++) {
        if (i) buf_z(e->out, ", ");
        scan_quote_path(g->originals[i], e->out);
    }
    buf_z(e->out, "], hive_partitioning = false)) o ON file_index = _bh_i AND file_row_number = _bh_n");
}

static void column(struct emit *e, const struct group *g, const struct sql_field *f, uint64_t state) {
    ptrdiff_t k = part_of(e, f);
    buf value = {0};
    if (k >= 0) {
        buf text = {0};
        if (state) {
            buf_fmt(&text, "bh_part(%llu, file_index, %zu)", (unsigned long long)state, (size_t)k);
            part_cast(buf_view(&text), f->type, &value);
        }
        if (!state || agree(e, g, (size_t)k)) {
            str v = part_text(e, g->files.p[0].f, (size_t)k, f->type);
            buf_clear(&text), buf_clear(&value);
            if (v.p)
                scan_quote_text(v, &text);
            else
                buf_z(&text, "CAST(NULL AS VARCHAR)");
            part_cast(buf_view(&text), f->type, &value);
        }
        buf_free(&text);
    } else {
        const struct footer_node *n = scan_find_node(&e->conv, &g->foot->root, f);
        buf ref = {0};
        if (n) scan_quote_ident(n->name, &ref);
        if (g->variants == VAR_SHREDDED && n && shredded(n))
            together(e, g, buf_view(&ref), n, f->type, &value);
        else
            scan_convert(&e->conv, buf_view(&ref), n, f->type, &value);
        buf_free(&ref);
    }
    buf name = {0};
    scan_quote_ident(f->name, &name);
    buf_str(e->out, buf_view(&value));
    if (!str_eq(buf_view(&value), buf_view(&name))) buf_z(e->out, " AS "), buf_str(e->out, buf_view(&name));
    buf_free(&name), buf_free(&value);
}

/* Rows of which nothing is asked but that they are there: their number is in the log (a file with a vector must have it).
 * The files themselves are then not looked at. -1: not known, or something is asked. */
static int64_t only_number(struct emit *e, const struct group *g) {
    const struct scan_files_ask *ask = e->ask;
    if (!g->dv || ask->row_ids || ask->file_metadata || ask->tracking || ask->extra.n) return -1;
    for (size_t i = 0; i < e->t->n; i++)
        if (!ask->used || ask->used[i]) return -1;
    int64_t sum = 0;
    for (size_t i = 0; i < g->files.n; i++) {
        int64_t n = delta_num_records(g->files.p[i].f), gone = g->files.p[i].dead->cardinality;
        if (n < 0 || gone < 0 || gone > n || sum > INT64_MAX - n) return -1;
        sum += n - gone;
    }
    return sum;
}

static err *group_select(struct emit *e, struct group *g) {
    const struct scan_files_ask *ask = e->ask;
    int64_t number = only_number(e, g);
    if (number >= 0) {
        buf_fmt(e->out, "SELECT NULL AS \"_bh_none\" FROM range(%lld)", (long long)number);
        return NULL;
    }
    bool need = g->dv || ask->file_metadata || ask->tracking || g->variants >= VAR_COPY;
    e->conv.plain_variants = g->variants >= VAR_COPY && e->t->ctx->spill.n;
    e->conv.no_null_variants = g->variants == VAR_NO_NULLS;
    for (size_t i = 0; i < e->t->n && !need; i++) {
        ptrdiff_t k = !ask->used || ask->used[i] ? part_of(e, &e->t->cols[i]) : -1;
        need = k >= 0 && !agree(e, g, (size_t)k);
    }
    uint64_t state = 0;
    if (need) TRY(group_state(e, g, &state));
    size_t n = 0;
    buf_z(e->out, "SELECT ");
    for (size_t i = 0; i < e->t->n; i++) {
        if (ask->used && !ask->used[i]) continue;
        separator(e, &n);
        column(e, g, &e->t->cols[i], state);
    }
    if (ask->row_ids) separator(e, &n), buf_fmt(e->out, "%.*s AS \"_bh_file\", file_row_number AS \"_bh_row\"", STR_ARG(file_name(e, state)));
    if (ask->file_metadata) separator(e, &n), metadata_struct(e, state, g->foot);
    if (ask->tracking) separator(e, &n), tracking(e, state, g->foot);
    if (ask->extra.n) separator(e, &n), buf_str(e->out, ask->extra);
    if (!n) buf_z(e->out, "NULL AS \"_bh_none\"");
    buf_z(e->out, " FROM read_parquet([");
    int64_t rows = 0;
    for (size_t i = 0; i < g->files.n; i++) {
        if (i) buf_z(e->out, ", ");
        scan_quote_path(g->files.p[i].path, e->out);
        int64_t r = delta_num_records(g->files.p[i].f);
        rows = r < 0 || rows < 0 ? -1 : rows + r;
    }
    buf_z(e->out, "], hive_partitioning = false");
    if (rows > 0) buf_fmt(e->out, ", explicit_cardinality = %lld", (long long)rows);
    buf_c(e->out, ')');
    if (g->variants == VAR_SHREDDED && g->originals) join_originals(e, g);
    if (g->dv) buf_fmt(e->out, " WHERE bh_live(%llu, file_index, file_row_number)", (unsigned long long)state);
    return NULL;
}

static void nothing(struct emit *e) {
    size_t n = 0;
    buf_z(e->out, "SELECT ");
    for (size_t i = 0; i < e->t->n; i++) {
        if (e->ask->used && !e->ask->used[i]) continue;
        separator(e, &n);
        scan_convert(&e->conv, STR("NULL"), NULL, e->t->cols[i].type, e->out);
        buf_z(e->out, " AS ");
        scan_quote_ident(e->t->cols[i].name, e->out);
    }
    if (e->ask->row_ids) separator(e, &n), buf_z(e->out, "CAST(NULL AS VARCHAR) AS \"_bh_file\", CAST(NULL AS BIGINT) AS \"_bh_row\"");
    if (e->ask->file_metadata)
        separator(e, &n), buf_z(e->out, "CAST(NULL AS STRUCT(f0 VARCHAR, f1 VARCHAR, f2 BIGINT, f3 BIGINT, f4 BIGINT, f5 TIMESTAMP WITH TIME ZONE"),
            buf_z(e->out, scan_tracks_rows(e->t) ? ", f6 BIGINT, f7 BIGINT)) AS \"_metadata\"" : ")) AS \"_metadata\"");
    if (e->ask->tracking) separator(e, &n), buf_z(e->out, "CAST(NULL AS BIGINT) AS \"_bh_row_id\", CAST(NULL AS BIGINT) AS \"_bh_row_version\"");
    if (e->ask->extra.n) separator(e, &n), buf_str(e->out, e->ask->extra);
    if (!n) buf_z(e->out, "NULL AS \"_bh_none\"");
    buf_z(e->out, " WHERE false");
}

typedef vec_of(struct group) group_list;

/* Objects are declared, and the footers that we do not know are fetched together. */
static err *prepare_remote(struct emit *e) {
    str *paths = arena_array_of(e->a, str, e->ask->n + 1);
    for (size_t i = 0; i < e->ask->n; i++) {
        TRY(scan_file_path(e->t, e->ask->files[i]->path, &paths[i]));
        TRY(scan_declare(paths[i], e->ask->files[i]->size));
    }
    size_t n = 0;
    for (size_t i = 0; i < e->ask->n; i++)
        if (!scan_footer_known(e->t->ctx, paths[i])) paths[n++] = paths[i];
    remote_warm(paths, n);
    return NULL;
}

static err *sort_files(struct emit *e, group_list *groups) {
    if (remote_is(e->t->path) || remote_is_file(e->t->path) || remote_is_volume(e->t->path)) TRY(prepare_remote(e));
    for (size_t i = 0; i < e->ask->n; i++) {
        struct one x = {.f = e->ask->files[i]};
        x.dead = e->ask->dead ? &e->ask->dead[i] : &x.f->dv;
        TRY(scan_file_path(e->t, x.f->path, &x.path));
        x.path = arena_str(e->a, x.path);
        TRY(scan_footer(e->t->ctx, x.path, &x.foot));
        bool dv = x.dead->storage && !e->ask->no_dv;
        enum variants variants = variants_of(e, &x);
        size_t g = 0;
        while (g < groups->n && (groups->p[g].foot != x.foot || groups->p[g].dv != dv || groups->p[g].variants != variants)) g++;
        if (g == groups->n) {
            struct group fresh = {.foot = x.foot, .dv = dv, .variants = variants};
            vec_push(groups, fresh);
        }
        vec_push(&groups->p[g].files, x);
    }
    return NULL;
}

err *scan_emit_files(struct scan_table *t, const struct scan_files_ask *ask, buf *out) {
    str mode = delta_mapping_mode(&t->snap->metadata);
    struct emit e = {.t = t, .ask = ask, .a = t->ctx->a, .out = out,
                     .conv = {.a = t->ctx->a, .by_id = str_eqz(mode, "id"), .mapped = !str_eqz(mode, "none")}};
    part_keys(&e);
    group_list groups = {0};
    err *why = sort_files(&e, &groups);
    if (!why && !groups.n) nothing(&e);
    for (size_t i = 0; !why && i < groups.n; i++) {
        if (i) buf_z(out, " UNION ALL ");
        why = group_select(&e, &groups.p[i]);
    }
    for (size_t i = 0; i < groups.n; i++) vec_free(&groups.p[i].files);
    vec_free(&groups);
    return why;
}

/* ---- tables in FROM ---- */

static bool order_of(const struct sql_type *t, enum delta_order *ret) {
    switch (t->kind) {
    case TY_TINYINT:
    case TY_SMALLINT:
    case TY_INT:
    case TY_BIGINT: *ret = DELTA_ORDER_INT; return true;
    case TY_FLOAT:
    case TY_DOUBLE:
    case TY_DECIMAL: *ret = DELTA_ORDER_FLOAT; return true;
    case TY_STRING:
        *ret = DELTA_ORDER_TEXT;
        return t->collation.n == 0;
    case TY_CHAR:
    case TY_VARCHAR:
    case TY_DATE: *ret = DELTA_ORDER_TEXT; return true;
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ: *ret = DELTA_ORDER_TIME; return true;
    case TY_BOOLEAN: *ret = DELTA_ORDER_BOOL; return true;
    default: return false;
    }
}

/* The conjuncts that files can be tested by. Dates beyond year 9999 are not in text order: such literals are left out. */
static size_t tests_of(struct scan_table *t, const struct sql_scan_ask *ask, struct delta_test *tests) {
    size_t n = 0;
    bool mapped = !str_eqz(delta_mapping_mode(&t->snap->metadata), "none");
    struct emit e = {.t = t};
    for (size_t i = 0; i < ask->n_prune; i++) {
        const struct sql_prune *p = &ask->prune[i];
        const struct sql_field *f = &t->cols[p->column];
        struct delta_test x = {.op = p->op, .values = p->values, .n = p->n, .n_path = 1, .partition = part_of(&e, f) >= 0};
        if (p->op == '~' || f->type->kind == TY_CHAR || !order_of(f->type, &x.order)) continue; /* files may have a char(n) without its blanks */
        bool skip = false;
        for (size_t j = 0; j < p->n; j++) skip |= f->type->kind == TY_DATE && p->values[j].n != 10;
        if (skip) continue;
        str *path = arena_array_of(t->ctx->a, str, 1);
        path[0] = mapped ? scan_physical(t->ctx->a, f) : f->name;
        x.path = path;
        tests[n++] = x;
    }
    return n;
}

err *scan_emit(struct sql_env *env, const struct sql_scan_ask *ask, buf *out) {
    struct scan_table *t = ask->rel->scan;
    if (!t->snap) {
        size_t n = 0;
        buf_z(out, "(SELECT ");
        for (size_t i = 0; i < t->n; i++) {
            if (!ask->used[i]) continue;
            if (n++) buf_z(out, ", ");
            scan_quote_ident(t->cols[i].name, out);
        }
        if (ask->file_metadata) buf_z(out, n++ ? ", \"_metadata\"" : "\"_metadata\"");
        if (!n) buf_z(out, "NULL AS \"_bh_none\"");
        buf_fmt(out, " FROM (%.*s) f)", STR_ARG(ask->file_metadata ? t->duckdb_metadata : t->duckdb_from));
        return NULL;
    }
    (void)env;
    struct scan_files_ask files = {.files = t->snap->files, .n = t->snap->n_files, .used = ask->used, .row_ids = ask->row_ids,
                                   .file_metadata = ask->file_metadata};
    if (ask->n_prune && t->snap->n_files) {
        struct delta_test *tests = arena_array_of(t->ctx->a, struct delta_test, ask->n_prune);
        size_t n = tests_of(t, ask, tests);
        bool *keep = arena_array_of(t->ctx->a, bool, t->snap->n_files);
        delta_skip(t->snap, tests, n, keep);
        const struct delta_file **kept = arena_array_of(t->ctx->a, const struct delta_file *, t->snap->n_files);
        size_t left = 0;
        for (size_t i = 0; i < t->snap->n_files; i++)
            if (keep[i]) kept[left++] = t->snap->files[i];
        files.files = kept, files.n = left;
        t->tests = tests, t->n_tests = n;
    } else {
        t->n_tests = 0;
    }
    t->reads++;
    t->files_read = files.files, t->n_files_read = files.n;
    buf_c(out, '(');
    TRY(scan_emit_files(t, &files, out));
    buf_c(out, ')');
    return NULL;
}
