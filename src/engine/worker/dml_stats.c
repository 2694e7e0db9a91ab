/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of files as the log keeps them: from what COPY told of a file that was just written, or from reading a file that
 * somebody else wrote (CONVERT TO DELTA, CLONE, ANALYZE).
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/dml_int.h"

/* ---- statistics ---- */

static const struct dml_leaf *leaf_of(const struct dml_out_file *f, str path) {
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->leaves[i].path, path)) return &f->leaves[i];
    return NULL;
}

/* "2024-01-01 10:20:30.123456+00" → "2024-01-01T10:20:30.123Z", cut to milliseconds. */
static bool put_time(str v, bool zone, buf *out) {
    int64_t us;
    str t = v;
    if (zone && t.n > 3 && (t.p[t.n - 3] == '+' || t.p[t.n - 3] == '-')) t = str_cut(t, t.n - 3);
    if (!delta_time_of_text(t, &us) || t.n < 19) return false;
    int ms = (int)(((us % 1000000) + 1000000) % 1000000 / 1000);
    buf_fmt(out, "\"%.10s", t.p);
    buf_fmt(out, "T%.8s.%03d%s\"", t.p + 11, ms, zone ? "Z" : "");
    return true;
}

static bool put_bound(const struct sql_type *t, str v, bool max, buf *out) {
    double f;
    if (!v.p) return false;
    switch (t->kind) {
    case TY_TINYINT:
    case TY_SMALLINT:
    case TY_INT:
    case TY_BIGINT:
    case TY_DECIMAL: buf_str(out, v); return v.n > 0;
    case TY_FLOAT:
    case TY_DOUBLE:
        if (!str_to_f64(v, &f) || f - f != 0) return false;
        buf_str(out, v);
        return true;
    case TY_DATE:
        if (v.n != 10) return false;
        buf_json_str(out, v);
        return true;
    case TY_TIMESTAMP: return put_time(v, true, out);
    case TY_TIMESTAMP_NTZ: return put_time(v, false, out);
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: {
        buf cut = {0};
        bool has = str_is_utf8(v);
        if (has && max) has = delta_stats_max(v, &cut);
        if (has && !max) delta_stats_min(v, &cut);
        if (has) buf_json_str(out, buf_view(&cut));
        buf_free(&cut);
        return has;
    }
    default: return false;
    }
}

enum which { MINS, MAXS, NULLS };

/* Which leaf columns get statistics: a list of names, or the first so many; columns that the table is clustered by always. */
struct chosen {
    int left;              /* leaf columns that still get statistics; INT_MAX where `names` decides */
    str *names;            /* of the property, parts joined by '\0', logical; n_names 0: none */
    size_t n_names;
    str *clustered;        /* the same of the clustering columns, physical */
    size_t n_clustered;
};

struct stats_of {
    struct dml_x *x;
    const struct dml_out_file *f;
    bool mapped;
    struct chosen c;
};

/* Is `path` one of the list, or below one? */
static bool named(const str *list, size_t n, str path, bool fold) {
    for (size_t i = 0; i < n; i++) {
        if (path.n < list[i].n || (path.n > list[i].n && path.p[list[i].n] != '\0')) continue;
        str head = str_cut(path, list[i].n);
        if (fold ? str_ieq(head, list[i]) : str_eq(head, list[i])) return true;
    }
    return false;
}

static bool wanted(struct stats_of *s, str logical, str physical) {
    bool clustered = named(s->c.clustered, s->c.n_clustered, physical, false);
    if (s->c.n_names) return clustered || named(s->c.names, s->c.n_names, logical, true);
    if (s->c.left > 0) {
        s->c.left--;
        return true;
    }
    return clustered;
}

/* {"a":1,"s":{"b":2}} of one kind; false: empty. The paths have the parts above, each ended by '\0'. */
static bool put_level(struct stats_of *s, const struct sql_field *fields, size_t n, str logical, str physical, enum which w, buf *out) {
    bool any = false;
    buf_c(out, '{');
    for (size_t i = 0; i < n; i++) {
        const struct sql_field *f = &fields[i];
        if (!physical.n && dml_is_partition(s->x->metadata, f->name)) continue;
        str name = s->mapped ? scan_physical(s->x->a, f) : f->name;
        buf p = {0}, q = {0}, value = {0};
        buf_str(&p, physical), buf_str(&p, name);
        buf_str(&q, logical), buf_str(&q, f->name);
        bool has = false;
        if (f->type->kind == TY_STRUCT) {
            buf_c(&p, '\0'), buf_c(&q, '\0');
            has = put_level(s, f->type->fields, f->type->n, buf_view(&q), buf_view(&p), w, &value);
        } else if (wanted(s, buf_view(&q), buf_view(&p))) {
            const struct dml_leaf *leaf = leaf_of(s->f, buf_view(&p));
            if (leaf && w == NULLS && leaf->nulls >= 0) has = true, buf_fmt(&value, "%lld", (long long)leaf->nulls);
            if (leaf && w != NULLS && !(leaf->nan && w == MAXS)) has = put_bound(f->type, w == MINS ? leaf->min : leaf->max, w == MAXS, &value);
        }
        if (has) {
            if (any) buf_c(out, ',');
            buf_json_str(out, name);
            buf_c(out, ':');
            buf_str(out, buf_view(&value));
            any = true;
        }
        buf_free(&p), buf_free(&q), buf_free(&value);
    }
    buf_c(out, '}');
    return any;
}

