/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"

struct entry {
    char host[256];
    int port; /* 0: any */
};

struct egress {
    vec_of(struct entry) entries;
};

static const struct {
    uint32_t net, mask;
    enum egress_kind kind;
} v4_rows[] = {
    {0x00000000, 0xff000000, EGRESS_LOOPBACK}, /* "this host": Linux connects to itself */
    {0x7f000000, 0xff000000, EGRESS_LOOPBACK},
    {0xa9fe0000, 0xffff0000, EGRESS_LINK_LOCAL}, /* with 169.254.169.254 */
    {0x646464c8, 0xffffffff, EGRESS_METADATA},   /* 100.100.100.200, Alibaba */
    {0xa83f8110, 0xffffffff, EGRESS_METADATA},   /* 168.63.129.16, Azure */
    {0xc0000000, 0xffffff00, EGRESS_METADATA},   /* 192.0.0.0/24, Oracle's 192.0.0.192 */
    {0xe0000000, 0xf0000000, EGRESS_MULTICAST},
    {0xf0000000, 0xf0000000, EGRESS_MULTICAST}, /* reserved, and broadcast */
};

static enum egress_kind classify_v4(uint32_t address) {
    for (size_t i = 0; i < ARRAY_LEN(v4_rows); i++)
        if ((address & v4_rows[i].mask) == v4_rows[i].net) return v4_rows[i].kind;
    return EGRESS_OPEN;
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum egress_kind classify_v6(const uint8_t a[16]) {
    static const uint8_t zero[16] = {0}, nat64[12] = {0x00, 0x64, 0xff, 0x9b},
                         aws[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54},
                         google[16] = {0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0,
                                       0,    0,    0,    0,    0, 0, 2, 0x54};
    if (memcmp(a, zero, 10) == 0 && a[10] == 0xff && a[11] == 0xff)
        return classify_v4(be32(a + 12));
    if (memcmp(a, zero, 12) == 0) return classify_v4(be32(a + 12)); /* ::, ::1 and ::a.b.c.d */
    if (memcmp(a, nat64, 12) == 0) return classify_v4(be32(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) return classify_v4(be32(a + 2)); /* 6to4 */
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return EGRESS_LINK_LOCAL;
    if (a[0] == 0xff) return EGRESS_MULTICAST;
    if (memcmp(a, aws, 16) == 0 || memcmp(a, google, 16) == 0) return EGRESS_METADATA;
    return EGRESS_OPEN;
}

enum egress_kind egress_classify(const struct sockaddr *sa, socklen_t n) {
    if (sa->sa_family == AF_INET && n >= sizeof(struct sockaddr_in))
        return classify_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
    if (sa->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6))
        return classify_v6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
    return EGRESS_UNKNOWN;
}

static err *parse_entry(str item, struct entry *ret) {
    ptrdiff_t colon = -1;
    for (size_t i = item.n; i > 0 && colon < 0; i--)
        if (item.p[i - 1] == ':') colon = (ptrdiff_t)i - 1;
    str host = colon > 0 ? str_cut(item, (size_t)colon) : STR_NONE;
    str port = colon > 0 ? str_from(item, (size_t)colon + 1) : STR_NONE;
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_n(host.p + 1, host.n - 2);
    else if (str_chr(host, ':', 0) >= 0)
        host = STR_NONE; /* IPv6 without brackets: no telling */
    int64_t number = 0;
    bool any = str_eqz(port, "*");
    if (host.n == 0 || host.n >= sizeof(ret->host) ||
        (!any && (!str_to_i64(port, &number) || number < 1 || number > 65535)))
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "egress.allow: '%.*s' is no host:port",
                                STR_ARG(item)),
                        "write host:port, 192.0.2.1:port, [2001:db8::1]:port, or port * for any");
    *ret = (struct entry){.port = (int)number};
    memcpy(ret->host, host.p, host.n);
    return NULL;
}

err *egress_new(str allow, egress **ret) {
    egress *e = calloc(1, sizeof(*e));
    must(e != NULL);
    str rest = allow, item;
    while (rest.n && str_split(&rest, ',', &item)) {
        item = str_trim(item);
        struct entry entry;
        err *bad = NULL;
        if (item.n == 0) continue;
        if (e->entries.n >= EGRESS_MAX_ENTRIES)
            bad = err_new(ERR_INVALID_PARAMETER_VALUE, "egress.allow has more than %u entries",
                          EGRESS_MAX_ENTRIES);
        else
            bad = parse_entry(item, &entry);
        if (bad) {
            egress_free(e);
            return bad;
        }
        vec_push(&e->entries, entry);
    }
    *ret = e;
    return NULL;
}

void egress_free(egress *e) {
    if (!e) return;
    vec_free(&e->entries);
    free(e);
}

bool egress_named(const egress *e, str host, int port, str address) {
    if (host.n > 2 && host.p[0] == '[') host = str_n(host.p + 1, host.n - 2);
    for (size_t i = 0; e && i < e->entries.n; i++) {
        const struct entry *row = &e->entries.p[i];
        if (row->port && row->port != port) continue;
        if (str_ieq(str_of(row->host), host) || str_ieq(str_of(row->host), address)) return true;
    }
    return false;
}

err *egress_judge(const egress *e, str host, int port, const struct sockaddr *sa, socklen_t n) {
    static const char *const words[] = {[EGRESS_LOOPBACK] = "is this machine",
                                        [EGRESS_LINK_LOCAL] = "is link-local",
                                        [EGRESS_METADATA] = "is a metadata service",
                                        [EGRESS_MULTICAST] = "is no single host",
                                        [EGRESS_UNKNOWN] = "is no internet address"};
    enum egress_kind kind = egress_classify(sa, n);
    if (kind == EGRESS_OPEN) return NULL;
    char text[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, text, sizeof(text));
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, text, sizeof(text));
    if (kind != EGRESS_UNKNOWN && egress_named(e, host, port, str_of(text))) return NULL;
    return err_hint(err_new(ERR_PERMISSION_DENIED, "no connection to %.*s:%d: %s %s", STR_ARG(host),
                            port, text, words[kind]),
                    "name it in the setting egress.allow if it is meant");
}
