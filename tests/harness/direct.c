/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/direct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "identity/identity.h"
#include "sys/files.h"

static arena *kept; /* answers of direct_ok() */

static void ok(err *e) {
    if (e) fail_msg("%s: %s", err_name(err_code_of(e)), err_msg(e));
}

struct seed {
    struct direct *d;
    struct direct_user *u;
    arena *a;
};

static err *seed_platform(store_tx *tx, void *arg) {
    struct seed *s = arg;
    struct ent_account account = {.uuid = STR("11111111-2222-4333-8444-555555555555"),
                                  .name = STR("test")};
    account.id = IDENTITY_ACCOUNT;
    TRY(ent_account_insert(tx, identity_account(), &account));
    struct ent_user u = {.user_name = STR("admin"), .active = true, .account_admin = true};
    TRY(ent_user_insert(tx, identity_account(), &u));
    struct ent_group g = {.display_name = STR("account users"), .builtin = true};
    TRY(ent_group_insert(tx, identity_account(), &g));
    struct ent_workspace w;
    TRY(identity_workspace_create(tx, s->a, STR("one"), STR("one"), false, u.id, &w));
    s->d->workspace = w.id;
    TRY(identity_workspace_create(tx, s->a, STR("two"), STR("two"), false, u.id, &w));
    s->d->other_workspace = w.id;
    s->d->admin = u.id;
    s->d->everyone = g.id;
    return NULL;
}

void direct_open(struct direct *d) {
    memset(d, 0, sizeof(*d));
    snprintf(d->dir, sizeof(d->dir), "/tmp/bh-direct-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    settings_init(&d->c.settings);
    struct store_options o = {.dir = d->dir, .master_key = STR("0123456789abcdef0123456789abcdef")};
    ok(store_open(&o, &d->c.store));
    snprintf(d->c.account_id, sizeof(d->c.account_id), "11111111-2222-4333-8444-555555555555");
    memset(d->c.page_key, 7, sizeof(d->c.page_key));
    memset(d->c.url_key, 9, sizeof(d->c.url_key));
    kept = arena_new();
    struct seed s = {.d = d, .a = kept};
    ok(store_write_sync(d->c.store, STORE_META, seed_platform, &s, NULL));
}

void direct_close(struct direct *d) {
    store_close(d->c.store);
    arena_free(kept);
    settings_free(&d->c.settings);
    ok(files_remove_tree(d->dir, 1u << 20));
}

static err *seed_user(store_tx *tx, void *arg) {
    struct seed *s = arg;
    struct ent_user u = {.user_name = str_of(s->u->name), .active = true};
    TRY(ent_user_insert(tx, identity_account(), &u));
    s->u->id = u.id;
    return NULL;
}

struct direct_user direct_user(struct direct *d, const char *name, bool admin) {
    struct direct_user u = {.admin = admin, .groups = {d->everyone}};
    snprintf(u.name, sizeof(u.name), "%s", name);
    struct seed s = {.d = d, .u = &u};
    ok(store_write_sync(d->c.store, STORE_META, seed_user, &s, NULL));
    return u;
}

/* ---- calls ---- */

static struct req *new_req(struct direct *d, const struct direct_user *u, int64_t workspace,
                           const char *args) {
    static const struct route_row row = {.service = "test", .name = "test", .method = "POST",
                                         .path = "/test"};
    arena *a = arena_new();
    struct req *r = arena_new_of(a, struct req);
    r->a = a;
    r->control = &d->c;
    r->row = &row;
    r->take.fd = r->reply_fd = -1;
    r->principal = u->id;
    r->principal_name = str_of(u->name);
    r->principal_type = PRINCIPAL_USER;
    r->scope = (struct store_scope){IDENTITY_ACCOUNT, workspace ? workspace : d->workspace};
    size_t n = 0;
    while (n < 4 && u->groups[n]) n++;
    r->who = (struct policy_subject){.id = u->id, .groups = u->groups, .n_groups = n,
                                     .active = true, .workspace_admin = u->admin,
                                     .metastore_admin = u->admin};
    char *text = arena_strdup(a, args);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    ok(json_parse(a, str_of(text), false, &r->args));
    return r;
}

struct step {
    struct req *r;
    step_fn fn;
};

static err *write_job(store_tx *tx, void *arg) {
    struct step *s = arg;
    s->r->tx = tx;
    err *e = s->fn(s->r);
    s->r->tx = NULL;
    return e;
}

static err *run(struct req *r, enum lane lane, step_fn fn) {
    if (lane == LANE_WORK || lane == LANE_SYNC) return fn(r);
    if (lane == LANE_READ) {
        jval *as_of = arg(r, "as_of");
        TRY(store_read_begin(r->control->store, STORE_META, as_of ? yyjson_get_sint(as_of) : 0,
                             &r->tx));
        err *e = fn(r);
        store_read_end(r->tx);
        r->tx = NULL;
        return e;
    }
    struct step s = {r, fn};
    struct store_actor actor = {.principal = r->principal, .action = STR("test")};
    return store_write_sync(r->control->store, STORE_META, write_job, &s, &actor);
}

struct req *direct_call(struct direct *d, const struct direct_user *u, int64_t workspace,
                        enum lane lane, step_fn fn, const char *args) {
    struct req *r = new_req(d, u, workspace, args);
    r->failure = run(r, lane, fn);
    if (!r->failure) r->raw = json_text(r->a, req_out(r));
    return r;
}

struct req *direct_call2(struct direct *d, const struct direct_user *u, step_fn work, step_fn write,
                         const char *args) {
    struct req *r = new_req(d, u, 0, args);
    r->failure = run(r, LANE_WORK, work);
    if (!r->failure) r->failure = run(r, LANE_WRITE, write);
    if (!r->failure) r->raw = json_text(r->a, req_out(r));
    return r;
}

void direct_end(struct req *r) {
    vec_free(&r->facts);
    err_free(r->failure);
    arena_free(r->a);
}

jval *direct_ok(struct direct *d, const struct direct_user *u, enum lane lane, step_fn fn,
                const char *args) {
    struct req *r = direct_call(d, u, 0, lane, fn, args);
    if (r->failure)
        fail_msg("%s: %s: %s", args, err_name(err_code_of(r->failure)), err_msg(r->failure));
    jval *v;
    ok(json_parse(kept, r->raw, false, &v));
    direct_end(r);
    return v;
}

void direct_fails(struct direct *d, const struct direct_user *u, enum lane lane, step_fn fn,
                  const char *args, err_code code, const char *part) {
    struct req *r = direct_call(d, u, 0, lane, fn, args);
    if (err_code_of(r->failure) != code || !strstr(err_msg(r->failure), part))
        fail_msg("%s: expected %s \"%s\", got %s: %s", args, err_name(code), part,
                 r->failure ? err_name(err_code_of(r->failure)) : "success",
                 r->failure ? err_msg(r->failure) : r->raw.p);
    direct_end(r);
}
