/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/filter.h"
#include "sys/landlock.h"

const struct sandbox_row *sandbox_by_name(str name) {
    for (int i = 0; i < SANDBOX_COUNT; i++)
        if (str_eqz(name, sandbox_rows[i].name)) return &sandbox_rows[i];
    return NULL;
}

static const char *const LEVELS[] = {"full", "user", "reduced"};

const char *sandbox_level_name(enum sandbox_level level) { return LEVELS[level]; }

bool sandbox_level_by_name(str name, enum sandbox_level *ret) {
    for (size_t i = 0; i < ARRAY_LEN(LEVELS); i++)
        if (str_eqz(name, LEVELS[i])) {
            *ret = (enum sandbox_level)i;
            return true;
        }
    return false;
}

static err *system_error(int rc, const char *what, const struct sandbox_row *row) {
    errno = -rc;
    return err_errno("cannot %s of profile %s", what, row->name);
}

/* Keeps those of `mask` that we have; the bounding set too, so that no program brings more. */
static err *keep_caps(const struct sandbox_row *row, uint64_t mask) {
    for (int cap = 0; cap < 64; cap++) {
        if (mask >> cap & 1) continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM) break;
    }
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];
    if (syscall(SYS_capget, &head, d) != 0) return system_error(-errno, "read capabilities", row);
    for (int i = 0; i < 2; i++) {
        d[i].permitted &= (uint32_t)(mask >> (32 * i));
        d[i].effective = d[i].permitted;
        d[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &head, d) != 0) return system_error(-errno, "drop capabilities", row);
    return NULL;
}

static err *add_landlock(const struct sandbox_row *row, enum sandbox_level level) {
    bool files = row->confine_rules && level != SANDBOX_REDUCED;
    if (!files && !row->confine_deny_tcp) return NULL;
    int abi = landlock_abi();
    if (abi == 0 && level == SANDBOX_REDUCED) return NULL;
    if (abi == 0)
        return err_hint(err_new(ERR_INVALID_STATE, "this kernel has no Landlock"),
                        "enable it (boot parameter lsm=…,landlock), or set sandbox.level=reduced");
    int set = landlock_begin(abi, files, row->confine_deny_tcp);
    if (set == -ENOMSG) return NULL; /* nothing that this ABI knows */
    if (set < 0) return system_error(set, "make Landlock rules", row);
    int rc = files ? landlock_allow(set, abi, "/dev/null", SANDBOX_READ | SANDBOX_WRITE) : 0;
    for (const struct sandbox_rule *r = row->confine_rules; !rc && files && r->path; r++)
        rc = landlock_allow(set, abi, r->path, r->rights);
    if (rc) {
        close(set);
        return system_error(rc, "add Landlock rules", row);
    }
    rc = landlock_end(set);
    return rc ? system_error(rc, "set Landlock rules", row) : NULL;
}

err *sandbox_confine(const struct sandbox_row *row, enum sandbox_level level) {
    const struct sock_fprog *program = NULL;
    TRY(filter_program(row->confine_filter, &program));
    if (row->caps && geteuid() == 0) TRY(keep_caps(row, row->caps));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return system_error(-errno, "set no_new_privs", row);
    TRY(add_landlock(row, level));
    int rc = filter_load(program);
    return rc ? system_error(rc, "load the seccomp list", row) : NULL;
}
