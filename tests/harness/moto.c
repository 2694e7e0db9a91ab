/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/moto.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static const char *root(void) {
    const char *r = getenv("BOATHOUSE_ROOT");
    return r ? r : ".";
}

void moto_start(struct moto *m, bool auth) {
    char python[512], script[512], line[512];
    snprintf(python, sizeof(python), "%s/.deps/py/client/bin/python", root());
    snprintf(script, sizeof(script), "%s/tests/harness/moto_server.py", root());
    int to[2], from[2];
    if (pipe(to) < 0 || pipe(from) < 0) die("pipe");
    *m = (struct moto){.pid = fork()};
    if (m->pid < 0) die("fork");
    if (m->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int fd = 3; fd < 256; fd++) close(fd);
        unsetenv("LD_PRELOAD");
        execl(python, python, script, auth ? "--auth" : NULL, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    m->stdin_fd = to[1];
    FILE *f = fdopen(from[0], "r");
    if (!f || !fgets(line, sizeof(line), f) ||
        sscanf(line, "%d %63s %127s", &m->port, m->key_id, m->secret) != 3) {
        fprintf(stderr, "the S3 server did not start: %s %s\n", python, script);
        exit(1);
    }
    fclose(f);
    snprintf(m->endpoint, sizeof(m->endpoint), "http://127.0.0.1:%d", m->port);
    err *e = egress_new(str_of(m->endpoint + strlen("http://")), &m->allow);
    must(e == NULL);
}

void moto_kill(struct moto *m) {
    if (m->pid <= 0) return;
    kill(m->pid, SIGKILL);
    waitpid(m->pid, NULL, 0);
    m->pid = 0;
}

void moto_stop(struct moto *m) {
    if (m->stdin_fd > 0) close(m->stdin_fd);
    m->stdin_fd = 0;
    moto_kill(m);
    egress_free(m->allow);
    m->allow = NULL;
}

struct storage_s3_config moto_config(const struct moto *m) {
    return (struct storage_s3_config){.bucket = STR("bucket"),
                                      .prefix = STR("root/w1/"),
                                      .endpoint = str_of(m->endpoint),
                                      .path_style = true,
                                      .access_key_id = str_of(m->key_id),
                                      .secret_access_key = str_of(m->secret),
                                      .egress = m->allow,
                                      .tries = 3,
                                      .backoff_ms = 5};
}
