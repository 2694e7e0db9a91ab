#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tables/errors.json -> src/base/gen_errors.h (X-macro list), docs/generated/errors.md"""
from common import Out, cstr, table

rows = table("tables/errors.json")["errors"]
out = Out("gen_errors.py", "tables/errors.json")
h = "#ifndef BH_BASE_GEN_ERRORS_H\n#define BH_BASE_GEN_ERRORS_H\n\n/* X(name, http_status, doc) */\n#define ERR_CODES(X) \\\n"
h += " \\\n".join("    X(%s, %d, %s)" % (r["name"], r["status"], cstr(r["doc"])) for r in rows)
out.c("src/base/gen_errors.h", h + "\n\n#endif\n")
md = "# Error codes\n\nGenerated from tables/errors.json.\n\n| error_code | HTTP | meaning |\n|---|---|---|\n"
md += "".join("| %s | %d | %s |\n" % (r["name"], r["status"], r["doc"]) for r in rows)
out.raw("docs/generated/errors.md", md)
out.finish()
