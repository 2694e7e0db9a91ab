/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parts of the engine answer that are built without their folder: a refusal. Weak, so that the real ones win.
 */
#include "engine/worker/dml.h"

#define WEAK __attribute__((weak))

static err *absent(const char *what) { return err_new(ERR_NOT_IMPLEMENTED, "this engine is built without %s", what); }

WEAK err *scan_direct(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct sql_relation **ret) {
    (void)c, (void)e, (void)from, (void)ret;
    return absent("paths");
}
WEAK err *scan_files(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct sql_relation **ret) {
    (void)c, (void)e, (void)call, (void)ret;
    return absent("read_files");
}
WEAK bool dml_takes(const struct ast *statement) {
    (void)statement;
    return false;
}
WEAK err *dml_run(struct dml *d, const struct ast *statement, struct dml_result *ret) {
    (void)d, (void)statement, (void)ret;
    return absent("changes of tables");
}
