#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/entities.json -> src/store/gen_entities.{h,c}, docs/generated/entities.md"""
from common import Out, cstr, table

TYPES = {  # type -> (C type, enum, SQL type, SQL default)
    "int": ("int64_t", "ENT_INT", "INTEGER", "0"),
    "time": ("int64_t", "ENT_INT", "INTEGER", "0"),
    "bool": ("bool", "ENT_BOOL", "INTEGER", "0"),
    "float": ("double", "ENT_FLOAT", "REAL", "0"),
    "text": ("str", "ENT_TEXT", "TEXT", "''"),
    "json": ("str", "ENT_JSON", "TEXT", "''"),
    "blob": ("str", "ENT_BLOB", "BLOB", "x''"),
}
MAX = {"text": 1024, "json": 1 << 20, "blob": 65536}
HEAD = ["id", "account_id", "workspace_id", "from_seq", "created_at", "created_by", "updated_at", "updated_by"]
SCOPE = "account_id = ?1 AND workspace_id = ?2"
COLUMN_KEYS = {"name", "type", "null", "fold", "nfc", "filled", "max", "allow", "forbid", "values", "doc"}
ENTITY_KEYS = {"name", "scope", "erased", "limit", "limit_setting", "columns", "keys", "index", "removed", "doc"}


def charset(text):
    """'A-Za-z0-9_-' -> every character of it, once."""
    out, i = "", 0
    while i < len(text):
        if i + 2 < len(text) and text[i + 1] == "-":
            out += "".join(chr(c) for c in range(ord(text[i]), ord(text[i + 2]) + 1))
            i += 3
        else:
            out += text[i]
            i += 1
    assert len(set(out)) == len(out), "'%s' names a character twice" % text
    return out


