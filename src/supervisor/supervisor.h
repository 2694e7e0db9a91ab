/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of all processes: opens the listeners, starts the roles, brokers channels between
 * them, restarts what dies, keeps last words. It reads no user data; frames come only from control,
 * which may name a row of tables/roles.json and an owner, nothing else.
 */
#ifndef BH_SUPERVISOR_SUPERVISOR_H
#define BH_SUPERVISOR_SUPERVISOR_H

#include "sys/settings.h"

struct supervisor_options {
    const char *data_dir; /* absolute */
    struct settings *settings;
    const char *python_dir; /* folder of python/ (modules shipped into sandboxes), or NULL */
    const char *base_env;   /* base Python environment, or NULL */
    const char *uv;         /* the builder of environments, or NULL */
    const char *engine;     /* the program boathouse-engine, or NULL */
    const char *duckdb;     /* its libduckdb.so, or NULL */
    int master_key_fd;      /* memory file with a master key for control; -1: it lies in the data folder */
    int log_fd;             /* where log lines go */
    bool test_clock;
    /* Called each time the platform answers after a start of control: addresses or NULL. */
    void (*on_ready)(const char *data_dir, const char *http, const char *https);
    buf *tls_chain, *tls_key; /* PEM; empty without HTTPS */
    /* Called once a day and on a reload: appends the certificate in force to two empty buffers. */
    err *(*renew_tls)(const char *data_dir, const struct settings *s, buf *chain, buf *key);
};

/* Runs until SIGINT/SIGTERM and everything is drained. *ret_code is the exit code. An error means
 * that the platform could not start (port in use, folder locked, …): exit code 2. */
err *supervisor_run(const struct supervisor_options *o) BH_CHECK;

#endif
