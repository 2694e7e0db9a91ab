/* SPDX-License-Identifier: Apache-2.0 */
/* What a statement says of a row filter or mask, as a table's row keeps it. */
#include "catalog/cmd.h"
#include "catalog/policy_call.h"

static err *fault(enum policy_call_fault what, str bad) {
    if (what == POLICY_CALL_NAME) return ask_error("INVALID_IDENTIFIER", "42602", "The name of the function of a row filter or mask cannot be read.");
    if (what == POLICY_CALL_END) return ask_error("PARSE_SYNTAX_ERROR", "42601", "The arguments of a row filter or mask have no end.");
    return ask_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000", "Row filters and masks are given columns and constants; '%.*s' is neither.",
                     STR_ARG(str_cut(bad, 100)));
}

err *cmd_read_policy(struct ask *k, str text, struct cmd_policy *ret) {
    struct ask part = *k;
    struct policy_call c;
    str bad;
    jval *name;
    jmut *parts = yyjson_mut_arr(k->d);
    *ret = (struct cmd_policy){.names = yyjson_mut_arr(k->d), .arguments = yyjson_mut_arr(k->d)};
    enum policy_call_fault what = policy_call_read(k->c->a, text, &c, &bad);
    if (what) return fault(what, bad);
    for (size_t i = 0; i < c.n_args; i++) {
        json_add_str(k->d, ret->names, c.args[i].text);
        json_put_str(k->d, json_add_obj(k->d, ret->arguments), c.args[i].constant ? "constant" : "column", c.args[i].text);
        ret->constants |= c.args[i].constant;
    }
    for (size_t i = 0; i < c.n_parts; i++) json_add_str(k->d, parts, c.parts[i]);
    TRY(json_parse(k->c->a, json_text(k->c->a, parts), false, &name));
    return ask_name(&part, name, 3, &ret->function);
}
