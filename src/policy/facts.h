/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routing table: the facts with which requests are authenticated and invocations decided,
 * without a store. Control owns the truth, applies each change to its own copy and sends it,
 * numbered, to every gateway, which applies it to an equal copy: facts, never verdicts.
 *
 * A change is (kind, remove, key, value [, descriptor]); value layouts (ipc/wire.h encodings):
 *   token      key SHA-256 of the secret (32 bytes)
 *              i64 principal, i64 workspace (0: account), i64 expiry us (0: never), str token id
 *   principal  key u64 id
 *              u8 type, bool active, str name, u32 n then n × i64 groups (closure),
 *              u32 n then n × {i64 workspace, bool admin}, bool account admin
 *   workspace  key u64 id:  str name, str host, u8 state
 *   signer     key kid:     str public key PEM (OAuth access tokens, ES256)
 *   endpoint   key u64 workspace, then the name's bytes: see struct fact_endpoint
 *   plan       key u64 entity id; descriptor: sealed memfd with a model plan
 *   account    key "terms": bool accepted; key "workspace": i64 the default workspace
 */
#ifndef BH_POLICY_FACTS_H
#define BH_POLICY_FACTS_H

#include "base/err.h"
#include "base/map.h"
#include "policy/policy.h"

enum fact_kind {
    FACT_TOKEN = 1,
    FACT_PRINCIPAL = 2,
    FACT_WORKSPACE = 3,
    FACT_SIGNER = 4,
    FACT_ENDPOINT = 5,
    FACT_PLAN = 6,
    FACT_ACCOUNT = 7,
};

enum principal_type { PRINCIPAL_USER = 1, PRINCIPAL_GROUP = 2, PRINCIPAL_SERVICE = 3 };

struct fact_token {
    int64_t principal, workspace, expires_us;
    char id[72];
    int64_t last_used_us; /* noted last; control persists it (rest/used.c) */
};

struct fact_membership {
    int64_t workspace;
    bool admin;
};

struct fact_principal {
    int64_t id;
    uint8_t type;
    bool active, account_admin;
    char *name;
    int64_t *groups;
    size_t n_groups;
    struct fact_membership *workspaces;
    size_t n_workspaces;
};

struct fact_workspace {
    int64_t id;
    char *name, *host;
    uint8_t state; /* 1: running */
};

/* One served entity of the active configuration. */
struct fact_entity {
    int64_t id;
    char *name;        /* served name, the response header served-model-name */
    uint8_t kind;      /* 1 native plan, 2 runtime_host */
    uint32_t traffic;  /* 0..100 */
    uint32_t concurrency;
    bool scale_to_zero;
    char *owner;       /* runtime_host's owner id */
    char *schema;      /* signature JSON, or "" */
};

/* value: i64 id, i64 owner, u8 state (1 ready, 2 not ready, 3 stopped), u32 n acl × {i64, u64},
 * u32 n × {i64 id, str name, u8 kind, u32 traffic, u32 concurrency, bool scale, str owner, str schema} */
struct fact_endpoint {
    int64_t id, workspace, owner;
    char *name;
    uint8_t state;
    struct policy_entry *acl;
    size_t n_acl;
    struct fact_entity *entities;
    size_t n_entities;
};

struct fact_plan {
    int64_t id;
    const void *base; /* mapping */
    size_t size;
    const void *plan; /* the checked plan inside the mapping; set by whoever checked it */
};

/* A change as bytes. */
struct fact_raw {
    uint16_t kind;
    str key, value;
    int fd;
};

struct facts {
    map *tokens, *principals, *workspaces, *signers, *endpoints, *plans;
    map *raw;  /* every fact as it came (struct fact_raw), to send it on; only with keep_raw */
    bool keep_raw;
    map *jwts; /* OAuth tokens verified before: SHA-256 -> struct fact_token */
    bool terms_accepted;
    int64_t default_workspace;
    uint64_t number; /* of the last change applied */
};

/* keep_raw: for control, which must be able to send everything to a new gateway. */
struct facts *facts_new(bool keep_raw);
void facts_free(struct facts *f);
void facts_clear(struct facts *f);

/* Applies one change; takes over fd (or closes it). Malformed values are an error (our bug). */
err *facts_apply(struct facts *f, uint16_t kind, bool remove, str key, str value, int fd) BH_CHECK;

struct fact_principal *facts_principal(const struct facts *f, int64_t id);
struct fact_workspace *facts_workspace(const struct facts *f, int64_t id);
struct fact_endpoint *facts_endpoint(const struct facts *f, int64_t workspace, str name);
struct fact_plan *facts_plan(const struct facts *f, int64_t entity);
/* Membership of a workspace: 0 none, 1 member, 2 admin. */
int facts_membership(const struct fact_principal *p, int64_t workspace);

/* Subject of a decision in a workspace. */
struct policy_subject facts_subject(const struct fact_principal *p, int64_t workspace);

#endif