class Entity:
    def __init__(self, row, number):
        unknown = set(row) - ENTITY_KEYS
        assert not unknown, "%s: unknown fields %s" % (row["name"], unknown)
        self.row, self.number, self.name = row, number, row["name"]
        self.cols = row["columns"]
        self.names = [c["name"] for c in self.cols]
        assert len(set(self.names) | set(HEAD)) == len(self.names) + len(HEAD), "%s: a column twice" % self.name
        assert len(self.cols) <= 40, "%s: too many columns" % self.name
        for c in self.cols:
            unknown = set(c) - COLUMN_KEYS
            assert not unknown, "%s.%s: unknown fields %s" % (self.name, c["name"], unknown)
            assert c["type"] in TYPES, "%s.%s: type %s" % (self.name, c["name"], c["type"])
        self.erased = row.get("erased", False)
        self.keys = row.get("keys", [])
        self.indexes = row.get("index", [])
        for columns in [k["columns"] for k in self.keys] + self.indexes:
            assert columns and len(columns) <= 4 and all(x in self.names for x in columns), "%s: %s" % (self.name, columns)
        self.fold = [c["name"] for c in self.cols if c.get("fold")]
        self.stored = HEAD + self.names + [n + "_k" for n in self.fold]
        assert len(self.stored) <= 48, "%s: too many columns" % self.name
        self.table = '"%s"' % self.name
        self.past = '"%s_past"' % self.name

    def by(self, column):
        """The column that compares: the folded twin where there is one."""
        return column + "_k" if column in self.fold else column

    def column(self, name):
        return self.cols[self.names.index(name)]

    def select(self):
        return ", ".join('"%s"' % n for n in HEAD + self.names)

    def definitions(self):
        out = ["id INTEGER NOT NULL", "account_id INTEGER NOT NULL", "workspace_id INTEGER NOT NULL", "from_seq INTEGER NOT NULL"]
        out += ["%s INTEGER NOT NULL DEFAULT 0" % n for n in HEAD[4:]]
        for c in self.cols:
            _, _, sql, default = TYPES[c["type"]]
            out.append('"%s" %s%s' % (c["name"], sql, "" if c.get("null") else " NOT NULL DEFAULT " + default))
        return out + ['"%s_k" TEXT' % n for n in self.fold]

    def create(self):
        return "CREATE TABLE %s (%s)" % (self.table, ", ".join(self.definitions()))

    def create_past(self):
        return "CREATE TABLE %s (%s, to_seq INTEGER NOT NULL)" % (self.past, ", ".join(self.definitions()))

    def all_indexes(self):
        def make(name, unique, on, columns):
            return (name, "CREATE %sINDEX %s ON %s (%s)" % ("UNIQUE " if unique else "", name, on,
                                                          ", ".join('"%s"' % c for c in columns)))
        scope = ["account_id", "workspace_id"]
        out = [make("ix_%s_id" % self.name, True, self.table, scope + ["id"])]
        for k in self.keys:
            columns = [self.by(c) for c in k["columns"]]
            out.append(make("ix_%s_k_%s" % (self.name, k["name"]), True, self.table,
                            columns if k.get("global") else scope + columns))
        for columns in self.indexes:
            out.append(make("ix_%s_i_%s" % (self.name, "_".join(columns)), False, self.table,
                            scope + [self.by(c) for c in columns]))
        if not self.erased:
            out.append(make("ix_%s_past_id" % self.name, False, self.past, scope + ["id"]))
            for k in self.keys:
                out.append(make("ix_%s_past_k_%s" % (self.name, k["name"]), False, self.past,
                                scope + [self.by(c) for c in k["columns"]]))
            out.append(make("ix_%s_past_to" % self.name, False, self.past, ["to_seq"]))
        return out

    def look_up(self, where, n):
        """(SQL now, SQL as of ?n) of a look-up."""
        now = "SELECT %s FROM %s WHERE %s AND %s" % (self.select(), self.table, SCOPE, where)
        if self.erased:
            return now, None
        then = "%s AND from_seq <= ?%d UNION ALL SELECT %s FROM %s WHERE %s AND %s AND from_seq <= ?%d AND to_seq > ?%d" % (
            now, n, self.select(), self.past, SCOPE, where, n, n)
        return now, then

    def insert(self):
        return "INSERT INTO %s (%s) VALUES (%s)" % (
            self.table, ", ".join('"%s"' % n for n in self.stored), ", ".join("?%d" % (i + 1) for i in range(len(self.stored))))

    def update(self):
        sets = ['"%s" = ?%d' % (n, i + 1) for i, n in enumerate(self.stored) if n not in HEAD[:3]]
        return "UPDATE %s SET %s WHERE id = ?1 AND account_id = ?2 AND workspace_id = ?3" % (self.table, ", ".join(sets))

    def to_past(self):
        names = ", ".join('"%s"' % n for n in self.stored)
        return "INSERT INTO %s (%s, to_seq) SELECT %s, ?4 FROM %s WHERE %s AND id = ?3 AND from_seq < ?4" % (
            self.past, names, names, self.table, SCOPE)


def c_struct(e):
    out = "/* %s%s */\nstruct ent_%s {\n    ENT_HEAD;\n" % (e.row["doc"], " Erased: keeps no past." if e.erased else "", e.name)
    for c in e.cols:
        doc = c.get("doc", "us" if c["type"] == "time" else c["type"] if c["type"] in ("json", "blob") else None)
        out += "    %s %s;%s\n" % (TYPES[c["type"]][0], c["name"], " /* %s */" % doc if doc else "")
    out += "};\nstruct ent_%s_rows {\n    struct ent_%s *p;\n    size_t n;\n    bool more;\n};\n" % (e.name, e.name)
    out += "enum {\n" + "".join("    ENT_%s_%s = %d,\n" % (e.name.upper(), n.upper(), i + 1) for i, n in enumerate(e.names)) + "};\n"
    return out


def key_args(e, k):
    """(parameters, initialisers of struct ent_part)"""
    params, parts = [], []
    for name in k["columns"]:
        c_type = TYPES[e.column(name)["type"]][0]
        params.append("%s %s" % (c_type, name))
        parts.append("{.s = %s}" % name if c_type == "str" else "{.i = %s}" % name)
    return ", ".join(params), ", ".join(parts)


