/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a SQL session remembers inside an engine: current names, SET values, temporary views and functions, variables.
 * Names of settings, views and variables are compared without case. Lists are short: they are searched.
 */
#include <stdlib.h>

#include "engine/worker/txn.h"
#include "engine/worker/worker.h"

static char *copy(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static void assign(char **to, str value) {
    free(*to);
    *to = copy(value);
}

struct session *session_new(struct worker *w, jval *order) {
    struct session *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->w = w;
    s->refs = 1;
    pthread_mutex_init(&s->lock, NULL);
    s->id = copy(json_get_str(order, "session"));
    s->user = copy(json_get_str(order, "user"));
    s->catalog = copy(json_get_str(order, "catalog"));
    s->schema = copy(json_get_str(order, "schema"));
    size_t i, n;
    jval *k, *v;
    s->txn = txn_new();
    yyjson_obj_foreach(json_get(order, "conf"), i, n, k, v)
        if (!txn_setting(s->txn, json_str(k), json_str(v))) session_set(s, json_str(k), json_str(v));
    return s;
}

static void free_view(struct temp_view *v) {
    free(v->name);
    free(v->text);
    free(v->catalog);
    free(v->schema);
}

static void free_variable(struct session_variable *v) {
    free(v->name);
    free(v->type);
    free(v->duckdb);
    free(v->initial);
}

void session_release(struct session *s) {
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1) return;
    txn_free(s->txn);
    for (size_t i = 0; i < s->conf.n; i++) {
        free(s->conf.p[i].name);
        free(s->conf.p[i].value);
    }
    for (size_t i = 0; i < s->views.n; i++) free_view(&s->views.p[i]);
    for (size_t i = 0; i < s->functions.n; i++) free_view(&s->functions.p[i]);
    vec_free(&s->functions);
    for (size_t i = 0; i < s->variables.n; i++) free_variable(&s->variables.p[i]);
    vec_free(&s->conf);
    vec_free(&s->views);
    vec_free(&s->variables);
    pthread_mutex_destroy(&s->lock);
    free(s->id);
    free(s->user);
    free(s->catalog);
    free(s->schema);
    free(s);
}

/* ---- settings ---- */

static struct setting_value *find(struct session *s, str name) {
    for (size_t i = 0; i < s->conf.n; i++)
        if (str_ieq(str_of(s->conf.p[i].name), name)) return &s->conf.p[i];
    return NULL;
}

bool session_get(struct session *s, arena *a, str name, str *ret) {
    pthread_mutex_lock(&s->lock);
    struct setting_value *v = find(s, name);
    if (v) *ret = arena_str(a, str_of(v->value));
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}

void session_set(struct session *s, str name, str value) {
    pthread_mutex_lock(&s->lock);
    struct setting_value *v = find(s, name);
    if (v)
        assign(&v->value, value);
    else
        vec_push(&s->conf, ((struct setting_value){copy(name), copy(value)}));
    pthread_mutex_unlock(&s->lock);
}

bool session_unset(struct session *s, str name) {
    pthread_mutex_lock(&s->lock);
    struct setting_value *v = find(s, name);
    if (v) {
        free(v->name);
        free(v->value);
        vec_remove_swap(&s->conf, (size_t)(v - s->conf.p));
    }
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}

void session_use(struct session *s, str catalog, str schema) {
    pthread_mutex_lock(&s->lock);
    if (catalog.n) assign(&s->catalog, catalog);
    if (schema.n) assign(&s->schema, schema);
    pthread_mutex_unlock(&s->lock);
}

/* ---- temporary views and functions ---- */

static struct temp_view *find_temp(struct temp_view *p, size_t n, str name, bool global) {
    for (size_t i = 0; i < n; i++)
        if (p[i].global == global && str_ieq(str_of(p[i].name), name)) return &p[i];
    return NULL;
}

#define FIND(list) find_temp(s->list.p, s->list.n, name, global)
#define DROP(list, v)                                             \
    do {                                                          \
        free_view(v);                                             \
        vec_remove_swap(&s->list, (size_t)((v) - s->list.p));     \
    } while (0)