/* "a, b.c, `d,e`" → a · b\0c · d,e */
static size_t name_list(arena *a, str text, str **ret) {
    size_t n = 0, max = 1;
    for (size_t i = 0; i < text.n; i++) max += text.p[i] == ',';
    *ret = arena_array_of(a, str, max + 1);
    buf b = {0};
    bool quoted = false;
    for (size_t i = 0; i <= text.n; i++) {
        char c = i < text.n ? text.p[i] : ',';
        if (c == '`')
            quoted = !quoted;
        else if (c == ',' && (!quoted || i == text.n)) {
            str one = str_trim(buf_view(&b));
            if (one.n) (*ret)[n++] = arena_str(a, one);
            buf_clear(&b);
        } else
            buf_c(&b, c == '.' && !quoted ? '\0' : c);
    }
    buf_free(&b);
    return n;
}

static size_t clustered_names(struct dml_x *x, str **ret) {
    const struct delta_domain *d = x->t ? delta_domain_of(x->t->snap, STR("delta.clustering")) : NULL;
    jval *v, *path;
    size_t i, max, n = 0;
    *ret = NULL;
    for (size_t k = 0; k < x->actions.n; k++)
        if (x->actions.p[k].kind == DELTA_DOMAIN && str_eqz(x->actions.p[k].domain.name, "delta.clustering")) d = &x->actions.p[k].domain;
    if (!d) return 0;
    err *e = json_parse(x->a, d->config, false, &v);
    if (e) {
        err_free(e);
        return 0;
    }
    jval *list = json_get(v, "clusteringColumns");
    *ret = arena_array_of(x->a, str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, max, path) {
        buf b = {0};
        for (size_t k = 0; k < yyjson_arr_size(path); k++) {
            if (k) buf_c(&b, '\0');
            buf_str(&b, json_str(yyjson_arr_get(path, k)));
        }
        (*ret)[n++] = dml_take(x, &b);
    }
    return n;
}

static struct chosen choose(struct dml_x *x) {
    struct chosen c = {.left = 32};
    int64_t n;
    str list = delta_map_get(&x->metadata->config, STR("delta.dataSkippingStatsColumns"));
    str count = delta_map_get(&x->metadata->config, STR("delta.dataSkippingNumIndexedCols"));
    if (list.n)
        c.n_names = name_list(x->a, list, &c.names);
    else if (count.n && str_to_i64(count, &n))
        c.left = n < 0 || n > 100000 ? 100000 : (int)n;
    c.n_clustered = clustered_names(x, &c.clustered);
    return c;
}

str dml_stats_text(struct dml_x *x, const struct dml_out_file *f) {
    static const struct {
        const char *key;
        enum which w;
    } parts[] = {{"minValues", MINS}, {"maxValues", MAXS}, {"nullCount", NULLS}};
    buf b = {0};
    struct chosen c = choose(x);
    buf_fmt(&b, "{\"numRecords\":%lld", (long long)f->rows);
    for (size_t i = 0; i < 3; i++) {
        struct stats_of s = {x, f, !str_eqz(delta_mapping_mode(x->metadata), "none"), c};
        buf level = {0};
        (void)put_level(&s, x->cols, x->n, STR(""), STR(""), parts[i].w, &level);
        buf_fmt(&b, ",\"%s\":%.*s", parts[i].key, STR_ARG(buf_view(&level)));
        buf_free(&level);
    }
    if (delta_has_feature(x->protocol, "deletionVectors")) buf_z(&b, ",\"tightBounds\":true");
    buf_c(&b, '}');
    return dml_take(x, &b);
}

/* ---- from files that are there ---- */

typedef vec_of(str) leaf_list; /* the leaves' paths */

