/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role control: begin → settings from the supervisor → stores → first start or load → serve → drain.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/gen_routes.h"
#include "base/log.h"
#include "bh_version.h"
#include "catalog/catalogs.h"
#include "engine/link.h"
#include "files/blob.h"
#include "files/purge.h"
#include "identity/identity.h"
#include "main/main.h"
#include "main/role.h"
#include "main/services.h"
#include "policy/credential.h"
#include "rest/control.h"
#include "statements/statements.h"
#include "store/keys.h"
#include "sys/files.h"

#define DRAIN_LOOK_US 10000

struct boot_state {
    struct control c;
    bool opened;      /* stores are open, facts loaded */
    bool announced;
    struct bootstrap boot;
    char http[80], https[80]; /* listeners' addresses */
    int key_fd;               /* the master key, or -1: it is in the data folder */
    loop_timer drain;
    int64_t drain_until;
};

/* ---- connect.env ---- */

/* The token of the file that is there, if it still works. */
static bool old_token(struct boot_state *b, char *out, size_t n) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/connect.env", b->c.data_dir);
    buf text = {0};
    err *e = files_read(path, 65536, &text);
    bool good = false;
    str rest = buf_view(&text), line;
    while (!e && str_split(&rest, '\n', &line)) {
        if (!str_starts(line, STR("DATABRICKS_TOKEN="))) continue;
        str token = str_trim(str_from(line, 17));
        if (!token.n || token.n >= n) break;
        memcpy(out, token.p, token.n);
        out[token.n] = 0;
        unsigned char h[32];
        credential_hash(token, h);
        good = map_get(b->c.facts->tokens, str_n((char *)h, 32)) != NULL;
        break;
    }
    err_free(e);
    buf_free(&text);
    return good;
}

static err *write_connect(struct boot_state *b, const char *token) {
    char path[PATH_MAX];
    bool tls = b->https[0] != 0;
    const char *addr = tls ? b->https : b->http;
    buf t = {0};
    /* A listener on every address is reached as localhost. */
    str a = str_of(addr);
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] == ':') colon = (ptrdiff_t)i;
    bool any = str_starts(a, STR("0.0.0.0:")) || str_starts(a, STR("[::]:"));
    if (any && colon > 0)
        buf_fmt(&t, "DATABRICKS_HOST=%s://localhost%s\n", tls ? "https" : "http", addr + colon);
    else
        buf_fmt(&t, "DATABRICKS_HOST=%s://%s\n", tls ? "https" : "http", addr);
    buf_fmt(&t, "DATABRICKS_TOKEN=%s\n", token);
    if (tls) {
        buf_fmt(&t, "SSL_CERT_FILE=%s/tls/bundle.pem\n", b->c.host_data);
        buf_fmt(&t, "REQUESTS_CA_BUNDLE=%s/tls/bundle.pem\n", b->c.host_data);
        buf_fmt(&t, "NODE_EXTRA_CA_CERTS=%s/tls/ca.pem\n", b->c.host_data);
    }
    str warehouse = statements_first_warehouse(&b->c, b->c.default_workspace);
    if (warehouse.n)
        buf_fmt(&t, "DATABRICKS_WAREHOUSE_ID=%.*s\nDATABRICKS_HTTP_PATH=/sql/1.0/warehouses/%.*s\n",
                STR_ARG(warehouse), STR_ARG(warehouse));
    snprintf(path, sizeof(path), "%s/connect.env", b->c.data_dir);
    err *e = files_write(path, buf_view(&t), 0600);
    buf_free(&t);
    return e;
}

