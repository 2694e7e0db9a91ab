/* SPDX-License-Identifier: Apache-2.0 */
#include "courier/service.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "courier/courier.h"
#include "courier/index.h"
#include "sys/clock.h"
#include "sys/jobs.h"
#include "sys/storage_s3.h"

#define CONFIRM_S 60
#define COURIER_MAX_PLACES 4096u
#define COURIER_MAX_ENDED 100000u /* of each generation */
enum { LANE_SHORT, LANE_IN, LANE_OUT, LANE_INDEX, LANES };
/* One store has at most `share` of a lane's threads, so that one that is slow, or does not answer, holds up nobody else's orders. */
static const struct {
    const char *name;
    int threads, share;
} lane_rows[LANES] = {{"short", 16, 10}, {"in", 24, 18}, {"out", 48, 36}, {"index", 16, 16}};

/* Storage of one set of settings; orders keep the one that they began with. Loop thread only. */
struct root {
    storage *s;
    egress *allow;
    size_t refs;
};

/* A store that control named: a storage credential's. Loop thread only. */
struct place {
    char *id;
    struct root *root;
};

/* A channel of control, or of an engine. Freed when closed and unused. Loop thread only. */
struct link {
    courier *c;
    chan *ch; /* NULL when closed */
    unsigned char key[ORDER_KEY_SIZE], grant_key[ORDER_KEY_SIZE];
    bool keyed, granting;
    struct link *control; /* of an engine's channel: the one that it came through; NULL: it is control's */
    size_t refs;
};

struct task {
    courier *c;
    struct link *link;
    struct root *root;
    uint64_t stream;
    arena *a;
    struct order o;
    int fd;
    buf outcome;
    err *failed;
    struct storage_info head;
    struct relay *relay; /* of an index order; loop thread only */
    bool ending;         /* the relay is told to stop */
    int lane;
    uint64_t turn;       /* the order in which tasks came */
    bool waits;          /* its store has its share of the lane already */
    /* between the loop's thread and the worker */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool cancelled, decided, whole;
    int64_t said_size;
};

struct courier {
    loop *l;
    jobs *lanes[LANES];
    uint64_t turns;
    struct root *root;
    struct settings settings; /* what relays need */
    vec_of(struct link *) links;
    vec_of(struct task *) tasks;
    vec_of(struct place) places;
    map *ended;                  /* numbers of statements whose grants are over, of the last two … */
    map *ended_before;           /* … generations */
    bool draining;
    void (*on_drained)(void *arg);
    void *drained_arg;
};

/* ---- counting references ---- */

static void root_drop(struct root *r) {
    if (!r || --r->refs > 0) return;
    storage_free(r->s);
    egress_free(r->allow);
    free(r);
}

static void link_drop(struct link *k) {
    if (--k->refs > 0) return;
    if (k->control) link_drop(k->control);
    explicit_bzero(k->key, sizeof(k->key));
    explicit_bzero(k->grant_key, sizeof(k->grant_key));
    free(k);
}

/* A storage of these settings' egress rules; counts one reference. */
static err *root_new(struct storage_s3_config *cfg, const struct settings *s, struct root **ret) {
    struct root *r = calloc(1, sizeof(*r));
    must(r != NULL);
    r->refs = 1;
    err *e = egress_new(settings_str(s, SET_EGRESS_ALLOW), &r->allow);
    cfg->egress = r->allow;
    if (!e) e = storage_s3_new(cfg, &r->s);
    if (e) {
        root_drop(r);
        return e;
    }
    *ret = r;
    return NULL;
}

static err *link_new(courier *c, int fd, struct link *control);
static void link_close(struct link *k);

/* ---- a task on its thread ---- */

static err *confirm(void *arg, int64_t size, const unsigned char sha256[32]) {
    struct task *t = arg;
    (void)sha256;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CONFIRM_S;
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    while (!t->decided && !t->cancelled && rc == 0)
        rc = pthread_cond_timedwait(&t->changed, &t->lock, &until);
    bool decided = t->decided, whole = t->whole && !t->cancelled;
    int64_t said = t->said_size;
    pthread_mutex_unlock(&t->lock);
    if (!decided) return err_new(ERR_CANCELLED, "nobody confirmed that the body is whole");
    if (!whole) return err_new(ERR_CANCELLED, "the body is not whole");
    if (said != size)
        return err_new(ERR_DATA_LOSS, "of the body's %lld bytes %lld arrived", (long long)said,
                       (long long)size);
    return NULL;
}

