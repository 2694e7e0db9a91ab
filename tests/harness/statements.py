# SPDX-License-Identifier: Apache-2.0
"""SQL by Statement Execution on a platform's first warehouse, for tests that look at what statements answer."""

S = "/api/2.0/sql/statements"


class Sql:
    """sql(text): the rows of a statement that must succeed; columns: the names of the last one's. token: another user's."""

    def __init__(self, platform, token=None):
        self.platform, self.token, self.wh = platform, token, platform.connect["DATABRICKS_WAREHOUSE_ID"]

    def run(self, text):
        r = self.platform.request("POST", S, {"statement": text, "warehouse_id": self.wh, "wait_timeout": "50s"}, token=self.token)
        assert r.status_code == 200, (text, r.text)
        return r.json()

    def __call__(self, text):
        got = self.run(text)
        assert got["status"]["state"] == "SUCCEEDED", (text, got["status"])
        self.columns = [c["name"] for c in got["manifest"]["schema"].get("columns", [])]
        return got.get("result", {}).get("data_array", [])

    def fails(self, text, part=""):
        """The message of a statement that must fail, with this in it."""
        got = self.run(text)
        assert got["status"]["state"] == "FAILED", (text, got)
        assert part in got["status"]["error"]["message"], (text, got["status"]["error"])
        return got["status"]["error"]["message"]


def another(platform, name):
    """(principal, WorkspaceClient, Sql) of a new identity that may use the first warehouse and holds nothing else."""
    who, client = platform.another(name)
    r = platform.request("PATCH", f"/api/2.0/permissions/warehouses/{platform.connect['DATABRICKS_WAREHOUSE_ID']}",
                         {"access_control_list": [{"service_principal_name": who, "permission_level": "CAN_USE"}]})
    assert r.status_code == 200, r.text
    # A token of its own: with an OAuth token of another host's name the SQL connector first looks for somebody who exchanges it, for half a minute.
    r = platform.request("POST", "/api/2.0/token/create", {"comment": name}, token=client.config.authenticate()["Authorization"].split()[1])
    assert r.status_code == 200, r.text
    return who, client, Sql(platform, r.json()["token_value"])