def c_functions(e):
    n, t = e.name, "&ent_table_%s" % e.name
    out = "extern const struct ent_table ent_table_%s;\n" % n
    out += """static inline BH_CHECK err *ent_{n}_get(store_tx *tx, struct store_scope scope, arena *a, int64_t id,
                                     struct ent_{n} *ret, bool *found) {{
    return ent_get(tx, {t}, scope, a, id, ret, found);
}}
static inline BH_CHECK err *ent_{n}_insert(store_tx *tx, struct store_scope scope, struct ent_{n} *row) {{
    return ent_insert(tx, {t}, scope, row);
}}
static inline BH_CHECK err *ent_{n}_update(store_tx *tx, struct store_scope scope, struct ent_{n} *row) {{
    return ent_update(tx, {t}, scope, row);
}}
static inline BH_CHECK err *ent_{n}_delete(store_tx *tx, struct store_scope scope, int64_t id) {{
    return ent_delete(tx, {t}, scope, id);
}}
static inline BH_CHECK err *ent_{n}_list(store_tx *tx, struct store_scope scope, arena *a,
                                      const struct ent_list_query *q, struct ent_{n}_rows *ret) {{
    void *rows = NULL;
    err *e = ent_list(tx, {t}, scope, a, q, &rows, &ret->n, &ret->more);
    ret->p = rows;
    return e;
}}
static inline BH_CHECK err *ent_{n}_count(store_tx *tx, struct store_scope scope,
                                       const struct ent_list_query *q, int64_t *ret) {{
    return ent_count(tx, {t}, scope, q, ret);
}}
""".format(n=n, t=t)
    for i, k in enumerate(e.keys):
        params, parts = key_args(e, k)
        out += """static inline BH_CHECK err *ent_{n}_by_{k}(store_tx *tx, struct store_scope scope, arena *a, {params},
                                        struct ent_{n} *ret, bool *found) {{
    const struct ent_part parts[] = {{{parts}}};
    return ent_by_key(tx, {t}, {i}, scope, a, parts, ret, found);
}}
""".format(n=n, t=t, k=k["name"], params=params, parts=parts, i=i)
    return out


def c_column(e, c):
    indexed = any(c["name"] in x for x in [k["columns"] for k in e.keys] + e.indexes)
    allow = charset(c["allow"]) if "allow" in c else None
    return '    {%s, %s, offsetof(struct ent_%s, %s), .null = %d, .fold = %d, .nfc = %d, .name_like = %d, .indexed = %d,\n     .max = %du, .allow = %s, .forbid = %s, .values = %s},\n' % (
        cstr(c["name"]), TYPES[c["type"]][1], e.name, c["name"], bool(c.get("null")), bool(c.get("fold")), bool(c.get("nfc")),
        bool(c.get("filled")), indexed, c.get("max", MAX.get(c["type"], 0)), cstr(allow), cstr(c.get("forbid")), cstr(c.get("values")))


def c_table(e):
    n = e.name
    out = "static const struct ent_column columns_%s[] = {\n%s};\n" % (n, "".join(c_column(e, c) for c in e.cols))
    if e.keys:
        out += "static const struct ent_key keys_%s[] = {\n" % n
        for k in e.keys:
            where = " AND ".join('"%s" = ?%d' % (e.by(c), i + 3) for i, c in enumerate(k["columns"]))
            now, then = e.look_up(where, len(k["columns"]) + 3)
            out += "    {%s, %d, {%s},\n     %s,\n     %s},\n" % (
                cstr(k["name"]), len(k["columns"]), ", ".join(str(e.names.index(c)) for c in k["columns"]), cstr(now), cstr(then))
        out += "};\n"
    out += "static const struct ent_index indexes_%s[] = {\n%s    {NULL, NULL},\n};\n" % (
        n, "".join("    {%s, %s},\n" % (cstr(a), cstr(b)) for a, b in e.all_indexes()))
    now, then = e.look_up("id = ?3", 4)
    fields = {
        "list": e.select(), "create": e.create(), "create_past": None if e.erased else e.create_past(),
        "get": now, "get_past": then, "insert": e.insert(), "update": e.update(),
        "to_past": None if e.erased else e.to_past(),
        "del": "DELETE FROM %s WHERE %s AND id = ?3" % (e.table, SCOPE),
        "count": "SELECT count(*) FROM %s WHERE %s" % (e.table, SCOPE),
        "prune": None if e.erased else "DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %s WHERE to_seq <= ?1 LIMIT ?2)" % (e.past, e.past),
    }
    out += "const struct ent_table ent_table_%s = {\n    .name = %s, .number = %d, .size = sizeof(struct ent_%s), .scope = ENT_%s, .erased = %d,\n" % (
        n, cstr(n), e.number, n, e.row["scope"].upper(), e.erased)
    out += "    .limit = %d, .limit_setting = %s,\n" % (e.row.get("limit", 0), cstr(e.row.get("limit_setting")))
    out += "    .cols = columns_%s, .n_cols = ARRAY_LEN(columns_%s), .keys = %s, .n_keys = %d, .indexes = indexes_%s,\n" % (
        n, n, "keys_" + n if e.keys else "NULL", len(e.keys), n)
    out += "    .removed = %s,\n" % cstr(" %s " % " ".join(e.row["removed"]) if e.row.get("removed") else "")
    out += "".join("    .%s = %s,\n" % (k, cstr(v)) for k, v in fields.items()) + "};\n\n"
    return out


