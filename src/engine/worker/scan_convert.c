/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between what Parquet files hold and the forms of sql/type.h, as DuckDB text: names of struct fields (f0, f1, … inside),
 * columns that a file lacks, types that were widened since it was written, timestamps without a zone.
 */
#include <stdio.h>

#include "engine/worker/scan_int.h"

static str metadata_str(arena *a, str metadata, const char *key) {
    jval *v;
    if (!metadata.n || str_find(metadata, str_of(key)) < 0) return STR_NONE;
    err *e = json_parse(a, metadata, false, &v);
    if (e) {
        err_free(e);
        return STR_NONE;
    }
    return json_get_str(v, key);
}

str scan_physical(arena *a, const struct sql_field *f) {
    str s = metadata_str(a, f->metadata, "delta.columnMapping.physicalName");
    return s.n ? s : f->name;
}

int32_t scan_field_id(arena *a, const struct sql_field *f) {
    jval *v;
    int64_t id;
    if (!f->metadata.n || str_find(f->metadata, STR("delta.columnMapping.id")) < 0) return -1;
    err *e = json_parse(a, f->metadata, false, &v);
    if (e) {
        err_free(e);
        return -1;
    }
    return json_i64(json_get(v, "delta.columnMapping.id"), &id) && id >= 0 && id <= INT32_MAX ? (int32_t)id : -1;
}

static bool has_ids(const struct footer_node *group) {
    for (size_t i = 0; i < group->n; i++)
        if (group->child[i].field_id >= 0) return true;
    return false;
}

const struct footer_node *scan_find_node(struct scan_conv *v, const struct footer_node *group, const struct sql_field *f) {
    if (v->by_id && has_ids(group)) {
        int32_t id = scan_field_id(v->a, f);
        for (size_t i = 0; i < group->n && id >= 0; i++)
            if (group->child[i].field_id == id) return &group->child[i];
        return NULL;
    }
    str name = v->mapped ? scan_physical(v->a, f) : f->name;
    for (size_t i = 0; i < group->n; i++)
        if (str_eq(group->child[i].name, name)) return &group->child[i];
    for (size_t i = 0; i < group->n && !v->mapped; i++)
        if (str_ieq(group->child[i].name, name)) return &group->child[i];
    return NULL;
}

/* Would a value go over as it is? */
static bool same(struct scan_conv *v, const struct footer_node *n, const struct sql_type *t) {
    const struct footer_node *k, *e;
    switch (t->kind) {
    case TY_STRUCT:
    case TY_VARIANT:
    case TY_OBJECT:
    case TY_CHAR:
    case TY_VOID: return false;
    case TY_ARRAY: return (e = footer_element(n)) && same(v, e, t->elem);
    case TY_MAP: return footer_map(n, &k, &e) && same(v, k, t->key) && same(v, e, t->elem);
    default: break;
    }
    if (n->phys == PHYS_GROUP) return false;
    buf have = {0}, want = {0};
    footer_duckdb_type(n, &have);
    sql_type_write_duckdb(t, &want);
    bool eq = str_eq(buf_view(&have), buf_view(&want)) && !n->repeated;
    buf_free(&have), buf_free(&want);
    return eq;
}

static void null_of(const struct sql_type *t, buf *out) {
    buf_z(out, "CAST(NULL AS ");
    if (t->kind == TY_VOID)
        buf_z(out, "INTEGER");
    else
        sql_type_write_duckdb(t, out);
    buf_c(out, ')');
}

static str buf_arena(arena *a, buf *b) {
    str s = arena_str(a, buf_view(b));
    buf_free(b);
    return s;
}

