/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault-injecting twins of storage; for tests only.
 *
 *   storage_fault_new()  around any storage: scripted failures of its calls
 *   storage_power_new()  below a local storage: a disk that loses power
 */
#ifndef BH_SYS_STORAGE_FAULT_H
#define BH_SYS_STORAGE_FAULT_H

#include "sys/storage_local.h"

enum storage_fault_kind {
    STORAGE_FAULT_BEFORE, /* fails, has no effect */
    STORAGE_FAULT_AFTER,  /* has its effect, and fails: an answer that was lost */
    STORAGE_FAULT_CUT     /* put, part, get: the body breaks off after `bytes` bytes */
};

struct storage_fault_rule {
    const char *op; /* member of storage_ops: "put", "get", "multi_part", …; "*": every call */
    int nth;        /* the how-manieth such call, from 1; 0: each */
    enum storage_fault_kind kind;
    err_code code;
    int64_t bytes;
};

/* Takes over `inner`; copies the rules. */
storage *storage_fault_new(storage *inner, const struct storage_fault_rule *rules, size_t n);
/* How often op was called ("*": all). */
int storage_fault_calls(storage *s, const char *op);

/* What happens to what was not synced when the power goes. */
enum storage_power_mode {
    STORAGE_POWER_DROP,    /* all of it is gone */
    STORAGE_POWER_KEEP,    /* all of it had reached the disk */
    STORAGE_POWER_SCRAMBLE /* of names some suffix is gone per directory, of data anything remains
                            */
};

typedef struct storage_power storage_power;

/* A disk for storage_local_new(). It remembers each directory's entries and each file's state since
 * their last sync. die_after: so many calls succeed, all later ones fail as if the power were gone
 * (-1: never). Not for several threads. */
err *storage_power_new(uint64_t seed, int64_t die_after, storage_power **ret) BH_CHECK;
struct storage_disk *storage_power_disk(storage_power *p);
/* Calls made so far. */
int64_t storage_power_calls(const storage_power *p);
bool storage_power_died(const storage_power *p);
/* Turns the directory into what the disk holds after the power went. The storage is freed already.
 */
err *storage_power_cut(storage_power *p, const char *root, enum storage_power_mode mode) BH_CHECK;
void storage_power_free(storage_power *p);

#endif