/* min, max and nulls of each leaf below `ref` into the select list. */
static void put_leaves(struct dml_x *x, const struct sql_field *f, str ref, str path, bool mapped, leaf_list *leaves, buf *out) {
    str name = mapped ? scan_physical(x->a, f) : f->name;
    buf p = {0};
    buf_str(&p, path), buf_str(&p, name);
    if (f->type->kind == TY_STRUCT) {
        buf_c(&p, '\0');
        str below = dml_take(x, &p);
        for (size_t i = 0; i < f->type->n; i++) {
            str inner = str_of(arena_printf(x->a, "struct_extract(%.*s, 'f%zu')", STR_ARG(ref), i));
            put_leaves(x, &f->type->fields[i], inner, below, mapped, leaves, out);
        }
        return;
    }
    static const enum sql_type_kind bounded[] = {TY_TINYINT, TY_SMALLINT, TY_INT, TY_BIGINT, TY_DECIMAL, TY_FLOAT, TY_DOUBLE, TY_DATE, TY_TIMESTAMP,
                                                 TY_TIMESTAMP_NTZ, TY_STRING, TY_CHAR, TY_VARCHAR};
    bool has = false;
    for (size_t i = 0; i < ARRAY_LEN(bounded); i++) has |= f->type->kind == bounded[i];
    vec_push(leaves, dml_take(x, &p));
    for (int k = 0; k < 2; k++) {
        const char *fn = k ? "max" : "min";
        if (!has)
            buf_z(out, ", CAST(NULL AS VARCHAR)");
        else if (f->type->kind == TY_TIMESTAMP)
            buf_fmt(out, ", strftime(timezone('UTC', %s(%.*s)), '%%Y-%%m-%%d %%H:%%M:%%S.%%f') || '+00'", fn, STR_ARG(ref));
        else if (f->type->kind == TY_TIMESTAMP_NTZ)
            buf_fmt(out, ", strftime(%s(%.*s), '%%Y-%%m-%%d %%H:%%M:%%S.%%f')", fn, STR_ARG(ref));
        else
            buf_fmt(out, ", CAST(%s(%.*s) AS VARCHAR)", fn, STR_ARG(ref));
    }
    buf_fmt(out, ", CAST(count(*) - count(%.*s) AS VARCHAR)", STR_ARG(ref));
}

static void take_row(struct dml_x *x, const str *cell, const leaf_list *leaves, struct dml_out_file *f) {
    (void)str_to_i64(cell[1], &f->rows);
    f->leaves = arena_array_of(x->a, struct dml_leaf, leaves->n + 1);
    f->n = leaves->n;
    for (size_t i = 0; i < leaves->n; i++) {
        struct dml_leaf *l = &f->leaves[i];
        *l = (struct dml_leaf){.path = leaves->p[i], .min = cell[2 + i * 3], .max = cell[3 + i * 3], .nulls = -1};
        (void)str_to_i64(cell[4 + i * 3], &l->nulls);
        l->nan = str_ieq(l->max, STR("nan"));
    }
}

/* At most so many files in one query: each has its own constants in the text. */
#define AT_ONCE 500

err *dml_stats_read(struct dml_x *x, struct scan_table *t, const struct delta_file *const *files, size_t n, bool whole, struct dml_out_file *ret) {
    bool mapped = !str_eqz(delta_mapping_mode(&t->snap->metadata), "none");
    leaf_list leaves = {0};
    buf list = {0};
    for (size_t i = 0; i < t->n; i++) {
        buf ref = {0};
        if (dml_is_partition(&t->snap->metadata, t->cols[i].name) || t->cols[i].type->kind == TY_VOID) continue;
        scan_quote_ident(t->cols[i].name, &ref);
        put_leaves(x, &t->cols[i], dml_take(x, &ref), STR(""), mapped, &leaves, &list);
    }
    str select = dml_take(x, &list);
    err *e = NULL;
    for (size_t from = 0; !e && from < n; from += AT_ONCE) {
        size_t k = n - from < AT_ONCE ? n - from : AT_ONCE;
        struct scan_files_ask ask = {.files = files + from, .n = k, .row_ids = true, .no_dv = whole};
        struct scan_rows rows;
        map *place = map_new();
        buf q = {0};
        for (size_t i = 0; !e && i < k; i++) {
            str path;
            e = scan_file_path(t, files[from + i]->path, &path);
            if (!e) map_put(place, path, &ret[from + i]);
            ret[from + i] = (struct dml_out_file){.size = files[from + i]->size};
        }
        buf_fmt(&q, "SELECT _bh_file, CAST(count(*) AS VARCHAR)%.*s FROM (", STR_ARG(select));
        if (!e) e = scan_emit_files(t, &ask, &q);
        buf_z(&q, ") s GROUP BY _bh_file");
        if (!e) e = scan_query(x->d->con, x->a, buf_view(&q), &rows);
        for (size_t r = 0; !e && r < rows.rows; r++) {
            struct dml_out_file *f = map_get(place, rows.cell[r * rows.cols]);
            if (f) take_row(x, rows.cell + r * rows.cols, &leaves, f);
        }
        buf_free(&q);
        map_free(place);
    }
    vec_free(&leaves);
    return e;
}
