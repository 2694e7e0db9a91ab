# SPDX-License-Identifier: Apache-2.0
"""Columns and rows from Arrow as Spark's SQL test suite writes them: struct<…>, and Hive's way of writing values."""

import base64
import datetime
import decimal
import re
import zoneinfo

import numpy
import pyarrow as pa

EPOCH_DAYS = 719468


def type_text(t):
    """Spark's short text of a type given as its JSON."""
    if isinstance(t, str):
        return {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}.get(t, t)
    if t["type"] == "array":
        return f"array<{type_text(t['elementType'])}>"
    if t["type"] == "map":
        return f"map<{type_text(t['keyType'])},{type_text(t['valueType'])}>"
    if t["type"] == "udt":
        return "udt"
    return f"struct<{','.join(f['name'] + ':' + type_text(f['type']) for f in t['fields'])}>"


def schema_text(columns):
    return "struct<" + ",".join(f"{n}:{type_text(t)}" for n, t in columns) + ">"


def java_float(x, single):
    """Double.toString, Float.toString."""
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "Infinity" if x > 0 else "-Infinity"
    if x == 0:
        return "-0.0" if str(x)[0] == "-" else "0.0"
    _, digits, exp = decimal.Decimal(str(numpy.float32(x)) if single else repr(x)).as_tuple()
    sign, digits = "-" if x < 0 else "", "".join(map(str, digits))
    exp += len(digits) - 1  # of the first digit
    digits = digits.rstrip("0") or "0"
    if -3 <= exp < 7:
        if exp < 0:
            return f"{sign}0.{'0' * (-exp - 1)}{digits}"
        digits = digits.ljust(exp + 2, "0")
        return f"{sign}{digits[:exp + 1]}.{digits[exp + 1:]}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exp}"


