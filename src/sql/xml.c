/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/xml.h"

#include <expat.h>

struct reader {
    XML_Parser parser;
    arena *a;
    struct xml *at;
    int depth;
    size_t nodes;
    buf text;                /* characters that came since the last tag */
    bool bad;
};

static void give_up(struct reader *r) {
    r->bad = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static struct xml *node(struct reader *r, enum xml_kind kind) {
    struct xml *n = arena_new_of(r->a, struct xml);
    *n = (struct xml){.kind = kind, .parent = r->at, .order = r->nodes++};
    if (r->nodes > XML_NODES) give_up(r);
    return n;
}

static void append(struct xml *to, struct xml *n) {
    if (to->last) to->last->next = n;
    else to->child = n;
    to->last = n;
}

static void flush(struct reader *r) {
    if (!r->text.n) return;
    struct xml *n = node(r, XML_TEXT);
    n->text = arena_str(r->a, buf_view(&r->text));
    append(r->at, n);
    buf_clear(&r->text);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
    struct reader *r = arg;
    flush(r);
    if (++r->depth > XML_DEPTH) {
        give_up(r);
        return;
    }
    struct xml *n = node(r, XML_ELEMENT), *last = NULL;
    n->name = str_of(arena_strdup(r->a, name));
    append(r->at, n);
    r->at = n;
    for (; *attributes; attributes += 2) {
        struct xml *t = node(r, XML_ATTRIBUTE);
        t->name = str_of(arena_strdup(r->a, attributes[0]));
        t->text = str_of(arena_strdup(r->a, attributes[1]));
        if (last) last->next = t;
        else n->attribute = t;
        last = t;
    }
}

static void XMLCALL on_end(void *arg, const XML_Char *name) {
    struct reader *r = arg;
    (void)name;
    flush(r);
    r->at = r->at->parent;
    r->depth--;
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int n) {
    struct reader *r = arg;
    buf_add(&r->text, s, (size_t)n);
}

/* Entities of a document's own are refused: none of what reaches us needs them, and they are how small texts grow. */
static void XMLCALL on_entity(void *arg, const XML_Char *name, int parameter, const XML_Char *value, int n, const XML_Char *base, const XML_Char *system, const XML_Char *public, const XML_Char *notation) {
    (void)name, (void)parameter, (void)value, (void)n, (void)base, (void)system, (void)public, (void)notation;
    give_up(arg);
}

struct xml *xml_read(arena *a, str text) {
    struct reader r = {.a = a};
    if (text.n > XML_BYTES) return NULL;
    r.parser = XML_ParserCreate("UTF-8");
    if (!r.parser) return NULL;
    struct xml *root = node(&r, XML_ROOT);
    r.at = root;
    root->parent = NULL;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetEntityDeclHandler(r.parser, on_entity);
    bool good = XML_Parse(r.parser, text.p ? text.p : "", (int)text.n, XML_TRUE) == XML_STATUS_OK && !r.bad;
    XML_ParserFree(r.parser);
    buf_free(&r.text);
    return good ? root : NULL;
}

struct xml *xml_top(struct xml *root) {
    struct xml *n = root->child;
    while (n && n->kind != XML_ELEMENT) n = n->next;
    return n;
}

void xml_text(const struct xml *n, buf *out) {
    if (n->kind == XML_ATTRIBUTE || n->kind == XML_TEXT) buf_str(out, n->text);
    else
        for (const struct xml *k = n->child; k; k = k->next) xml_text(k, out);
}

void xml_escape(str s, bool attribute, buf *out) {
    for (size_t i = 0; i < s.n; i++) switch (s.p[i]) {
        case '<': buf_z(out, "&lt;"); break;
        case '>': buf_z(out, attribute ? ">" : "&gt;"); break;
        case '&': buf_z(out, "&amp;"); break;
        case '"': buf_z(out, attribute ? "&quot;" : "\""); break;
        default: buf_c(out, s.p[i]);
        }
}

void xml_write(const struct xml *n, buf *out) {
    if (n->kind == XML_TEXT) {
        xml_escape(n->text, false, out);
        return;
    }
    if (n->kind == XML_ELEMENT) {
        buf_fmt(out, "<%.*s", STR_ARG(n->name));
        for (const struct xml *t = n->attribute; t; t = t->next) {
            buf_fmt(out, " %.*s=\"", STR_ARG(t->name));
            xml_escape(t->text, true, out);
            buf_c(out, '"');
        }
        buf_c(out, '>');
    }
    for (const struct xml *k = n->child; k; k = k->next) xml_write(k, out);
    if (n->kind == XML_ELEMENT) buf_fmt(out, "</%.*s>", STR_ARG(n->name));
}
