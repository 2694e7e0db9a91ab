/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups: limits of memory, processes and cpu, and killing a group at once. Version 1 and 2
 * stand side by side: each control is used where the machine has it (tables in cgroup.c).
 * All groups are made below the group that this process is in; nothing is moved upward, and what
 * is made is removed.
 */
#ifndef BH_SYS_CGROUP_H
#define BH_SYS_CGROUP_H

#include "base/err.h"

typedef struct cgroups cgroups;
typedef struct cgroup cgroup;

enum { CGROUP_MEMORY = 1, CGROUP_PIDS = 2, CGROUP_CPU = 4, CGROUP_KILL = 8 };

/* Looks at the machine and makes the parent group `name` where it may. Never fails for lack of
 * cgroups: cgroups_controls() says what there is. Removes what an earlier run of that name left. */
err *cgroups_new(const char *name, cgroups **ret) BH_CHECK;
/* Removes the parent group; children must be gone. */
void cgroups_free(cgroups *g);
/* CGROUP_ bits that work here. */
int cgroups_controls(const cgroups *g);
/* One line for people: "memory v1, pids v1, cpu v1, kill v2". */
void cgroups_describe(const cgroups *g, buf *out);

struct cgroup_limits {
    uint64_t memory_bytes;
    uint32_t pids, cpu_percent; /* percent of one core */
    /* The share of the processors that it gets of what all groups of ours ask for, 1 … 10,000; 100 is a process without a
     * group. A group that asks for less than its share waits for nobody. */
    uint32_t cpu_weight;
};
/* A child group. 0 = no limit, or weight 100. Limits that the machine has no controller for are left out. */
err *cgroup_new(cgroups *g, const struct cgroup_limits *limits, cgroup **ret) BH_CHECK;
/* Changes the memory limit of a group in use. */
err *cgroup_set_memory(cgroup *c, uint64_t memory_bytes) BH_CHECK;
/* Changes its weight. Where weights cannot be set nothing happens: they are no limit that anybody relies on. */
void cgroup_set_weight(cgroup *c, uint32_t cpu_weight);
/* It yields: it gets a tenth of its weight, so that a group beside it that wakes up is served first. */
void cgroup_yield(cgroup *c, bool yield);
/* Descriptor of the version 2 folder for CLONE_INTO_CGROUP, or -1. */
int cgroup_v2_fd(const cgroup *c);
/* Moves a process in (version 1 part; it must not have forked yet). */
err *cgroup_add(cgroup *c, int pid) BH_CHECK;
/* Kills all in it; false where that control is missing. */
bool cgroup_kill(const cgroup *c);
/* Bytes in use, highest use, and times that the group's limit killed. */
uint64_t cgroup_memory(const cgroup *c);
uint64_t cgroup_memory_peak(const cgroup *c);
uint64_t cgroup_oom_kills(const cgroup *c);
/* Removes the group; processes in it must have ended. NULL is fine. */
void cgroup_free(cgroup *c);

#endif