static void announce(struct boot_state *b) {
    char token[80];
    if (!old_token(b, token, sizeof(token))) {
        struct bootstrap again;
        err *e = identity_bootstrap(b->c.store, &b->c.settings, true, &again);
        if (e) {
            log_error("cannot make a token for connect.env", lf_err(e));
            err_free(e);
            return;
        }
        snprintf(token, sizeof(token), "%s", again.token);
        /* The bootstrap wrote past the request machinery: take the new token into the facts. */
        e = identity_load_tokens(&b->c, again.workspace);
        err_free(e);
    }
    err *e = write_connect(b, token);
    if (e) {
        log_error("cannot write connect.env", lf_err(e));
        err_free(e);
        return;
    }
    log_info("Boathouse answers", lf_z("http", b->http[0] ? b->http : "off"),
             lf_z("https", b->https[0] ? b->https : "off"),
             lf_str("warehouse", statements_first_warehouse(&b->c, b->c.default_workspace)),
             lf_z("next", "eval \"$(build/release/boathouse env --data DIR)\", or read DIR/connect.env"));
    CHAN_SEND(b->c.supervisor, ready, 0, -1, .none = 0);
}

/* ---- opening ---- */

static err *open_store(struct boot_state *b) {
    char dir[PATH_MAX], key_path[PATH_MAX];
    unsigned char master[STORE_KEY_SIZE];
    snprintf(dir, sizeof(dir), "%s/store", b->c.data_dir);
    snprintf(key_path, sizeof(key_path), "%s/master.key", b->c.data_dir);
    if (b->key_fd >= 0) {
        TRY(keys_master_fd(b->key_fd, master));
        close(b->key_fd);
    } else {
        TRY(keys_master_file(key_path, !keys_exist(dir), master));
    }
    struct store_options o = {.dir = dir, .master_key = str_n((char *)master, sizeof(master))};
    err *e = store_open(&o, &b->c.store);
    keys_wipe(master, sizeof(master));
    if (e) return e;
    store_derive_key(b->c.store, "page tokens", b->c.page_key);
    store_derive_key(b->c.store, "signed urls", b->c.url_key);
    return NULL;
}

/* Count limits of entities are settings. */
static int64_t limit_of(void *arg, const char *setting) {
    int id = settings_find(str_of(setting));
    return id < 0 ? 0 : settings_int(arg, (enum setting_id)id);
}

static err *open_all(struct boot_state *b) {
    struct control *c = &b->c;
    TRY(open_store(b));
    TRY(identity_bootstrap(c->store, &c->settings, false, &b->boot));
    TRY(catalog_start(c->store, IDENTITY_ACCOUNT, b->boot.admin));
    TRY(purge_mark(c));
    snprintf(c->account_id, sizeof(c->account_id), "%s", b->boot.account_uuid);
    c->default_workspace = b->boot.workspace;
    c->facts = facts_new(true);
    TRY(identity_load_facts(c));
    c->router = router_new(route_rows, route_rows_n);
    TRY(jobs_new("worker", (int)settings_int(&c->settings, SET_WORKERS), &c->workers));
    TRY(jobs_new("sync", 16, &c->syncers));
    ent_set_limits(c->store, limit_of, &c->settings);
    TRY(blobs_open(c));
    TRY(purge_begin(c));
    TRY(services_start(c));
    control_start(c);
    b->opened = true;
    return NULL;
}

/* ---- frames of the supervisor ---- */

static void on_settings(struct boot_state *b, str text) {
    err *e = settings_read_text(&b->c.settings, "settings", text, SETTING_COMMAND);
    if (!e) log_set_level(settings_log_level(&b->c.settings));
    if (!e && !b->opened) e = open_all(b);
    if (!e) return;
    if (b->opened) {
        log_error("settings refused", lf_err(e));
        err_free(e);
        return;
    }
    _exit(role_end("control", e));
}

static void on_peer(struct boot_state *b, struct chan_frame *f, const struct msg_peer *m) {
    int fd = f->fd;
    f->fd = -1;
    if (fd < 0) return;
    if (str_eqz(m->role, "gateway")) {
        err *e = control_add_gateway(&b->c, fd, m->instance);
        if (e) {
            log_error("cannot talk to the gateway", lf_err(e));
            err_free(e);
        }
    } else if (str_eqz(m->role, "courier")) {
        blobs_on_courier(&b->c, fd);
        engine_pool_on_courier(&b->c);
    } else if (b->c.on_peer) {
        b->c.on_peer(&b->c, m->role, m->owner, m->instance, fd);
    } else {
        close(fd);
    }
}

