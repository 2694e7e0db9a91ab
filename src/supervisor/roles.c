/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/roles.h"

int role_by_name(str name) {
    for (int i = 0; i < ROLE_COUNT; i++)
        if (str_eqz(name, role_rows[i].name)) return i;
    return -1;
}

bool role_owner_ok(str owner) {
    if (owner.n == 0 || owner.n > 64) return false;
    for (size_t i = 0; i < owner.n; i++) {
        char c = owner.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c == '-'))
            return false;
    }
    return true;
}
