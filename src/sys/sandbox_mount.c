/* SPDX-License-Identifier: Apache-2.0 */
/* Detached mounts: opening what is to be shown, copying it, narrowing it, putting it in place. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/files.h"
#include "sys/spawn_int.h"

#define AT_RECURSIVE_ 0x8000 /* AT_RECURSIVE, which older C library headers lack */

int sandbox_mount_open(const char *base, const char *path) {
    int at = open(base, O_PATH | O_CLOEXEC);
    if (at < 0) return -errno;
    if (!path || !*path) return at;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
    int saved = errno;
    close(at);
    return fd >= 0 ? fd : -saved;
}

int sandbox_mount_clone(int at, bool recursive, bool writable, bool exec, bool device) {
    unsigned deep = recursive ? AT_RECURSIVE_ : 0;
    int tree = (int)syscall(SYS_open_tree, at, "",
                            AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);
    if (tree < 0) return -errno;
    struct mount_attr a = {.attr_set = MOUNT_ATTR_NOSUID | (device ? 0 : MOUNT_ATTR_NODEV) |
                                       (writable ? 0 : MOUNT_ATTR_RDONLY) |
                                       (exec ? 0 : MOUNT_ATTR_NOEXEC)};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | deep, &a, sizeof(a)) == 0) return tree;
    int saved = errno;
    close(tree);
    return -saved;
}

int sandbox_mount_place(int root, const char *inside) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, root, inside, &how, sizeof(how));
    return fd >= 0 ? fd : -errno;
}

int sandbox_mount_move(int tree, int place) {
    return syscall(SYS_move_mount, tree, "", place, "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0
               ? 0
               : -errno;
}

err *sandbox_mount_check(const struct sandbox_mount *m) {
    if (!m->base || m->base[0] != '/' || !m->inside || m->inside[0] != '/' || !m->inside[1])
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a mount needs absolute paths: '%s' at '%s'",
                       m->base ? m->base : "", m->inside ? m->inside : "");
    if (strstr(m->inside, "..") || strstr(m->inside, "//") || strlen(m->inside) > 200)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "not a usable place in a sandbox: '%.200s'",
                       m->inside);
    return NULL;
}

static err *write_map(pid_t pid, const char *file, uint32_t inside, uint32_t outside) {
    char path[64], line[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int n = snprintf(line, sizeof(line), "%u %u 1\n", inside, outside);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return err_errno("cannot open %s", path);
    err *e = write(fd, line, (size_t)n) == n ? NULL : err_errno("cannot write %s", path);
    close(fd);
    return e;
}

err *sandbox_write_maps(pid_t pid, uint32_t inside, uint32_t outside_uid, uint32_t outside_gid,
                        bool deny_setgroups) {
    if (deny_setgroups) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) return err_errno("cannot open %s", path);
        err *e = write(fd, "deny", 4) == 4 ? NULL : err_errno("cannot write %s", path);
        close(fd);
        if (e) return e;
    }
    TRY(write_map(pid, "uid_map", inside, outside_uid));
    return write_map(pid, "gid_map", inside, outside_gid);
}

/* A user namespace whose map says: who is `disk` on disk is `shown` in the mount. It needs a
 * process only until its descriptor is open. */
static err *owner_namespace(uint32_t disk_uid, uint32_t disk_gid, uint32_t shown, int *ret_fd) {
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (;;) pause();
    }
    if (pid < 0) return err_errno("cannot make a user namespace for an owner's mapping");
    char path[64];
    err *e = write_map(pid, "uid_map", disk_uid, shown);
    if (!e) e = write_map(pid, "gid_map", disk_gid, shown);
    if (!e) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            e = err_errno("cannot open %s", path);
        else
            *ret_fd = fd;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
    return e;
}

static err *map_owner(int tree, int at, const char *name, uint32_t uid) {
    struct stat st;
    if (fstat(at, &st) != 0) return err_errno("cannot read %s", name);
    if (st.st_uid == uid && st.st_gid == uid) return NULL;
    int user = -1;
    TRY(owner_namespace(st.st_uid, st.st_gid, uid, &user));
    struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user};
    err *e = NULL;
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof(a)) != 0) {
        e = err_errno("cannot map the owner of %s", name);
        err_hint(e, "its file system has no idmapped mounts: put the data folder on ext4, xfs, "
                    "btrfs or tmpfs, or run Boathouse as an ordinary user");
    }
    close(user);
    return e;
}

err *sandbox_mount_make(const struct sandbox_mount *m, uint32_t uid, int *ret_fd) {
    int at = sandbox_mount_open(m->base, m->path);
    char name[256];
    snprintf(name, sizeof(name), "%.120s%s%.120s", m->base, m->path ? "/" : "",
             m->path ? m->path : "");
    if (at < 0) {
        errno = -at;
        return err_errno("cannot open %s for a sandbox", name);
    }
    /* An owner's folder is shown without what may be mounted in it; system folders with it. */
    int tree = sandbox_mount_clone(at, !m->as_owner, m->writable, m->exec, false);
    errno = -tree;
    err *e = tree < 0 ? err_errno("cannot copy the mount of %s", name) : NULL;
    if (!e && m->as_owner && uid) e = map_owner(tree, at, name, uid);
    close(at);
    if (e) {
        if (tree >= 0) close(tree);
        return e;
    }
    *ret_fd = tree;
    return NULL;
}