static bool copy_of(arena *a, const struct temp_view *v, struct temp_view *ret) {
    if (v)
        *ret = (struct temp_view){arena_strdup(a, v->name), arena_strdup(a, v->text), arena_strdup(a, v->catalog), arena_strdup(a, v->schema), v->global};
    return v != NULL;
}

void session_put_view(struct session *s, str name, bool global, str text, str catalog, str schema) {
    pthread_mutex_lock(&s->lock);
    struct temp_view *v = FIND(views);
    if (v) DROP(views, v);
    vec_push(&s->views, ((struct temp_view){copy(name), copy(text), copy(catalog), copy(schema), global}));
    pthread_mutex_unlock(&s->lock);
}

bool session_get_view(struct session *s, arena *a, str name, bool global, struct temp_view *ret) {
    pthread_mutex_lock(&s->lock);
    bool found = copy_of(a, FIND(views), ret);
    pthread_mutex_unlock(&s->lock);
    return found;
}

bool session_drop_view(struct session *s, str name, bool global) {
    pthread_mutex_lock(&s->lock);
    struct temp_view *v = FIND(views);
    if (v) DROP(views, v);
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}

void session_put_function(struct session *s, str name, str text, str catalog, str schema) {
    const bool global = false;
    pthread_mutex_lock(&s->lock);
    struct temp_view *v = FIND(functions);
    if (v) DROP(functions, v);
    vec_push(&s->functions, ((struct temp_view){copy(name), copy(text), copy(catalog), copy(schema), global}));
    pthread_mutex_unlock(&s->lock);
}

bool session_get_function(struct session *s, arena *a, str name, struct temp_view *ret) {
    const bool global = false;
    pthread_mutex_lock(&s->lock);
    bool found = copy_of(a, FIND(functions), ret);
    pthread_mutex_unlock(&s->lock);
    return found;
}

bool session_drop_function(struct session *s, str name) {
    const bool global = false;
    pthread_mutex_lock(&s->lock);
    struct temp_view *v = FIND(functions);
    if (v) DROP(functions, v);
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}

#undef FIND
#undef DROP

/* ---- variables ---- */

static struct session_variable *find_variable(struct session *s, str name) {
    for (size_t i = 0; i < s->variables.n; i++)
        if (str_ieq(str_of(s->variables.p[i].name), name)) return &s->variables.p[i];
    return NULL;
}

void session_declare(struct session *s, str name, str type, str duckdb) {
    pthread_mutex_lock(&s->lock);
    struct session_variable *v = find_variable(s, name);
    if (v) {
        assign(&v->type, type);
        assign(&v->duckdb, duckdb);
        assign(&v->initial, duckdb);
    } else {
        vec_push(&s->variables, ((struct session_variable){copy(name), copy(type), copy(duckdb), copy(duckdb)}));
    }
    pthread_mutex_unlock(&s->lock);
}

void session_assign(struct session *s, str name, str duckdb) {
    pthread_mutex_lock(&s->lock);
    struct session_variable *v = find_variable(s, name);
    if (v) assign(&v->duckdb, duckdb.p ? duckdb : str_of(v->initial));
    pthread_mutex_unlock(&s->lock);
}

bool session_get_variable(struct session *s, arena *a, str name, struct session_variable *ret) {
    pthread_mutex_lock(&s->lock);
    struct session_variable *v = find_variable(s, name);
    if (v)
        *ret = (struct session_variable){arena_strdup(a, v->name), arena_strdup(a, v->type), arena_strdup(a, v->duckdb), arena_strdup(a, v->initial)};
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}

bool session_drop_variable(struct session *s, str name) {
    pthread_mutex_lock(&s->lock);
    struct session_variable *v = find_variable(s, name);
    if (v) {
        free_variable(v);
        vec_remove_swap(&s->variables, (size_t)(v - s->variables.p));
    }
    pthread_mutex_unlock(&s->lock);
    return v != NULL;
}