def date_text(days):
    z = days + EPOCH_DAYS
    era, doe = divmod(z, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    m = mp + (3 if mp < 10 else -9)
    y = yoe + era * 400 + (m <= 2)
    year = f"{y:04d}" if 0 <= y <= 9999 else f"+{y}" if y > 0 else f"-{-y:04d}"
    return f"{year}-{m:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}"


def fraction(us):
    return f".{us:06d}".rstrip("0") if us else ""


def timestamp_text(us, zone):
    if zone:
        at = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        seconds = max(-62135000000, min(us // 1000000, 253400000000))
        offset = (at + datetime.timedelta(seconds=seconds)).astimezone(zone).utcoffset()
        us += (offset.days * 86400 + offset.seconds) * 1000000
    days, rest = divmod(us, 86400000000)
    s, us = divmod(rest, 1000000)
    return f"{date_text(days)} {s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}{fraction(us)}"


def zone_of(name):
    if not name:
        return None
    if name[0] in "+-":
        sign = -1 if name[0] == "-" else 1
        h, _, m = name[1:].partition(":")
        return datetime.timezone(sign * datetime.timedelta(hours=int(h), minutes=int(m[:2] or 0)))
    return zoneinfo.ZoneInfo(name)


UNITS = {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}


def interval_text(text):
    """INTERVAL '…' YEAR TO MONTH, DAY TO SECOND and their parts as Hive writes them: 1-2, 3 04:05:06.000000000."""
    m = re.fullmatch(r"INTERVAL '([^']*)' (\w+)(?: TO (\w+))?", text)
    if not m:
        return text
    value, first = m[1], m[2]
    sign = "-" if value.startswith("-") else ""
    parts = [p for p in re.split(r"[- :]", value.lstrip("-+")) if p]
    if first in ("YEAR", "MONTH"):
        months = sum(int(p) * k for p, k in zip(parts, (12, 1) if first == "YEAR" else (1,)))
        return f"{sign}{months // 12}-{months % 12}"
    names = list(UNITS)
    us = sum(int(decimal.Decimal(p) * UNITS[names[names.index(first) + i]] * 1000000) for i, p in enumerate(parts))
    s, us = divmod(us, 1000000)
    return f"{sign}{s // 86400} {s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}.{us:06d}000"


def binary_text(v, style):
    """By the setting spark.sql.binaryOutputStyle."""
    if style == "HEX":
        return v.hex().upper()
    if style == "HEX_DISCRETE":
        return "[" + " ".join(f"{b:02X}" for b in v) + "]"
    if style == "BASE64":
        return base64.b64encode(v).decode().rstrip("=")
    if style == "BASIC":
        return "[" + ", ".join(str(b - 256 if b > 127 else b) for b in v) + "]"
    return v.decode("utf-8", "replace")


def shower(t, arrow, style):
    """A function of (value, nested) → text for a column of Spark's type t held as the Arrow type."""
    if isinstance(t, dict):
        return {"array": array_shower, "map": map_shower, "struct": struct_shower}[t["type"]](t, arrow, style)
    if t in ("double", "float"):
        return lambda v, nested: java_float(v, t == "float")
    if t == "boolean":
        return lambda v, nested: "true" if v else "false"
    if t == "date":
        return lambda v, nested: date_text(v)
    if t == "timestamp_ntz":
        return lambda v, nested: timestamp_text(v, None)
    if t == "timestamp":
        zone = zone_of(arrow.tz) if pa.types.is_timestamp(arrow) else None
        return lambda v, nested: timestamp_text(v, zone)
    if t.startswith("time"):
        return lambda v, nested: timestamp_text(v // 1000 if v > 86400000000 else v, None)[11:]
    if t == "binary":
        return lambda v, nested: binary_text(v, style)
    if t.startswith("interval"):
        return lambda v, nested: interval_text(v)
    if t.startswith("decimal"):
        return lambda v, nested: f"{v:f}"
    if t == "variant":
        return lambda v, nested: v
    if t.startswith(("string", "char", "varchar")):
        return lambda v, nested: '"' + v + '"' if nested else v
    return lambda v, nested: str(v)


def array_shower(t, arrow, style):
    inner = nested_shower(t["elementType"], arrow.value_type, style)
    return lambda v, nested: "[" + ",".join(inner(x) for x in v) + "]"


def map_shower(t, arrow, style):
    key, value = nested_shower(t["keyType"], arrow.key_type, style), nested_shower(t["valueType"], arrow.item_type, style)
    return lambda v, nested: "{" + ",".join(sorted(f"{key(k)}:{value(x)}" for k, x in v)) + "}"


def struct_shower(t, arrow, style):
    inner = [(f["name"], nested_shower(f["type"], arrow.field(i).type, style)) for i, f in enumerate(t["fields"])]
    return lambda v, nested: "{" + ",".join(f'"{n}":{show(x)}' for (n, show), x in zip(inner, v)) + "}"


def nested_shower(t, arrow, style):
    inner = shower(t, arrow, style)
    return lambda v: "null" if v is None else inner(v, True)


def plain(scalar_type, array):
    """Values of an Arrow array as plain Python ones: dates as days, timestamps as microseconds, structs as lists."""
    t = scalar_type
    if pa.types.is_date32(t):
        return array.cast(pa.int32()).to_pylist()
    if pa.types.is_timestamp(t):
        return array.cast(pa.timestamp("us", t.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_time64(t):
        return array.cast(pa.time64("us"), safe=False).cast(pa.int64()).to_pylist()
    if pa.types.is_list(t):
        items = plain(t.value_type, array.values)
        return [items[a:b] if ok else None for a, b, ok in spans(array)]
    if pa.types.is_map(t):
        keys, values = plain(t.key_type, array.keys), plain(t.item_type, array.items)
        return [list(zip(keys[a:b], values[a:b])) if ok else None for a, b, ok in spans(array)]
    if pa.types.is_struct(t):
        fields = [plain(t.field(i).type, array.field(i)) for i in range(t.num_fields)]
        ok = array.is_valid().to_pylist()
        return [[f[i] for f in fields] if ok[i] else None for i in range(len(array))]
    return array.to_pylist()


def spans(array):
    offsets = array.offsets.to_pylist()
    return zip(offsets, offsets[1:], array.is_valid().to_pylist())


def shown_rows(columns, table, style):
    if table is None:
        return []
    cells = []
    for i, (_, t) in enumerate(columns):
        arrow = table.schema.field(i).type
        show, out = shower(t, arrow, style), []
        for chunk in table.column(i).chunks:
            out += ["NULL" if v is None else show(v, False) for v in plain(arrow, chunk)]
        cells.append(out)
    if not cells:
        return []
    return ["\t".join(row).rstrip("\n") for row in zip(*cells)]
