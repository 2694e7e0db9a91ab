/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An XML text as a tree (expat reads it). No external entity is ever read, no document type is heeded beyond its own
 * entities' refusal; depth and size are bounded. Names keep their prefixes as written.
 */
#ifndef BH_SQL_XML_H
#define BH_SQL_XML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define XML_DEPTH 200
#define XML_BYTES (64u << 20)
#define XML_NODES (4u << 20)

enum xml_kind { XML_ROOT, XML_ELEMENT, XML_ATTRIBUTE, XML_TEXT };

struct xml {
    enum xml_kind kind;
    str name;                /* element, attribute */
    str text;                /* attribute, text */
    struct xml *parent, *child, *last, *next; /* children: elements and texts in order */
    struct xml *attribute;   /* the first; the others by next */
    size_t order;            /* place in the document */
};

/* The root (its child is the document's element) in the arena; NULL: the text is no XML, or beyond the limits. */
struct xml *xml_read(arena *a, str text);
/* The document's element. */
struct xml *xml_top(struct xml *root);
/* All text below a node, in order. */
void xml_text(const struct xml *n, buf *out);
/* The node as XML text again; of a root its children. */
void xml_write(const struct xml *n, buf *out);
void xml_escape(str s, bool attribute, buf *out);

#endif
