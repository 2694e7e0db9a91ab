/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in for a program on one's own machine (OAuth 2.0 authorization code with PKCE: RFC 6749
 * §4.1, RFC 7636, RFC 8252). The program opens a browser on GET /oidc/v1/authorize; the page asks for
 * an access token; its form comes back as POST, and the browser is sent to the program with a code.
 *
 * Clients are public and need no registration, because codes go to the caller's own machine only
 * (codes_redirect_allowed) and are worth nothing without the verifier that the program keeps.
 *
 * A mistake in client_id or redirect_uri is shown here; everything else is told to the program.
 */
#include <stdio.h>

#include "api/gen_routes.h"
#include "base/enc.h"
#include "oauth_int.h"
#include "policy/credential.h"
#include "sys/clock.h"

struct codes *oauth_codes(void) {
    static struct codes *all; /* of the process; the loop's thread only */
    if (!all) all = codes_new();
    return all;
}

static void html(buf *b, str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
            buf_fmt(b, "&#%d;", c);
        else
            buf_c(b, c);
    }
}

/* ---- the page ---- */

static const char PAGE_HEAD[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Boathouse: sign in</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:30em;margin:15vh auto;padding:0 1em;"
    "color:#1b2a35}input[type=password]{width:100%;box-sizing:border-box;font:inherit;"
    "padding:.5em;margin:.25em 0 1em}button{font:inherit;padding:.5em 1.5em}"
    ".wrong{color:#a11212}</style></head><body><h1>Sign in</h1>\n";

static void page_headers(struct req *r) {
    req_reply_header(r, "Cache-Control", STR("no-store"));
    req_reply_header(r, "Referrer-Policy", STR("no-referrer"));
    req_reply_header(r, "X-Content-Type-Options", STR("nosniff"));
    req_reply_header(r, "Content-Security-Policy",
                     STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
                         "base-uri 'none'"));
}

static void show(struct req *r, int status, buf *b) {
    page_headers(r);
    req_body(r, status, "text/html; charset=utf-8", arena_str(r->a, buf_view(b)));
    buf_free(b);
}

static err *show_mistake(struct req *r, const char *what) {
    buf b = {0};
    buf_z(&b, PAGE_HEAD);
    buf_fmt(&b, "<p class=\"wrong\">%s</p></body></html>\n", what);
    show(r, 400, &b);
    return NULL;
}

static err *show_form(struct req *r, const char *mistake) {
    static const char *const kept[] = {"response_type", "client_id",      "redirect_uri",         "scope",
                                       "state",         "code_challenge", "code_challenge_method"};
    buf b = {0};
    buf_z(&b, PAGE_HEAD);
    buf_z(&b, "<p>The program <b>");
    html(&b, arg_str(r, "client_id"));
    buf_z(&b, "</b> on this machine asks to act for you.</p>\n");
    if (mistake) buf_fmt(&b, "<p class=\"wrong\">%s</p>\n", mistake);
    buf_z(&b, "<form method=\"post\" action=\"/oidc/v1/authorize\">\n");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        buf_fmt(&b, "<input type=\"hidden\" name=\"%s\" value=\"", kept[i]);
        html(&b, arg_str(r, kept[i]));
        buf_z(&b, "\">\n");
    }
    buf_z(&b, "<label>Access token<input type=\"password\" name=\"token\" required autofocus "
              "autocomplete=\"off\"></label>\n<button>Allow</button></form></body></html>\n");
    show(r, mistake ? 401 : 200, &b);
    return NULL;
}

/* ---- back to the program ---- */

/* Adds a parameter to a URI that has `first` parameters so far. */
static void add(buf *uri, const char *name, str value) {
    bool some = memchr(uri->p, '?', uri->n) != NULL;
    buf_fmt(uri, "%c%s=", some ? '&' : '?', name);
    enc_percent(uri, value, "");
}

static err *go_back(struct req *r, const char *name, str value, const char *why) {
    buf uri = {0};
    buf_str(&uri, arg_str(r, "redirect_uri"));
    add(&uri, name, value);
    if (why) add(&uri, "error_description", str_of(why));
    if (arg_has(r, "state")) add(&uri, "state", arg_str(r, "state"));
    req_reply_header(r, "Location", arena_str(r->a, buf_view(&uri)));
    buf_free(&uri);
    page_headers(r);
    req_body(r, 302, "text/html; charset=utf-8", STR(""));
    return NULL;
}

/* True if the request can go on; else it is answered. */
static bool well_formed(struct req *r) {
    str client = arg_str(r, "client_id"), challenge = arg_str(r, "code_challenge");
    const char *shown = NULL, *code = "invalid_request", *why = NULL;
    if (!client.n || client.n > CODES_MAX_TEXT)
        shown = "The link lacks the program's name (client_id).";
    else if (!codes_redirect_allowed(arg_str(r, "redirect_uri")))
        shown = "The link's redirect_uri is not an address of this machine (http://localhost:…).";
    else if (!str_eqz(arg_str(r, "response_type"), "code"))
        code = "unsupported_response_type", why = "response_type must be code";
    else if (!str_eqz(arg_str(r, "code_challenge_method"), "S256") || challenge.n != 43)
        why = "PKCE with code_challenge_method S256 is required";
    if (shown)
        (void)!show_mistake(r, shown);
    else if (why)
        (void)!go_back(r, "error", str_of(code), why);
    return !shown && !why;
}

err *api_identity_oauth_page(struct req *r) {
    return well_formed(r) ? show_form(r, NULL) : NULL;
}

static void copy(char out[CODES_MAX_TEXT + 1], str s) {
    must(s.n <= CODES_MAX_TEXT);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
}

static bool asks_offline(str scope) {
    str part;
    while (str_split(&scope, ' ', &part))
        if (str_eqz(part, "offline_access")) return true;
    return false;
}

err *api_identity_oauth_sign_in(struct req *r) {
    if (!well_formed(r)) return NULL;
    struct credential cred;
    str bearer = str_of(arena_printf(r->a, "Bearer %.*s", STR_ARG(str_trim(arg_str(r, "token")))));
    err *e = credential_check(r->control->facts, bearer, clock_now(), &cred);
    if (e || strcmp(cred.kind, "pat") != 0) {
        err_free(e);
        return show_form(r, "This is no valid personal access token.");
    }
    struct code_grant g = {.principal = cred.principal->id,
                           .workspace = cred.workspace,
                           .offline = asks_offline(arg_str(r, "scope"))};
    snprintf(g.token_id, sizeof(g.token_id), "%s", cred.id);
    copy(g.client_id, arg_str(r, "client_id"));
    copy(g.redirect_uri, arg_str(r, "redirect_uri"));
    copy(g.challenge, arg_str(r, "code_challenge"));
    char code[65];
    codes_put(oauth_codes(), &g, clock_now(), code);
    return go_back(r, "code", str_of(code), NULL);
}