def fingerprint(entities):
    import hashlib
    text = "\n".join("%s\n%s\n%s" % (e.create(), e.erased, e.all_indexes()) for e in entities)
    limited = ",".join(e.name for e in entities if e.row.get("limit"))
    return hashlib.sha256((text + limited).encode()).hexdigest()[:32]


def page(doc, entities):
    md = "# Entities\n\nGenerated from tables/entities.json.\n\n%s\n" % doc
    for e in entities:
        md += "\n## %s\n\n%s Scope: %s. %s\n\n| column | type | rules |\n|---|---|---|\n" % (
            e.name, e.row["doc"], e.row["scope"], "Erased: keeps no past." if e.erased else "Versioned.")
        for c in e.cols:
            rules = [r for r in ("filled" if c.get("filled") else "", "case does not matter" if c.get("fold") else "",
                                 "at most %d" % c.get("max", MAX.get(c["type"], 0)) if c["type"] in MAX else "",
                                 "of `%s`" % c["allow"] if "allow" in c else "",
                                 "one of " + ", ".join(c["values"].split("|")) if "values" in c else "") if r]
            md += "| %s | %s | %s |\n" % (c["name"], c["type"], "; ".join(rules).replace("|", "\\|"))
        for k in e.keys:
            md += "\nUnique%s: %s." % (" everywhere" if k.get("global") else "", ", ".join(k["columns"]))
        if e.row.get("limit"):
            md += "\nAt most %d in a scope%s." % (e.row["limit"], " (setting %s)" % e.row["limit_setting"] if e.row.get("limit_setting") else "")
        if e.keys or e.row.get("limit"):
            md += "\n"
    return md


def main():
    t = table("tables/entities.json")
    entities = [Entity(r, i) for i, r in enumerate(t["entities"])]
    h = '#ifndef BH_STORE_GEN_ENTITIES_H\n#define BH_STORE_GEN_ENTITIES_H\n\n#include "store/ent.h"\n\n#define ENT_COUNT %d\n' % len(entities)
    h += "#define ENT_FINGERPRINT \"%s\"\nextern const struct ent_table *const ent_tables[ENT_COUNT];\n" % fingerprint(entities)
    h += "/* Entities that older versions had, between blanks. */\n#define ENT_REMOVED %s\n\n" % cstr(" %s " % " ".join(t.get("removed", [])))
    h += "\n".join(c_struct(e) + c_functions(e) for e in entities) + "\n#endif\n"
    c = '#include "store/gen_entities.h"\n\n#include <stddef.h>\n\n' + "".join(c_table(e) for e in entities)
    c += "const struct ent_table *const ent_tables[ENT_COUNT] = {\n%s};\n" % "".join("    &ent_table_%s,\n" % e.name for e in entities)
    out = Out("gen_entities.py", "tables/entities.json")
    out.c("src/store/gen_entities.h", h)
    out.c("src/store/gen_entities.c", c)
    out.raw("docs/generated/entities.md", page(t["doc"], entities))
    out.finish()


main()
