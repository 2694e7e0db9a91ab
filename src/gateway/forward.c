/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/forward.h"

#include <arpa/inet.h>
#include <stdio.h>

#define MAX_HOPS 32

/* An address as 16 bytes; IPv4 as ::ffff:a.b.c.d, so that both kinds compare alike. */
static bool parse_address(str text, unsigned char out[16], bool *ret_v4) {
    char z[64];
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') text = str_n(text.p + 1, text.n - 2);
    if (!text.n || text.n >= sizeof(z)) return false;
    snprintf(z, sizeof(z), "%.*s", STR_ARG(text));
    if (inet_pton(AF_INET6, z, out) == 1) {
        *ret_v4 = IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)out);
        return true;
    }
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    *ret_v4 = true;
    return inet_pton(AF_INET, z, out + 12) == 1;
}

static bool in_block(str block, const unsigned char address[16]) {
    unsigned char net[16];
    bool v4 = false;
    ptrdiff_t slash = str_chr(block, '/', 0);
    uint64_t bits = 128;
    if (!parse_address(slash < 0 ? block : str_cut(block, (size_t)slash), net, &v4)) return false;
    if (slash >= 0) {
        if (!str_to_u64(str_from(block, (size_t)slash + 1), &bits)) return false;
        if (bits > (v4 ? 32 : 128)) return false;
        if (v4) bits += 96;
    }
    size_t whole = bits / 8, rest = bits % 8;
    if (memcmp(net, address, whole) != 0) return false;
    return rest == 0 || ((net[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

bool forward_trusted(str list, str address) {
    unsigned char a[16];
    bool v4;
    str one;
    if (!parse_address(address, a, &v4)) return false;
    while (str_split(&list, ',', &one))
        if (in_block(str_trim(one), a)) return true;
    return false;
}

/* "1.2.3.4:5", "[::1]:5", "1.2.3.4", "::1" → the address. */
static str without_port(str node) {
    if (node.n && node.p[0] == '[') {
        ptrdiff_t end = str_chr(node, ']', 0);
        return end < 0 ? STR("") : str_n(node.p + 1, (size_t)end - 1);
    }
    ptrdiff_t colon = str_chr(node, ':', 0);
    if (colon >= 0 && str_chr(node, ':', (size_t)colon + 1) < 0) return str_cut(node, (size_t)colon);
    return node;
}

static str header(const struct http_request *req, const char *name) {
    for (size_t i = req->header_count; i-- > 0;)
        if (str_ieq(req->headers[i].name, str_of(name))) return req->headers[i].value;
    return STR_NONE;
}

/* All lines of a header, in order, as one list. */
static str header_list(arena *a, const struct http_request *req, const char *name) {
    buf b = {0};
    for (size_t i = 0; i < req->header_count; i++)
        if (str_ieq(req->headers[i].name, str_of(name)))
            buf_fmt(&b, "%s%.*s", b.n ? "," : "", STR_ARG(req->headers[i].value));
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

struct hop {
    str node, proto, host;
};

static str unquoted(str v) {
    v = str_trim(v);
    return v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"' ? str_n(v.p + 1, v.n - 2) : v;
}

static struct hop forwarded_element(str element) {
    struct hop h = {0};
    str pair;
    while (str_split(&element, ';', &pair)) {
        ptrdiff_t eq = str_chr(pair, '=', 0);
        if (eq < 0) continue;
        str name = str_trim(str_cut(pair, (size_t)eq)), value = unquoted(str_from(pair, (size_t)eq + 1));
        if (str_ieq(name, STR("for"))) h.node = value;
        if (str_ieq(name, STR("proto"))) h.proto = value;
        if (str_ieq(name, STR("host"))) h.host = value;
    }
    return h;
}

static size_t read_hops(arena *a, const struct http_request *req, struct hop hops[MAX_HOPS]) {
    size_t n = 0;
    str one, list = header_list(a, req, "forwarded");
    bool rfc = list.n > 0;
    if (!rfc) list = header_list(a, req, "x-forwarded-for");
    while (str_split(&list, ',', &one)) {
        if (n == MAX_HOPS) { /* the newest are on the right */
            memmove(hops, hops + 1, (MAX_HOPS - 1) * sizeof(*hops));
            n--;
        }
        hops[n++] = rfc ? forwarded_element(one) : (struct hop){.node = str_trim(one)};
    }
    if (!rfc && n) {
        hops[n - 1].proto = str_trim(header(req, "x-forwarded-proto"));
        hops[n - 1].host = str_trim(header(req, "x-forwarded-host"));
    }
    return n;
}

struct forward forward_of(arena *a, const struct settings *s, const struct http_request *req) {
    struct forward f = {.peer = str_of(req->peer), .tls = req->tls, .host = req->host};
    str trusted = settings_str(s, SET_NET_TRUSTED_PROXIES);
    if (!trusted.n || !forward_trusted(trusted, without_port(f.peer))) return f;
    struct hop hops[MAX_HOPS];
    size_t n = read_hops(a, req, hops);
    while (n-- > 0) {
        const struct hop *h = &hops[n];
        if (str_ieq(h->proto, STR("https"))) f.tls = true;
        if (str_ieq(h->proto, STR("http"))) f.tls = false;
        if (h->host.n) f.host = h->host;
        str address = without_port(h->node);
        unsigned char raw[16];
        bool v4;
        if (!parse_address(address, raw, &v4)) break; /* "unknown", "_hidden": nothing beyond is known */
        bool v6 = str_chr(address, ':', 0) >= 0;
        f.peer = str_of(arena_printf(a, v6 ? "[%.*s]:0" : "%.*s:0", STR_ARG(address)));
        if (!forward_trusted(trusted, address)) break;
    }
    return f;
}
