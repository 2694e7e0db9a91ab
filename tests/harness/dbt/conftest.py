# SPDX-License-Identifier: Apache-2.0
"""What dbt-tests-adapter asks of whoever runs it: the profile of the platform that the environment names."""

import os

import pytest

pytest_plugins = ["dbt.tests.fixtures.project"]


@pytest.fixture(scope="class")
def dbt_profile_target():
    host, path = os.environ["DBT_CASE_HOST"], os.environ["DBT_CASE_PATH"]
    return {"type": "databricks", "host": host, "http_path": path, "token": os.environ["DBT_CASE_TOKEN"], "catalog": "main", "threads": 1,
            "connection_parameters": {"_connection_uri": f"https://{host}{path}", "_tls_trusted_ca_file": os.environ["SSL_CERT_FILE"],
                                      "enable_telemetry": False}}
