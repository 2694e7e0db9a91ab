/* SPDX-License-Identifier: Apache-2.0 */
/* Every table of C functions; a new fn_<area>.c adds its table here and in fn_int.h. */
#include "engine/worker/fn_int.h"

const struct fn_table *const fn_tables[] = {
    &fn_table_cast, &fn_table_core, &fn_table_json, &fn_table_variant, &fn_table_text, &fn_table_text2, &fn_table_regex, &fn_table_decimal, &fn_table_number,
    &fn_table_hash, &fn_table_crypto, &fn_table_url, &fn_table_date, &fn_table_format, &fn_table_misc, &fn_table_sketch, &fn_table_topk, &fn_table_csv, &fn_table_xpath, &fn_table_variant_schema,
};
const size_t fn_n_tables = ARRAY_LEN(fn_tables);