static void struct_of(struct scan_conv *v, str ref, const struct footer_node *n, const struct sql_type *t, buf *out) {
    buf_fmt(out, "CASE WHEN %.*s IS NULL THEN ", STR_ARG(ref));
    null_of(t, out);
    buf_z(out, " ELSE struct_pack(");
    for (size_t i = 0; i < t->n; i++) {
        const struct footer_node *c = scan_find_node(v, n, &t->fields[i]);
        buf_fmt(out, "%sf%zu := ", i ? ", " : "", i);
        buf inner = {0};
        if (c) {
            buf_fmt(&inner, "struct_extract(%.*s, ", STR_ARG(ref));
            scan_quote_text(c->name, &inner);
            buf_c(&inner, ')');
        }
        scan_convert(v, buf_arena(v->a, &inner), c, t->fields[i].type, out);
    }
    buf_z(out, ") END");
}

/* Texts of char(n) are as long as they were declared, whoever wrote them. */
void scan_pad(str ref, const struct sql_type *t, buf *out) {
    buf_fmt(out, "CASE WHEN length(%.*s) < %d THEN rpad(%.*s, %d, ' ') ELSE %.*s END", STR_ARG(ref), t->length, STR_ARG(ref), t->length, STR_ARG(ref));
}

static void primitive(str ref, const struct footer_node *n, const struct sql_type *t, buf *out) {
    buf have = {0};
    footer_duckdb_type(n, &have);
    buf_c(&have, '\0');
    bool naive = str_eqz(str_n(have.p, have.n - 1), "TIMESTAMP"), zoned = str_starts(str_n(have.p, have.n), STR("TIMESTAMP WITH"));
    bool blob = str_eqz(str_n(have.p, have.n - 1), "BLOB"), text = str_eqz(str_n(have.p, have.n - 1), "VARCHAR");
    buf_free(&have);
    if (text && t->kind == TY_CHAR) {
        scan_pad(ref, t, out);
    } else if ((naive && t->kind == TY_TIMESTAMP) || (zoned && t->kind == TY_TIMESTAMP_NTZ)) {
        buf_fmt(out, "timezone('UTC', %.*s)", STR_ARG(ref));
    } else if (blob && sql_is_text(t)) {
        buf_fmt(out, "decode(%.*s)", STR_ARG(ref));
    } else if (text && t->kind == TY_BINARY) {
        buf_fmt(out, "encode(%.*s)", STR_ARG(ref));
    } else {
        buf_fmt(out, "CAST(%.*s AS ", STR_ARG(ref));
        sql_type_write_duckdb(t, out);
        buf_c(out, ')');
    }
}

/* Lists of two levels whose element is a group of one field: DuckDB takes the group for the middle of three levels and yields the field. */
static str element_ref(struct scan_conv *v, const struct footer_node *list, const struct footer_node *e, str x) {
    if (e != &list->child[0] || e->phys != PHYS_GROUP || e->n != 1) return x;
    buf b = {0};
    buf_z(&b, "struct_pack(");
    scan_quote_ident(e->child[0].name, &b);
    buf_fmt(&b, " := %.*s)", STR_ARG(x));
    return buf_arena(v->a, &b);
}

