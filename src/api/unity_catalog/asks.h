/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog's answers to engines (catalog/ask.h), as rows of statements/asks.h. */
#ifndef BH_API_UNITY_CATALOG_ASKS_H
#define BH_API_UNITY_CATALOG_ASKS_H

#include "catalog/ask.h"
#include "rest/control.h"

/* Answers r's question (r->args) with one of the answerers, as the rows' steps do. */
err *uc_ask(struct req *r, ask_fn fn) BH_CHECK;
/* Once, after statements_open(). */
void uc_asks_open(struct control *c);

#endif