/* Sends the head of a get from the loop's thread; its own copy, the task goes on meanwhile. */
struct head_note {
    struct task *t;
    struct storage_info info;
};

static void reply(struct task *t, err *e, str json) {
    if (!t->link->ch) return;
    CHAN_SEND(t->link->ch, courier_result, t->stream, -1,
              .code = e ? str_of(err_name(err_code_of(e))) : STR(""),
              .message = e ? str_of(err_msg(e)) : STR(""), .json = json);
}

static void send_head(void *arg) {
    struct head_note *n = arg;
    buf b = {0};
    order_write_info(&n->info, &b);
    reply(n->t, NULL, buf_view(&b));
    buf_free(&b);
    free(n);
}

static void on_head(void *arg, const struct storage_info *info) {
    struct task *t = arg;
    struct head_note *n = malloc(sizeof(*n));
    must(n != NULL);
    *n = (struct head_note){t, *info};
    loop_post(t->c->l, send_head, n); /* posted before finish(), so t still lives then */
}

static void task_close_fd(struct task *t) {
    pthread_mutex_lock(&t->lock);
    if (t->fd >= 0) close(t->fd);
    t->fd = -1;
    pthread_mutex_unlock(&t->lock);
}

static void finish(void *arg);

static void work(void *arg, int worker) {
    struct task *t = arg;
    (void)worker;
    struct courier_hooks h = {.confirm = confirm, .head = on_head, .arg = t};
    pthread_mutex_lock(&t->lock);
    bool cancelled = t->cancelled;
    pthread_mutex_unlock(&t->lock);
    t->failed = cancelled ? err_new(ERR_CANCELLED, "the order was taken back")
                          : courier_act(t->a, t->root->s, &t->o, t->fd, &h, &t->outcome);
    task_close_fd(t); /* the reader of a get sees the end now */
    loop_post(t->c->l, finish, t);
}

static void task_free(struct task *t) {
    task_close_fd(t);
    root_drop(t->root);
    link_drop(t->link);
    buf_free(&t->outcome);
    err_free(t->failed);
    arena_free(t->a);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    free(t);
}

static void check_drained(courier *c) {
    if (!c->draining || c->tasks.n > 0 || !c->on_drained) return;
    void (*fn)(void *) = c->on_drained;
    c->on_drained = NULL;
    fn(c->drained_arg);
}

static void work(void *arg, int worker);

/* Puts tasks of a store on their lane, the oldest first, as long as it has not its share of it. */
static void start_next(courier *c, const struct root *root, int lane) {
    for (;;) {
        struct task *next = NULL;
        int running = 0;
        for (size_t i = 0; i < c->tasks.n; i++) {
            struct task *t = c->tasks.p[i];
            if (t->root != root || t->lane != lane || t->o.verb == ORDER_INDEX) continue;
            running += !t->waits;
            if (t->waits && (!next || t->turn < next->turn)) next = t;
        }
        if (!next || running >= lane_rows[lane].share) return;
        next->waits = false;
        jobs_add(c->lanes[lane], work, next);
    }
}

static void finish(void *arg) {
    struct task *t = arg;
    courier *c = t->c;
    if (t->failed && err_status(err_code_of(t->failed)) >= 500)
        log_warn("order failed", lf_z("verb", order_verb_name(t->o.verb)), lf_str("key", t->o.key),
                 lf_err(t->failed));
    reply(t, t->failed, buf_view(&t->outcome));
    for (size_t i = 0; i < c->tasks.n; i++)
        if (c->tasks.p[i] == t) {
            vec_remove_swap(&c->tasks, i);
            break;
        }
    if (t->o.verb != ORDER_INDEX) start_next(c, t->root, t->lane);
    task_free(t);
    check_drained(c);
}

