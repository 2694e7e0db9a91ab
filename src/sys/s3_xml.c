/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/s3_xml.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/time.h"
#include "base/vec.h"

struct reader {
    XML_Parser parser;
    s3_xml_fn *fn;
    void *arg;
    char path[512];
    size_t ends[S3_XML_MAX_DEPTH]; /* length of the path above each open element */
    int depth;
    buf text;
    const char *bad;
};

static void give_up(struct reader *r, const char *why) {
    if (!r->bad) r->bad = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
    struct reader *r = arg;
    (void)attributes;
    size_t at = strlen(r->path);
    if (r->depth >= S3_XML_MAX_DEPTH || at + strlen(name) + 2 > sizeof(r->path)) {
        give_up(r, "too deep");
        return;
    }
    r->ends[r->depth++] = at;
    snprintf(r->path + at, sizeof(r->path) - at, "%s%s", at ? "/" : "", name);
    buf_clear(&r->text);
}

static void XMLCALL on_end(void *arg, const XML_Char *name) {
    struct reader *r = arg;
    (void)name;
    if (r->bad || r->depth == 0) return;
    r->fn(r->arg, r->path, buf_view(&r->text));
    r->path[r->ends[--r->depth]] = 0;
    buf_clear(&r->text);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int n) {
    struct reader *r = arg;
    buf_add(&r->text, text, (size_t)n);
    if (r->text.overflow) give_up(r, "a text is too long");
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int internal) {
    (void)name, (void)system_id, (void)public_id, (void)internal;
    give_up(arg, "a document type is not accepted");
}

err *s3_xml_parse(str text, s3_xml_fn *fn, void *arg) {
    if (text.n > INT32_MAX) return err_new(ERR_MALFORMED_REQUEST, "XML of %zu bytes", text.n);
    struct reader r = {.fn = fn, .arg = arg, .text.max = S3_XML_MAX_TEXT};
    r.parser = XML_ParserCreate(NULL);
    must(r.parser != NULL);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    err *e = NULL;
    if (XML_Parse(r.parser, text.n ? text.p : "", (int)text.n, 1) != XML_STATUS_OK)
        e = err_new(ERR_MALFORMED_REQUEST, "the store's XML is wrong in line %lu: %s",
                    (unsigned long)XML_GetCurrentLineNumber(r.parser),
                    r.bad ? r.bad : XML_ErrorString(XML_GetErrorCode(r.parser)));
    XML_ParserFree(r.parser);
    buf_free(&r.text);
    return e;
}

str s3_unquote(str etag) {
    if (str_starts(etag, STR("W/"))) etag = str_from(etag, 2);
    if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
        return str_n(etag.p + 1, etag.n - 2);
    return etag;
}

/* ---- lists ---- */

struct list_reader {
    arena *a;
    vec_of(struct s3_xml_entry) entries;
    struct s3_xml_entry now;
    struct s3_xml_list *ret;
    bool encoded;
};

static void list_item(void *arg, const char *path, str text) {
    struct list_reader *l = arg;
    static const char root[] = "ListBucketResult/";
    if (strncmp(path, root, sizeof(root) - 1) != 0) return;
    str at = str_of(path + sizeof(root) - 1);
    if (str_eqz(at, "Contents/Key") || str_eqz(at, "CommonPrefixes/Prefix"))
        l->now.key = arena_str(l->a, text);
    else if (str_eqz(at, "Contents/Size")) {
        if (!str_to_i64(text, &l->now.size)) l->now.size = 0;
    } else if (str_eqz(at, "Contents/LastModified")) {
        if (!time_parse_rfc3339(text, &l->now.mtime)) l->now.mtime = 0;
    } else if (str_eqz(at, "Contents/ETag"))
        l->now.etag = arena_str(l->a, s3_unquote(text));
    else if (str_eqz(at, "Contents") || str_eqz(at, "CommonPrefixes")) {
        l->now.prefix = str_eqz(at, "CommonPrefixes");
        vec_push(&l->entries, l->now);
        l->now = (struct s3_xml_entry){0};
    } else if (str_eqz(at, "NextContinuationToken"))
        l->ret->next = arena_str(l->a, text);
    else if (str_eqz(at, "IsTruncated"))
        l->ret->truncated = str_eqz(text, "true");
    else if (str_eqz(at, "EncodingType"))
        l->encoded = str_eqz(text, "url");
}

err *s3_xml_list(arena *a, str text, struct s3_xml_list *ret) {
    *ret = (struct s3_xml_list){0};
    struct list_reader l = {.a = a, .ret = ret};
    err *e = s3_xml_parse(text, list_item, &l);
    for (size_t i = 0; !e && l.encoded && i < l.entries.n; i++) {
        buf b = {0};
        if (enc_unpercent(&b, l.entries.p[i].key, true))
            l.entries.p[i].key = arena_str(a, buf_view(&b));
        else
            e = err_new(ERR_MALFORMED_REQUEST,
                        "the store's list has a key that is wrongly encoded");
        buf_free(&b);
    }
    ret->n = l.entries.n;
    ret->entries = arena_array_of(a, struct s3_xml_entry, l.entries.n + 1);
    if (ret->n) memcpy(ret->entries, l.entries.p, ret->n * sizeof(*ret->entries));
    vec_free(&l.entries);
    return e;
}

/* ---- everything else ---- */

static void set(char *to, size_t cap, str text) {
    if (to[0] == 0) snprintf(to, cap, "%.*s", STR_ARG(text));
}

static void answer_item(void *arg, const char *path, str text) {
    struct s3_xml_answer *r = arg;
    const char *slash = strchr(path, '/');
    if (!slash) {
        set(r->root, sizeof(r->root), str_of(path));
        return;
    }
    str at = str_of(slash + 1);
    if (str_starts(at, STR("Error/"))) at = str_from(at, 6); /* of a DeleteResult */
    if (str_eqz(at, "Code"))
        set(r->code, sizeof(r->code), text);
    else if (str_eqz(at, "Message"))
        set(r->message, sizeof(r->message), text);
    else if (str_eqz(at, "ETag"))
        set(r->etag, sizeof(r->etag), s3_unquote(text));
    else if (str_eqz(at, "UploadId"))
        set(r->upload_id, sizeof(r->upload_id), text);
    else if (str_eqz(at, "Key"))
        set(r->key, sizeof(r->key), text);
}

err *s3_xml_answer(str text, struct s3_xml_answer *ret) {
    memset(ret, 0, sizeof(*ret));
    return s3_xml_parse(text, answer_item, ret);
}
