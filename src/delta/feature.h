/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table features: who must know what, and what switches each on.
 */
#ifndef BH_DELTA_FEATURE_H
#define BH_DELTA_FEATURE_H

#include "delta/action.h"

struct delta_feature {
    const char *name;
    bool reader;              /* readers must know it too */
    int legacy_reader, legacy_writer;  /* versions that imply it; 0: none */
    bool can_read, can_write; /* do we? */
    const char *property;     /* "key" that switches it on with "true" (or its value after '='), or NULL */
};
extern const struct delta_feature delta_features[];
extern const size_t delta_features_n;

const struct delta_feature *delta_feature_of(str name);
/* Is the feature in force, by list or by legacy version? */
bool delta_has_feature(const struct delta_protocol *p, const char *name);

/* DELTA_UNSUPPORTED_FEATURES_FOR_READ, DELTA_INVALID_PROTOCOL_VERSION, each naming what is not known. `table` is for
 * the message. */
err *delta_check_read(const struct delta_protocol *p, str table) BH_CHECK;
err *delta_check_write(const struct delta_protocol *p, str table) BH_CHECK;

/* Adds a feature (and the versions and lists that it needs, with what the old versions implied). False: was there. */
bool delta_add_feature(arena *a, struct delta_protocol *p, const char *name);
bool delta_drop_feature(arena *a, struct delta_protocol *p, const char *name);
/* Adds those that properties and schema ask for; drops the properties delta.minReaderVersion, delta.minWriterVersion
 * and delta.feature.*, which are orders, not state. */
void delta_features_of_config(arena *a, struct delta_protocol *p, struct delta_map *config);

#endif
