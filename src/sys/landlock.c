/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights by ABI, from the kernel's userspace-api/landlock page; our headers may be older. */
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ (3ull << 2) /* files and folders */
#define FS_READ_FILE (1ull << 2)
#define FS_REMOVE (3ull << 4)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_MAKE_SOCK (1ull << 9)
#define FS_MAKE_FIFO (1ull << 10)
#define FS_MAKE_SYM (1ull << 12)
#define FS_REFER (1ull << 13)    /* ABI 2 */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define FS_ALL_1 ((1ull << 13) - 1)
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define NET_BIND (1ull << 0)      /* ABI 4 */
#define NET_CONNECT (1ull << 1)
#define SCOPE_ALL 3ull /* ABI 6: abstract Unix sockets, signals */

/* Of the rights, those that make sense for what is no folder. */
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset_attr { /* as of ABI 6; older kernels are given its beginning only */
    uint64_t fs, net, scoped;
};

static uint64_t handled_fs(int abi) {
    return FS_ALL_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

int landlock_abi(void) {
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return v > 0 ? (int)v : 0;
}

int landlock_begin(int abi, bool files, int deny_tcp) {
    struct ruleset_attr a = {.fs = files ? handled_fs(abi) : 0};
    size_t size = sizeof(a.fs);
    if (abi >= 4) {
        a.net = ((deny_tcp & SANDBOX_NO_BIND) ? NET_BIND : 0) |
                ((deny_tcp & SANDBOX_NO_CONNECT) ? NET_CONNECT : 0);
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 6) {
        a.scoped = SCOPE_ALL;
        size = sizeof(a);
    }
    /* Linking and renaming between directories is refused under every ruleset that does not allow it,
     * also one without rules for files (landlock(7), LANDLOCK_ACCESS_FS_REFER). */
    bool refer = !files && abi >= 2;
    if (refer) a.fs = FS_REFER;
    long fd = syscall(SYS_landlock_create_ruleset, &a, size, 0);
    if (fd < 0) return -errno;
    if (refer) {
        struct landlock_path_beneath_attr all = {.allowed_access = FS_REFER,
                                                 .parent_fd = open("/", O_PATH | O_CLOEXEC)};
        if (all.parent_fd >= 0) {
            syscall(SYS_landlock_add_rule, (int)fd, LANDLOCK_RULE_PATH_BENEATH, &all, 0);
            close(all.parent_fd);
        }
    }
    return (int)fd;
}

int landlock_allow(int ruleset, int abi, const char *path, int rights) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : -errno;
    uint64_t allowed = 0;
    if (rights & SANDBOX_READ) allowed |= FS_READ;
    if (rights & SANDBOX_EXEC) allowed |= FS_EXECUTE;
    if (rights & SANDBOX_WRITE)
        allowed |= FS_WRITE_FILE | FS_REMOVE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK |
                   FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE;
    struct stat st;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) allowed &= FS_OF_FILES;
    struct landlock_path_beneath_attr a = {.allowed_access = allowed & handled_fs(abi),
                                           .parent_fd = fd};
    int rc = 0;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

int landlock_end(int ruleset) {
    int rc = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : -errno;
    close(ruleset);
    return rc;
}
