/* SPDX-License-Identifier: Apache-2.0 */
/* The front of the importers: which one reads the file, and what is said beside it. */
#include "plan/import_int.h"

err *import_column_read(jval *v, struct import_column *to) {
    str type = json_get_str(v, "type");
    if (!yyjson_is_obj(v) || !plan_kind_by_name(type, &to->kind))
        return IMPORT_UNSUPPORTED("a column of type \"%.*s\".", STR_ARG(str_cut(type, 80)));
    to->name = json_get_str(v, "name");
    jval *required = json_get(v, "required");
    to->required = !required || yyjson_get_bool(required);
    return NULL;
}

static err *read_columns(arena *a, jval *list, struct import_meta *m) {
    if (!list || yyjson_is_null(list)) return NULL;
    size_t n = yyjson_arr_size(list), i, max;
    if (!yyjson_is_arr(list) || n > PLAN_MAX_INPUTS) return IMPORT_DAMAGED("its columns.");
    struct import_column *columns = arena_array_of(a, struct import_column, n + 1);
    jval *v;
    yyjson_arr_foreach(list, i, max, v) TRY(import_column_read(v, &columns[i]));
    m->columns = columns;
    m->n_columns = n;
    return NULL;
}

err *import_labels_read(arena *a, jval *o, struct import_labels *to) {
    static const struct {
        const char *name;
        enum plan_label_type type;
    } types[] = {
        {"int", PLAN_L_INT}, {"float", PLAN_L_FLOAT}, {"bool", PLAN_L_BOOL}, {"string", PLAN_L_STRING}};
    if (!o || yyjson_is_null(o)) return NULL;
    jval *list = json_get(o, "values"), *v;
    size_t n = yyjson_arr_size(list), i, max;
    for (size_t k = 0; k < ARRAY_LEN(types); k++)
        if (str_eqz(json_get_str(o, "type"), types[k].name)) to->type = types[k].type;
    if (to->type == PLAN_L_NONE || n == 0 || n > PLAN_MAX_OUTPUTS) return IMPORT_DAMAGED("its classes.");
    int64_t *integers = arena_array_of(a, int64_t, n);
    double *numbers = arena_array_of(a, double, n);
    str *strings = arena_array_of(a, str, n);
    yyjson_arr_foreach(list, i, max, v) {
        bool ok = false;
        switch (to->type) {
        case PLAN_L_INT: ok = json_i64(v, &integers[i]); break;
        case PLAN_L_BOOL: ok = yyjson_is_bool(v), integers[i] = yyjson_get_bool(v); break;
        case PLAN_L_FLOAT: ok = json_f64(v, &numbers[i]); break;
        default: ok = yyjson_is_str(v), strings[i] = json_str(v);
        }
        if (!ok) return IMPORT_DAMAGED("class %zu has another type.", i);
    }
    to->n = n;
    to->integers = integers;
    to->numbers = numbers;
    to->strings = strings;
    return NULL;
}

err *import_meta_read(arena *a, jval *export_json, struct import_meta *ret) {
    struct import_meta m = IMPORT_META_NONE;
    jval *meta = json_get(export_json, "meta"), *missing = json_get(meta, "missing");
    m.wrapper = json_get_str(meta, "wrapper");
    m.predict_fn = json_get_str(meta, "predict_fn");
    if (missing && !yyjson_is_null(missing) && !json_f64(missing, &m.missing))
        return IMPORT_DAMAGED("\"missing\" is not a number.");
    TRY(import_labels_read(a, json_get(meta, "classes"), &m.labels));
    TRY(read_columns(a, json_get(export_json, "columns"), &m));
    *ret = m;
    return NULL;
}

static str guess_kind(str bytes) {
    if (str_starts(bytes, STR("tree\n")) || str_starts(bytes, STR("tree\r\n"))) return STR("lightgbm-text");
    if (str_starts(bytes, STR("{L")) || str_starts(bytes, STR("{i")) || str_starts(bytes, STR("{U")))
        return STR("xgboost-ubj");
    if (str_find(str_cut(bytes, 256), STR("boathouse.sklearn/")) >= 0) return STR("sklearn-json");
    if (str_starts(str_trim(str_cut(bytes, 64)), STR("{"))) return STR("xgboost-json");
    return STR_NONE;
}

err *import_model(arena *a, str kind, const struct import_files *files, const struct import_meta *m,
                  buf *out) {
    if (files->n == 0) return IMPORT_DAMAGED("there is no file.");
    str bytes = files->files[0].bytes;
    if (kind.n == 0) kind = guess_kind(bytes);
    if (str_eqz(kind, "xgboost-json")) return import_xgboost_json(a, bytes, m, out);
    if (str_eqz(kind, "xgboost-ubj")) return import_xgboost_ubj(a, bytes, m, out);
    if (str_eqz(kind, "lightgbm-text")) return import_lightgbm_text(a, bytes, m, out);
    if (str_eqz(kind, "sklearn-json")) return import_sklearn_json(a, bytes, m, files, out);
    return IMPORT_UNSUPPORTED("no importer reads this kind of file%s%.*s.", kind.n ? ": " : "",
                              STR_ARG(str_cut(kind, 80)));
}
