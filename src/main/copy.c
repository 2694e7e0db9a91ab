/* SPDX-License-Identifier: Apache-2.0 */
#include "main/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/files.h"

#define MAX_DEPTH 32
#define MAX_NAMES (16u << 20)

static err *copy_bytes(int in, int out, const char *to) {
    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, 1u << 30, 0);
        if (n == 0) return fsync(out) == 0 ? NULL : err_errno("cannot sync %s", to);
        if (n > 0 || errno == EINTR) continue;
        if (errno != EXDEV && errno != EINVAL && errno != ENOSYS) return err_errno("cannot write %s", to);
        break;
    }
    char chunk[65536];
    ssize_t n;
    while ((n = read(in, chunk, sizeof(chunk))) > 0) TRY(files_write_fd(out, to, chunk, (size_t)n));
    if (n < 0) return err_errno("cannot read for %s", to);
    return fsync(out) == 0 ? NULL : err_errno("cannot sync %s", to);
}

static err *copy_file(const char *from, const char *to, bool link_it) {
    if (link_it && link(from, to) == 0) return NULL;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0) return errno == ENOENT ? NULL : err_errno("cannot open %s", from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    err *e = out < 0 ? err_errno("cannot make %s", to) : copy_bytes(in, out, to);
    close(in);
    if (out >= 0) close(out);
    return e;
}

static err *copy_at(const char *from, const char *to, bool link_it, int depth) {
    if (depth > MAX_DEPTH) return err_new(ERR_IO_ERROR, "%s is nested too deeply.", from);
    TRY(files_mkdirs(to, 0700));
    struct files_names names = {0};
    TRY(files_list(from, MAX_NAMES, &names));
    err *e = NULL;
    for (size_t i = 0; !e && i < names.n; i++) {
        char a[PATH_MAX], b[PATH_MAX];
        struct stat st;
        int n = snprintf(a, sizeof(a), "%s/%s", from, names.p[i]);
        int m = snprintf(b, sizeof(b), "%s/%s", to, names.p[i]);
        if (n >= (int)sizeof(a) || m >= (int)sizeof(b))
            e = err_new(ERR_IO_ERROR, "a path below %s is too long.", from);
        else if (lstat(a, &st) != 0)
            e = errno == ENOENT ? NULL : err_errno("cannot read %s", a);
        else if (S_ISDIR(st.st_mode))
            e = copy_at(a, b, link_it, depth + 1);
        else if (S_ISREG(st.st_mode))
            e = copy_file(a, b, link_it);
    }
    files_names_free(&names);
    return e;
}

err *copy_tree(const char *from, const char *to) { return copy_at(from, to, true, 0); }

err *copy_move(const char *from, const char *to) {
    if (rename(from, to) == 0) return files_sync_parent(to);
    if (errno != EXDEV) return err_errno("cannot move the backup to %s", to);
    TRY(copy_at(from, to, false, 0));
    return files_remove_tree(from, MAX_NAMES);
}
