# SPDX-License-Identifier: Apache-2.0
"""tools/record_check.py and tools/coverage_ledger.py find what they are for, on recordings with planted faults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"method": "GET", "path": "/api/2.0/token/list", "operation": "identity.token_list", "route": "/api/2.0/token/list", "status": 200,
        "type": "application/json", "request": "", "response": '{"token_infos":[{"token_id":"a"}]}'}
SCIM = {**GOOD, "operation": "identity.scim_user_get", "route": "/api/2.0/preview/scim/v2/Users/{id}", "type": "application/scim+json",
        "response": '{"id":"1","userName":"u","active":true}'}


def tool(tmp_path, name, *exchanges, arguments=()):
    record = tmp_path / "record.jsonl"
    record.write_text("".join(json.dumps(x) + "\n" for x in exchanges))
    done = subprocess.run([sys.executable, str(ROOT / "tools" / name), *arguments, str(record)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_right_answers_pass_and_routes_never_hit_are_listed(tmp_path):
    code, said = tool(tmp_path, "record_check.py", GOOD, SCIM)
    assert code == 0 and "2 exchanges, 0 wrong" in said, said
    assert "never answered: identity.token_create" in said and "never answered: identity.token_list" not in said
    assert tool(tmp_path, "record_check.py", GOOD, arguments=["--all-hit"])[0] == 1


@pytest.mark.parametrize("change", [
    {"response": '{"token_infos":"none"}'}, {"response": '{"token_infos":[1]}'}, {"response": "[]"}, {"response": "{"},
    {"status": 400, "response": '{"message":"no code"}'}, {"status": 404, "response": '{"error_code":5,"message":"m"}'},
    {"status": 204, "response": "{}"}, {"operation": "identity.nothing"}, {"type": "image/gif"},
    {"type": "application/scim+json", "status": 400, "response": '{"error_code":"X","message":"m"}'}])
def test_wrong_answers_fail(tmp_path, change):
    code, said = tool(tmp_path, "record_check.py", {**GOOD, **change})
    assert code == 1 and "1 exchanges, 1 wrong" in said, said


def counted(tmp_path, *exchanges):
    code, said = tool(tmp_path, "coverage_ledger.py", *exchanges, arguments=["--print"])
    assert code == 0, said
    return int(said.split("**")[1].split(" of ")[0]), said


def test_an_operation_counts_only_for_real_state(tmp_path):
    other = {**GOOD, "response": '{"token_infos":[{"token_id":"b"}]}'}
    assert counted(tmp_path, GOOD, other)[0] == 1
    n, said = counted(tmp_path, GOOD, GOOD)
    assert n == 0 and "always with the same in the recordings: workspace tokens.list." in said
    assert counted(tmp_path, {**GOOD, "response": '{"token_infos":[]}'}, {**GOOD, "response": "{}"})[0] == 0
    assert counted(tmp_path, {**GOOD, "status": 404, "response": '{"error_code":"X","message":"m"}'}, other)[0] == 0
    made = {**GOOD, "method": "POST", "operation": "identity.token_create", "route": "/api/2.0/token/create",
            "response": '{"token_value":"v","token_info":{}}'}
    assert counted(tmp_path, made)[0] == 1