/* Draining: the gateways finish what they have and go; what is left then is answered to nobody. */
static void on_drain_look(loop_timer *t) {
    struct boot_state *b = (struct boot_state *)((char *)t - offsetof(struct boot_state, drain));
    bool done = b->c.gateways.n == 0 && b->c.n_live == 0;
    if (done || loop_now(b->c.l) >= b->drain_until)
        loop_stop(b->c.l);
    else
        loop_timer_set(b->c.l, t, DRAIN_LOOK_US);
}

static void on_supervisor_frame(chan *ch, struct chan_frame *f, void *arg) {
    (void)ch;
    struct boot_state *b = arg;
    arena *a = arena_new();
    struct msg_reload re;
    struct msg_peer peer;
    struct msg_listener li;
    struct msg_drain dr;
    if (f->type == MSG_RELOAD && msg_reload_decode(a, f->payload, &re)) {
        on_settings(b, re.text);
    } else if (f->type == MSG_PEER && msg_peer_decode(a, f->payload, &peer)) {
        on_peer(b, f, &peer);
    } else if (f->type == MSG_LISTENER && msg_listener_decode(a, f->payload, &li)) {
        char *at = li.tls ? b->https : b->http; /* the first one is the one that is told */
        if (!at[0]) snprintf(at, sizeof(b->http), "%.*s", STR_ARG(li.address));
    } else if (f->type == MSG_DRAIN) {
        b->c.draining = true;
        b->drain.on_time = on_drain_look;
        if (!msg_drain_decode(a, f->payload, &dr)) dr.deadline_ms = 0;
        b->drain_until = loop_now(b->c.l) + (int64_t)dr.deadline_ms * 1000;
        loop_timer_set(b->c.l, &b->drain, DRAIN_LOOK_US);
    } else {
        services_on_supervisor(&b->c, f);
    }
    arena_free(a);
}

static void on_supervisor_close(chan *ch, const char *why, void *arg) {
    (void)ch;
    (void)why;
    (void)arg;
    _exit(0); /* nothing may outlive the supervisor */
}

static void on_synced(struct control *c) {
    struct boot_state *b = (struct boot_state *)((char *)c - offsetof(struct boot_state, c));
    if (b->announced) return;
    b->announced = true;
    announce(b);
}

static err *run(struct boot_state *b, const struct role_args *args) {
    static const struct chan_events ev = {.on_frame = on_supervisor_frame,
                                          .on_close = on_supervisor_close};
    settings_init(&b->c.settings);
    b->c.record_fd = args->record_fd;
    b->key_fd = args->key_fd;
    b->c.data_dir = strdup(args->data_dir);
    b->c.host_data = strdup(args->host_data ? args->host_data : args->data_dir);
    b->c.sandbox_level = args->level;
    b->c.reduced = strcmp(args->level, "reduced") == 0;
    b->c.on_gateway_synced = on_synced;
    TRY(loop_new(&b->c.l));
    TRY(chan_new(b->c.l, ROLE_FD_CHANNEL, &ev, b, &b->c.supervisor));
    loop_run(b->c.l);
    services_stop(&b->c);
    jobs_free(b->c.workers);
    jobs_free(b->c.syncers);
    services_end(&b->c);
    blobs_close(&b->c);
    store_close(b->c.store);
    return NULL;
}

int role_control(int argc, char **argv) {
    struct role_args args;
    err *e = role_begin("control", argc, argv, &args);
    if (!e && !args.data_dir) e = err_new(ERR_INVALID_PARAMETER_VALUE, "--data is missing");
    if (!e) e = role_confine("control", &args);
    struct boot_state *b = calloc(1, sizeof(*b));
    must(b != NULL);
    if (!e) e = run(b, &args);
    return role_end("control", e);
}
