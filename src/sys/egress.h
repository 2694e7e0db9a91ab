/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the platform may connect to: everything but this machine, its link and the clouds' metadata
 * services, unless an entry of the setting egress.allow names the place. The judgement is made on
 * the address of the socket that is about to connect, never on a name, so that a name which
 * resolves to something else a moment later changes nothing.
 */
#ifndef BH_SYS_EGRESS_H
#define BH_SYS_EGRESS_H

#include <sys/socket.h>

#include "base/err.h"

#define EGRESS_MAX_ENTRIES 256u

enum egress_kind {
    EGRESS_OPEN,       /* nothing special */
    EGRESS_LOOPBACK,   /* 127/8, ::1, and the unspecified addresses, which mean the same */
    EGRESS_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    EGRESS_METADATA,   /* instance metadata outside the link-local ranges */
    EGRESS_MULTICAST,  /* and broadcast */
    EGRESS_UNKNOWN     /* neither IPv4 nor IPv6 */
};

typedef struct egress egress;

/* Entries "host:port" separated by commas; host a name, an IPv4 address or [IPv6]; port a number or
 * "*". Error names the entry. *ret is freed with egress_free(). */
err *egress_new(str allow, egress **ret) BH_CHECK;
void egress_free(egress *e);

/* IPv4 addresses inside IPv6 ones (mapped, NAT64, 6to4) are judged as what they stand for. */
enum egress_kind egress_classify(const struct sockaddr *sa, socklen_t n);

/* True if `host` or the address itself stands in the list with this port. */
bool egress_named(const egress *e, str host, int port, str address);

/* PERMISSION_DENIED unless the address is open or named. host, port: as the URL says. */
err *egress_judge(const egress *e, str host, int port, const struct sockaddr *sa,
                  socklen_t n) BH_CHECK;

#endif
