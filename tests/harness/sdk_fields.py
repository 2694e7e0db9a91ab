# SPDX-License-Identifier: Apache-2.0
"""Answers against the SDK's dataclasses, field by field: which fields does an answer leave out that the client knows?"""

import dataclasses


def left_out(answer, path=""):
    """Dotted names of the fields that are None; of a list's elements those that are None in all, under "name[]"."""
    found = set()
    for f in dataclasses.fields(answer):
        value = getattr(answer, f.name)
        if value is None:
            found.add(path + f.name)
        elif dataclasses.is_dataclass(value):
            found |= left_out(value, f"{path}{f.name}.")
        elif isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
            found |= set.intersection(*(left_out(v, f"{path}{f.name}[].") for v in value))
    return found