void scan_convert(struct scan_conv *v, str ref, const struct footer_node *n, const struct sql_type *t, buf *out) {
    const struct footer_node *k, *e;
    if (!n || t->kind == TY_VOID || t->kind == TY_OBJECT) {
        null_of(t, out);
        return;
    }
    if (same(v, n, t)) {
        buf_str(out, ref);
        return;
    }
    int var = v->vars++;
    str x = str_of(arena_printf(v->a, "v%d", var));
    if (t->kind == TY_STRUCT && n->phys == PHYS_GROUP) {
        struct_of(v, ref, n, t, out);
    } else if (t->kind == TY_VARIANT && n->phys == PHYS_GROUP) {
        /* An annotated group comes as DuckDB's own VARIANT, an older one as the struct of two. */
        bool own = n->logical == LOG_VARIANT && !v->plain_variants;
        str parts = own ? str_of(arena_printf(v->a, "CAST(variant_to_parquet_variant(%.*s) AS STRUCT(metadata BLOB, \"value\" BLOB))", STR_ARG(ref))) : ref;
        if (!own || !v->no_null_variants) buf_fmt(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE ", STR_ARG(ref));
        buf_fmt(out, "bh_variant_join(struct_extract(%.*s, 'metadata'), struct_extract(%.*s, 'value'))", STR_ARG(parts), STR_ARG(parts));
        if (!own || !v->no_null_variants) buf_z(out, " END");
    } else if (t->kind == TY_ARRAY && (e = footer_element(n))) {
        buf_fmt(out, "list_transform(%.*s, lambda %.*s: ", STR_ARG(ref), STR_ARG(x));
        scan_convert(v, element_ref(v, n, e, x), e, t->elem, out);
        buf_c(out, ')');
    } else if (t->kind == TY_MAP && footer_map(n, &k, &e)) {
        buf_fmt(out, "map_from_entries(list_transform(map_entries(%.*s), lambda %.*s: struct_pack(k := ", STR_ARG(ref), STR_ARG(x));
        scan_convert(v, str_of(arena_printf(v->a, "struct_extract(%.*s, 'key')", STR_ARG(x))), k, t->key, out);
        buf_z(out, ", v := ");
        scan_convert(v, str_of(arena_printf(v->a, "struct_extract(%.*s, 'value')", STR_ARG(x))), e, t->elem, out);
        buf_z(out, ")))");
    } else if (n->phys == PHYS_GROUP) {
        null_of(t, out);
    } else {
        primitive(ref, n, t, out);
    }
}

/* ---- to files ---- */

static bool plain(const struct sql_type *t) {
    switch (t->kind) {
    case TY_STRUCT:
    case TY_VARIANT: return false;
    case TY_ARRAY: return plain(t->elem);
    case TY_MAP: return plain(t->key) && plain(t->elem);
    default: return true;
    }
}

void scan_unconvert(struct scan_conv *v, str ref, const struct sql_type *t, buf *out) {
    if (plain(t)) {
        buf_str(out, ref);
        return;
    }
    str x = str_of(arena_printf(v->a, "v%d", v->vars++));
    switch (t->kind) {
    case TY_STRUCT:
        buf_fmt(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(ref));
        for (size_t i = 0, n = 0; i < t->n; i++) {
            if (t->fields[i].type->kind == TY_VOID) continue; /* files have none */
            if (n++) buf_z(out, ", ");
            scan_quote_ident(v->mapped ? scan_physical(v->a, &t->fields[i]) : t->fields[i].name, out);
            buf_z(out, " := ");
            scan_unconvert(v, str_of(arena_printf(v->a, "struct_extract(%.*s, 'f%zu')", STR_ARG(ref), i)), t->fields[i].type, out);
        }
        buf_z(out, ") END");
        return;
    case TY_ARRAY:
        buf_fmt(out, "list_transform(%.*s, lambda %.*s: ", STR_ARG(ref), STR_ARG(x));
        scan_unconvert(v, x, t->elem, out);
        buf_c(out, ')');
        return;
    case TY_MAP:
        buf_fmt(out, "map_from_entries(list_transform(map_entries(%.*s), lambda %.*s: struct_pack(k := ", STR_ARG(ref), STR_ARG(x));
        scan_unconvert(v, str_of(arena_printf(v->a, "struct_extract(%.*s, 'key')", STR_ARG(x))), t->key, out);
        buf_z(out, ", v := ");
        scan_unconvert(v, str_of(arena_printf(v->a, "struct_extract(%.*s, 'value')", STR_ARG(x))), t->elem, out);
        buf_z(out, ")))");
        return;
    default:
        buf_fmt(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(\"value\" := bh_variant_part(%.*s, true), metadata := "
                "bh_variant_part(%.*s, false)) END", STR_ARG(ref), STR_ARG(ref), STR_ARG(ref));
        return;
    }
}
