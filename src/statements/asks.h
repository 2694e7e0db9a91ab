/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engines ask (src/engine/README.md) is answered by rows like those of REST routes: a name, lanes, steps. An
 * ask becomes a request of its own (struct req): the same lanes and stores, the rights of the statement's
 * principal as the facts are now, the statement's workspace as its scope, the ask's JSON as r->args; the answer is
 * r's JSON. r->ask says of which statement.
 *
 *   static const struct route_row rows[] = {
 *       {.service = "ask", .name = "resolve", .file = STORE_META, .steps = {{LANE_READ, ask_resolve}}},
 *       {.service = "ask", .name = "command.create_schema", .steps = {{LANE_WRITE, ask_create_schema}}},
 *   };
 *   TRY(asks_add(c, rows, ARRAY_LEN(rows)));
 *
 * An op that has no row is looked up as "<op>.<value of its field of that name>": command.create_schema. What has no
 * row at all is refused as NOT_IMPLEMENTED.
 */
#ifndef BH_STATEMENTS_ASKS_H
#define BH_STATEMENTS_ASKS_H

#include "rest/control.h"

/* Rows must live as long as control. Call once per table, after statements_open(). A name twice is a bug (must). */
void asks_add(struct control *c, const struct route_row *rows, size_t n);

#endif
