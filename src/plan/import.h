/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a model file to a plan. Runs in the importer's sandbox: the file is untrusted, and so is
 * whatever this makes of it until plan_check() has seen it on the other side.
 *
 * Errors: INVALID_PARAMETER_VALUE, the file is damaged or hostile; NOT_IMPLEMENTED, the file is fine
 * and no plan can express it (the model then runs in Python); each with a reason for the user.
 */
#ifndef BH_PLAN_IMPORT_H
#define BH_PLAN_IMPORT_H

#include "base/json.h"
#include "plan/format.h"

/* Part of the key under which plans are cached, beside the digest of the model: one more whenever an importer
 * makes another plan of the same file. */
#define IMPORT_VERSION 1

/* A column of the model's signature. */
struct import_column {
    str name;
    enum plan_kind kind;
    bool required;
};

/* Class labels, of one type. */
struct import_labels {
    enum plan_label_type type;
    size_t n;
    const int64_t *integers; /* PLAN_L_INT, PLAN_L_BOOL */
    const double *numbers;   /* PLAN_L_FLOAT */
    const str *strings;      /* PLAN_L_STRING */
};

/* What the file itself does not say. All may be empty. */
struct import_meta {
    const struct import_column *columns; /* the signature; without one the model's own names are used */
    size_t n_columns;
    str wrapper;    /* class in Python: "XGBClassifier", "Booster", "LGBMRegressor", … */
    str predict_fn; /* "predict" (also if empty), "predict_proba" */
    struct import_labels labels;
    double missing; /* value that means missing; NaN if none */
};

/* Meta of a file that comes alone. */
#define IMPORT_META_NONE ((struct import_meta){.missing = __builtin_nan("")})

/* Reads "meta" and "columns" of an export.json (python/boathouse_export tells its form). Strings point
 * into the document. */
err *import_meta_read(arena *a, jval *export_json, struct import_meta *ret) BH_CHECK;

/* Each appends a checked plan to the empty `out`. `text` must stay as it is meanwhile; the arena takes
 * what is needed on the way. */
err *import_xgboost_json(arena *a, str text, const struct import_meta *m, buf *out) BH_CHECK;
err *import_xgboost_ubj(arena *a, str bytes, const struct import_meta *m, buf *out) BH_CHECK;
err *import_lightgbm_text(arena *a, str text, const struct import_meta *m, buf *out) BH_CHECK;

/* A named file of an export. */
struct import_file {
    str name, bytes;
};
struct import_files {
    const struct import_file *files;
    size_t n;
};

/* `json` is "boathouse.sklearn/1" (see import_sklearn.c); a pipeline that ends in XGBoost or LightGBM names
 * the file of that model, which is looked up in `files`. */
err *import_sklearn_json(arena *a, str json, const struct import_meta *m,
                         const struct import_files *files, buf *out) BH_CHECK;

/* The front: `kind` is "xgboost-json", "xgboost-ubj", "lightgbm-text" or "sklearn-json"; the model is
 * the first of `files`. If kind is empty it is told from the first bytes. */
err *import_model(arena *a, str kind, const struct import_files *files, const struct import_meta *m,
                  buf *out) BH_CHECK;

#endif
