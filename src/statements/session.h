/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL sessions: a user's current catalog and schema, settings, temporary views and variables on one warehouse.
 *
 * Control keeps names and settings; temporary views and variables live in the engine of the cluster that the
 * session was opened on. When that ends, the session is opened again on another with names and settings, without
 * the rest; a transaction that was open is aborted then. Sessions are gone after a restart of control. Loop thread only.
 */
#ifndef BH_STATEMENTS_SESSION_H
#define BH_STATEMENTS_SESSION_H

#include "statements/warehouse.h"

struct sql_session {
    struct warehouse *w;
    char id[37];
    struct store_scope scope;
    int64_t user;
    char *user_name;
    char *client;            /* application that opened it */
    char *catalog, *schema;
    map *conf;               /* upper-case name -> malloc'd value */
    struct cluster *cluster; /* where it is open, or NULL */
    struct sql_session *next, *prev; /* of the service, longest idle first */
    bool of_one;             /* made for one statement, ends with it */
    bool closed;             /* freed with its last statement */
    bool manual;             /* AUTOCOMMIT is off */
    bool transaction;        /* a transaction is open (or aborted) in the engine of `cluster` */
    int64_t used;            /* loop_now */
    size_t statements;       /* under way */
    map *running;            /* id -> statement under way */
};

struct session_ask {
    struct warehouse *w;
    str catalog, schema;         /* empty: the workspace's default catalog, "default" */
    const struct msg_pair *conf; /* SET values */
    size_t n_conf;
    str client;                  /* User-Agent */
    bool of_one;
};
/* On a lane that reads the metastore, before session_open(): is there such a catalog, as far as the caller may know?
 * NO_SUCH_CATALOG_EXCEPTION. A schema may be named before it is made. */
err *session_look(struct req *r, str catalog) BH_CHECK;
/* The caller must hold CAN_USE (asked here). RESOURCE_EXHAUSTED beyond sql.max_sessions. Not of_one: the warehouse
 * is woken, so that the first statement finds it running. */
err *session_open(struct req *r, const struct session_ask *ask, struct sql_session **ret) BH_CHECK;
/* The caller's own; RESOURCE_DOES_NOT_EXIST for all others. `w` NULL: of any warehouse. */
err *session_find(struct req *r, str id, const struct warehouse *w, struct sql_session **ret) BH_CHECK;
/* Cancels what runs in it. */
void session_close(struct sql_session *s);
/* SET values as the engine takes them, in the arena. */
void session_conf(const struct sql_session *s, arena *a, const struct msg_pair **ret, size_t *ret_n);
/* A setting's value, STR_NONE if it is not set. Name in upper case. */
str session_setting(const struct sql_session *s, const char *name);
/* One setting changed; value p NULL: unset. */
void session_set(struct sql_session *s, str name, str value);
/* What a statement changed: {"catalog","schema","conf":{name: value or null},"autocommit","transaction"}. */
void session_changed(struct sql_session *s, jval *change);
/* A statement of it ended. */
void session_release(struct sql_session *s);

#endif