/* The relay of an index order has nothing open any more. */
static void relay_over(void *arg, int64_t requests, int64_t bytes) {
    struct task *t = arg;
    t->relay = NULL;
    buf_fmt(&t->outcome, "{\"requests\":\"%lld\",\"bytes\":\"%lld\"}", (long long)requests, (long long)bytes);
    finish(t);
}

static void end_relay(struct task *t) {
    if (t->ending) return;
    t->ending = true;
    relay_stop(t->relay, relay_over, t);
}

static void cancel(struct task *t) {
    if (t->o.verb == ORDER_INDEX) {
        if (t->relay) end_relay(t);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->cancelled = true;
    if (t->fd >= 0) shutdown(t->fd, SHUT_RDWR); /* wakes a thread that waits for the peer */
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- frames of control ---- */

static void refuse(struct link *k, uint64_t stream, err *e) {
    log_warn("order refused", lf_err(e));
    CHAN_SEND(k->ch, courier_result, stream, -1, .code = str_of(err_name(err_code_of(e))),
              .message = str_of(err_msg(e)), .json = STR(""));
    err_free(e);
}

/* What the descriptor says: {"bucket",…}. */
static err *read_place(courier *c, arena *a, int fd, struct root **ret) {
    buf text = {.max = 64 * 1024};
    char chunk[4096];
    jval *o = NULL;
    ssize_t n = 0;
    (void)lseek(fd, 0, SEEK_SET);
    while (fd >= 0 && text.n < 60 * 1024 && (n = read(fd, chunk, sizeof(chunk))) > 0) buf_add(&text, chunk, (size_t)n);
    err *e = fd < 0 || n < 0 || !text.n ? err_new(ERR_MALFORMED_REQUEST, "a place came without its description")
                                        : json_parse(a, buf_view(&text), false, &o);
    if (!e) {
        struct storage_s3_config cfg = {
            .bucket = json_get_str(o, "bucket"),
            .endpoint = json_get_str(o, "endpoint"),
            .region = json_get_str(o, "region"),
            .path_style = yyjson_get_bool(json_get(o, "path_style")),
            .access_key_id = json_get_str(o, "access_key_id"),
            .secret_access_key = json_get_str(o, "secret_access_key"),
            .session_token = json_get_str(o, "session_token"),
            .ca_file = settings_str(&c->settings, SET_COURIER_CA_FILE),
            .proxy = settings_str(&c->settings, SET_COURIER_PROXY),
        };
        e = root_new(&cfg, &c->settings, ret);
    }
    if (text.p) explicit_bzero(text.p, text.n);
    buf_free(&text);
    explicit_bzero(chunk, sizeof(chunk));
    return e;
}

static struct place *place_of(courier *c, str id) {
    for (size_t i = 0; i < c->places.n; i++)
        if (str_eqz(id, c->places.p[i].id)) return &c->places.p[i];
    return NULL;
}

/* An id names one configuration for ever: what is known already is fine. */
static err *add_place(courier *c, arena *a, str id, int fd) {
    if (place_of(c, id)) return NULL;
    if (!id.n || c->places.n >= COURIER_MAX_PLACES) return err_new(ERR_RESOURCE_EXHAUSTED, "the courier knows too many stores");
    struct place p = {0};
    TRY(read_place(c, a, fd, &p.root));
    p.id = str_dup(id);
    must(p.id != NULL);
    vec_push(&c->places, p);
    return NULL;
}

static void add_ended(courier *c, str number) {
    if (map_size(c->ended) >= COURIER_MAX_ENDED) {
        map_free(c->ended_before);
        c->ended_before = c->ended;
        c->ended = map_new();
    }
    map_put(c->ended, number, c);
}

static bool has_ended(courier *c, uint64_t statement) {
    char number[24];
    snprintf(number, sizeof(number), "%llu", (unsigned long long)statement);
    return map_get(c->ended, str_of(number)) || map_get(c->ended_before, str_of(number));
}

/* An engine's order: what its grant allows, in the grant's place. */
static err *accept_granted(struct link *k, arena *a, const struct msg_courier_order *m, struct order *o, str *ret_place) {
    struct order_grant g;
    TRY(order_grant_read(a, k->control->grant_key, m->token, &g));
    TRY(order_read(a, m->verb, m->json, o));
    if (has_ended(k->c, g.statement)) return err_new(ERR_PERMISSION_DENIED, "the statement of a grant has ended");
    *ret_place = g.place;
    return order_grant_check(&g, o, clock_now());
}

/* Orders that are done at once; false: it is another. */
static bool act_now(struct link *k, struct chan_frame *f, arena *a, const struct order *o, err **ret) {
    courier *c = k->c;
    *ret = NULL;
    if (o->verb == ORDER_PLACE) {
        *ret = add_place(c, a, o->key, f->fd);
    } else if (o->verb == ORDER_ENDED) {
        add_ended(c, o->key);
    } else if (o->verb == ORDER_ENGINE) {
        int fd = f->fd;
        f->fd = -1;
        *ret = fd < 0 ? err_new(ERR_MALFORMED_REQUEST, "a channel to an engine is missing") : link_new(c, fd, k);
        if (*ret && fd >= 0) close(fd);
    } else {
        return false;
    }
    if (!*ret) CHAN_SEND(k->ch, courier_result, f->stream, -1, .code = STR(""), .message = STR(""), .json = STR("{}"));
    return true;
}

static int lane_of(enum order_verb v) {
    return v == ORDER_GET ? LANE_OUT : v == ORDER_PUT || v == ORDER_PART ? LANE_IN : LANE_SHORT;
}

static err *begin(struct link *k, struct chan_frame *f, arena *a) {
    courier *c = k->c;
    struct msg_courier_order m;
    struct order o;
    /* the order outlives the frame: its text is copied once, and read from the copy */
    str payload = arena_str(a, f->payload);
    if (!msg_courier_order_decode(a, payload, &m))
        return err_new(ERR_MALFORMED_REQUEST, "an order that cannot be read");
    str place = STR_NONE;
    if (k->control) {
        TRY(accept_granted(k, a, &m, &o, &place));
    } else {
        if (!k->keyed) return err_new(ERR_PERMISSION_DENIED, "an order before the key");
        TRY(courier_accept(a, k->key, m.verb, m.json, m.token, clock_now(), &o));
        place = o.place;
        err *bad;
        if (act_now(k, f, a, &o, &bad)) {
            if (!bad) arena_free(a);
            return bad;
        }
    }
    if (c->draining || c->tasks.n >= COURIER_MAX_ORDERS)
        return err_new(ERR_TEMPORARILY_UNAVAILABLE, "the courier %s",
                       c->draining ? "is about to restart" : "has too many orders");
    struct place *other = place.n ? place_of(c, place) : NULL;
    if (place.n && !other) return err_new(ERR_TEMPORARILY_UNAVAILABLE, "the courier does not know the store yet");
    struct root *root = other ? other->root : c->root;
    if (!root && o.verb != ORDER_INDEX)
        return err_hint(err_new(ERR_INVALID_STATE, "no object store is configured"),
                        "see the setting storage.root");
    struct relay *relay = NULL;
    if (o.verb == ORDER_INDEX) {
        int listener = f->fd;
        f->fd = -1;
        TRY(relay_start(c->l, c->lanes[LANE_INDEX], &c->settings, listener, &relay));
    }
    struct task *t = calloc(1, sizeof(*t));
    must(t != NULL);
    *t = (struct task){
        .c = c, .link = k, .root = root, .stream = f->stream, .a = a, .o = o, .fd = f->fd};
    f->fd = -1;
    t->relay = relay;
    k->refs++;
    if (root) root->refs++;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&t->lock, NULL);
    vec_push(&c->tasks, t);
    if (relay) return NULL; /* it runs until it is told to end */
    t->lane = lane_of(o.verb);
    t->turn = ++c->turns;
    t->waits = true;
    start_next(c, root, t->lane);
    return NULL;
}

static void on_commit(struct link *k, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_courier_commit m;
    bool ok = msg_courier_commit_decode(a, f->payload, &m);
    for (size_t i = 0; ok && i < k->c->tasks.n; i++) {
        struct task *t = k->c->tasks.p[i];
        if (t->link != k || t->stream != f->stream) continue;
        if (t->relay) {
            end_relay(t);
            break;
        }
        pthread_mutex_lock(&t->lock);
        t->decided = true;
        t->whole = m.ok;
        t->said_size = m.size;
        pthread_cond_signal(&t->changed);
        pthread_mutex_unlock(&t->lock);
    }
    arena_free(a);
}

static void on_frame(chan *ch, struct chan_frame *f, void *arg) {
    struct link *k = arg;
    (void)ch;
    arena *a = arena_new();
    struct msg_courier_key m;
    if (f->type == MSG_COURIER_ORDER) {
        err *e = begin(k, f, a);
        if (!e) return; /* the arena is the task's */
        refuse(k, f->stream, e);
    } else if (f->type == MSG_COURIER_COMMIT) {
        on_commit(k, f);
    } else if (f->type == MSG_COURIER_KEY && !k->keyed &&
               !k->control && msg_courier_key_decode(a, f->payload, &m) &&
               (m.key.n == ORDER_KEY_SIZE || m.key.n == 2 * ORDER_KEY_SIZE)) {
        memcpy(k->key, m.key.p, ORDER_KEY_SIZE);
        k->keyed = true;
        k->granting = m.key.n == 2 * ORDER_KEY_SIZE;
        if (k->granting) memcpy(k->grant_key, m.key.p + ORDER_KEY_SIZE, ORDER_KEY_SIZE);
    } else if (f->type != MSG_HELLO) {
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
    arena_free(a);
}

static void link_close(struct link *k) {
    courier *c = k->c;
    for (size_t i = 0; i < c->tasks.n; i++)
        if (c->tasks.p[i]->link == k) cancel(c->tasks.p[i]);
    for (size_t i = 0; i < c->links.n; i++)
        if (c->links.p[i] == k) {
            vec_remove_swap(&c->links, i);
            break;
        }
    chan_free(k->ch);
    k->ch = NULL;
    /* Engines belong to the control that named them. */
    for (size_t i = 0; i < c->links.n;) {
        if (c->links.p[i]->control == k) {
            link_close(c->links.p[i]);
            i = 0;
        } else {
            i++;
        }
    }
    link_drop(k);
}

static void on_close(chan *ch, const char *why, void *arg) {
    (void)ch;
    (void)why;
    link_close(arg);
}

static err *link_new(courier *c, int fd, struct link *control) {
    static const struct chan_events ev = {.on_frame = on_frame, .on_close = on_close};
    struct link *k = calloc(1, sizeof(*k));
    must(k != NULL);
    k->c = c;
    k->refs = 1;
    err *e = chan_new(c->l, fd, &ev, k, &k->ch);
    if (e) {
        free(k);
        return e;
    }
    k->control = control;
    if (control) control->refs++;
    vec_push(&c->links, k);
    return NULL;
}

err *courier_add_control(courier *c, int fd) { return link_new(c, fd, NULL); }

/* ---- the courier ---- */

err *courier_new(loop *l, courier **ret) {
    courier *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->l = l;
    settings_init(&c->settings);
    c->ended = map_new(), c->ended_before = map_new();
    err *e = NULL;
    for (int i = 0; !e && i < LANES; i++)
        e = jobs_new(lane_rows[i].name, lane_rows[i].threads, &c->lanes[i]);
    if (e)
        courier_free(c);
    else
        *ret = c;
    return e;
}

void courier_free(courier *c) {
    if (!c) return;
    while (c->links.n) link_close(c->links.p[0]);
    for (size_t i = 0; i < c->tasks.n; i++) cancel(c->tasks.p[i]);
    while (c->tasks.n) loop_step(c->l, 10 * 1000); /* their finish() is posted */
    for (int i = 0; i < LANES; i++) jobs_free(c->lanes[i]);
    root_drop(c->root);
    for (size_t i = 0; i < c->places.n; i++) {
        root_drop(c->places.p[i].root);
        free(c->places.p[i].id);
    }
    vec_free(&c->places);
    map_free(c->ended), map_free(c->ended_before);
    settings_free(&c->settings);
    vec_free(&c->links);
    vec_free(&c->tasks);
    free(c);
}

size_t courier_running(const courier *c) { return c->tasks.n; }

void courier_drain(courier *c, void (*on_drained)(void *arg), void *arg) {
    c->draining = true;
    c->on_drained = on_drained;
    c->drained_arg = arg;
    for (size_t i = 0; i < c->tasks.n; i++) /* they would end with control, which comes later */
        if (c->tasks.p[i]->relay) end_relay(c->tasks.p[i]);
    check_drained(c);
}

err *courier_set(courier *c, const struct settings *s) {
    str url = settings_str(s, SET_STORAGE_ROOT);
    struct root *r = NULL;
    err *e = NULL;
    arena *a = arena_new();
    if (str_starts(url, STR("s3://"))) {
        struct storage_s3_config cfg = {
            .endpoint = settings_str(s, SET_STORAGE_S3_ENDPOINT),
            .region = settings_str(s, SET_STORAGE_S3_REGION),
            .path_style = settings_bool(s, SET_STORAGE_S3_PATH_STYLE),
            .access_key_id = settings_str(s, SET_STORAGE_S3_ACCESS_KEY_ID),
            .secret_access_key = settings_str(s, SET_STORAGE_S3_SECRET_ACCESS_KEY),
            .ca_file = settings_str(s, SET_COURIER_CA_FILE),
            .proxy = settings_str(s, SET_COURIER_PROXY),
        };
        e = storage_s3_url(a, url, &cfg.bucket, &cfg.prefix);
        if (!e) e = root_new(&cfg, s, &r);
    }
    arena_free(a);
    if (e) return e;
    root_drop(c->root);
    c->root = r;
    settings_free(&c->settings);
    settings_copy(&c->settings, s);
    return NULL;
}

/* ---- the role ---- */

struct role {
    loop *l;
    courier *c;
    chan *supervisor;
    struct settings settings;
};

static void on_drained(void *arg) { loop_stop(((struct role *)arg)->l); }

static void role_settings(struct role *r, str text) {
    /* From the supervisor, which checked where each came from; as from a file, secrets pass. */
    err *e = settings_read_text(&r->settings, "settings", text, SETTING_FILE);
    if (!e) e = courier_set(r->c, &r->settings);
    if (!e) return;
    log_error("settings refused", lf_err(e));
    err_free(e);
}

static void on_supervisor_frame(chan *ch, struct chan_frame *f, void *arg) {
    struct role *r = arg;
    (void)ch;
    arena *a = arena_new();
    struct msg_peer peer;
    struct msg_reload re;
    if (f->type == MSG_PEER && f->fd >= 0 && msg_peer_decode(a, f->payload, &peer) &&
        str_eqz(peer.role, "control")) {
        int fd = f->fd;
        f->fd = -1;
        err *e = courier_add_control(r->c, fd);
        if (e) {
            log_error("cannot use a channel", lf_err(e));
            err_free(e);
            close(fd);
        }
    } else if (f->type == MSG_RELOAD && msg_reload_decode(a, f->payload, &re)) {
        role_settings(r, re.text);
    } else if (f->type == MSG_DRAIN) {
        courier_drain(r->c, on_drained, r);
    } else {
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
    arena_free(a);
}

static void on_supervisor_close(chan *ch, const char *why, void *arg) {
    (void)ch;
    (void)why;
    (void)arg;
    _exit(0); /* nothing may outlive the supervisor */
}

err *courier_run(int supervisor_fd) {
    static const struct chan_events ev = {.on_frame = on_supervisor_frame,
                                          .on_close = on_supervisor_close};
    struct role r = {0};
    settings_init(&r.settings);
    err *e = loop_new(&r.l);
    if (!e) e = courier_new(r.l, &r.c);
    if (!e) e = chan_new(r.l, supervisor_fd, &ev, &r, &r.supervisor);
    if (!e) {
        CHAN_SEND(r.supervisor, hello, 0, -1, .role = STR("courier"), .version = MSG_VERSION,
                  .pid = (uint32_t)getpid());
        CHAN_SEND(r.supervisor, ready, 0, -1, .none = 0);
        loop_run(r.l);
    }
    courier_free(r.c);
    chan_free(r.supervisor);
    if (r.l) loop_free(r.l);
    settings_free(&r.settings);
    return e;
}
