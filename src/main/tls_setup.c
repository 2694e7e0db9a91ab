/* SPDX-License-Identifier: Apache-2.0 */
#include "main/tls_setup.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "net/ca.h"
#include "sys/files.h"
#include "sys/rand.h"

#define MAX_PEM (1024u * 1024u)
#define MAX_NAMES 64
#define MAX_URL 1024
/* It is written anew every day. */
#define CRL_DAYS 7

static void path_of(char *out, const char *dir, const char *name) {
    snprintf(out, PATH_MAX, "%.3900s/tls/%s", dir, name);
}

static err *read_pem(const char *dir, const char *cert, const char *key, struct ca_pem *ret) {
    char path[PATH_MAX];
    path_of(path, dir, cert);
    TRY(files_read(path, MAX_PEM, &ret->cert));
    path_of(path, dir, key);
    return files_read(path, MAX_PEM, &ret->key);
}

static err *write_pem(const char *dir, const char *cert, const char *key, const struct ca_pem *p) {
    char path[PATH_MAX];
    path_of(path, dir, key);
    TRY(files_write(path, buf_view(&p->key), 0600));
    path_of(path, dir, cert);
    return files_write(path, buf_view(&p->cert), 0644);
}

static bool there(const char *dir, const char *name) {
    char path[PATH_MAX];
    path_of(path, dir, name);
    return files_exists(path);
}

/* The system's roots, where this system keeps them, and ours. */
static err *write_bundle(const char *dir, str ca) {
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(places) && !b.n; i++) {
        err *e = files_read(places[i], 16u << 20, &b);
        err_free(e);
    }
    buf_c(&b, '\n');
    buf_str(&b, ca);
    char path[PATH_MAX];
    path_of(path, dir, "bundle.pem");
    err *e = files_write(path, buf_view(&b), 0644);
    buf_free(&b);
    return e;
}

static size_t names_of(const struct settings *s, str names[MAX_NAMES]) {
    str rest = settings_str(s, SET_TLS_NAMES), part;
    size_t n = 0;
    while (n < MAX_NAMES && str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.n) names[n++] = part;
    }
    return n;
}

/* Where the plain listener serves the list: the first address, by a name that clients elsewhere know if it is not this
 * machine's alone. Empty without one. */
static void crl_url(const struct settings *s, char out[MAX_URL]) {
    str set = settings_str(s, SET_TLS_CRL_URL), list = settings_str(s, SET_HTTP_ADDRESS), one, names = settings_str(s, SET_TLS_NAMES), name;
    ptrdiff_t colon = -1;
    out[0] = 0;
    if (set.n) {
        snprintf(out, MAX_URL, "%.*s", STR_ARG(set));
        return;
    }
    if (!str_split(&list, ',', &one) || str_eqz(one = str_trim(one), "off")) return;
    for (size_t i = 0; i < one.n; i++)
        if (one.p[i] == ':') colon = (ptrdiff_t)i;
    if (colon < 0) return;
    str host = str_cut(one, (size_t)colon), port = str_from(one, (size_t)colon + 1);
    if (str_eqz(port, "0")) return;
    bool all = !host.n || str_eqz(host, "0.0.0.0") || str_eqz(host, "[::]") || str_eqz(host, "*");
    if (all) host = str_split(&names, ',', &name) && str_trim(name).n && str_trim(name).p[0] != '*' ? str_trim(name) : STR("localhost");
    snprintf(out, MAX_URL, "http://%.*s:%.*s/tls/ca.crl", STR_ARG(host), STR_ARG(port));
}

/* Nothing is ever revoked: a key that got out is followed by a new certificate authority. */
static err *write_crl(const char *dir, const struct ca_pem *ca) {
    char path[PATH_MAX];
    buf der = {0};
    path_of(path, dir, "ca.crl");
    err *e = ca_crl(ca, CRL_DAYS, &der);
    if (!e) e = files_write(path, buf_view(&der), 0644);
    buf_free(&der);
    return e;
}

static err *own_certificate(const char *dir, const struct settings *s, buf *chain, buf *key) {
    struct ca_pem ca = {0}, server = {0};
    err *e = NULL;
    if (there(dir, "ca.pem") && there(dir, "ca.key")) {
        e = read_pem(dir, "ca.pem", "ca.key", &ca);
    }
    if (!e && (!ca.cert.n || ca_renewal_due(buf_view(&ca.cert)))) {
        char id[9], name[64];
        rand_hex(id, 4);
        snprintf(name, sizeof(name), "Boathouse CA %s", id);
        ca_pem_free(&ca);
        e = ca_new(str_of(name), &ca);
        if (!e) e = write_pem(dir, "ca.pem", "ca.key", &ca);
    }
    if (!e) e = write_bundle(dir, buf_view(&ca.cert));
    if (!e) e = write_crl(dir, &ca);
    str names[MAX_NAMES];
    size_t n = names_of(s, names);
    char url[MAX_URL];
    crl_url(s, url);
    if (!e && there(dir, "server.pem") && there(dir, "server.key"))
        e = read_pem(dir, "server.pem", "server.key", &server);
    if (!e && (!server.cert.n || ca_renewal_due(buf_view(&server.cert)) ||
               !ca_signed_by(buf_view(&server.cert), buf_view(&ca.cert)) ||
               !ca_names_covered(buf_view(&server.cert), names, n) ||
               !ca_crl_named(buf_view(&server.cert), str_of(url)))) {
        ca_pem_free(&server);
        struct ca_server_ask ask = {.names = names, .name_count = n, .crl_url = str_of(url)};
        e = ca_issue_server(&ca, &ask, &server);
        if (!e) e = write_pem(dir, "server.pem", "server.key", &server);
    }
    if (!e) {
        buf_str(chain, buf_view(&server.cert));
        buf_str(key, buf_view(&server.key));
    }
    ca_pem_free(&ca);
    ca_pem_free(&server);
    return e;
}

err *tls_setup(const char *data_dir, const struct settings *s, buf *ret_chain, buf *ret_key) {
    str cert = settings_str(s, SET_TLS_CERTIFICATE), key = settings_str(s, SET_TLS_KEY);
    if (!cert.n && !key.n) return own_certificate(data_dir, s, ret_chain, ret_key);
    if (!cert.n || !key.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "tls.certificate and tls.key go together.");
    TRY(files_read(cert.p, MAX_PEM, ret_chain));
    TRY(files_read(key.p, MAX_PEM, ret_key));
    char path[PATH_MAX];
    path_of(path, data_dir, "ca.pem");
    TRY(files_write(path, buf_view(ret_chain), 0644));
    return write_bundle(data_dir, buf_view(ret_chain));
}
