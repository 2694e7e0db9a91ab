# SPDX-License-Identifier: Apache-2.0
"""The S3 server of tests for tests in Python, and a platform whose storage root lies on it."""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3

SCRIPT = Path(__file__).with_name("moto_server.py")


class Store:
    """A running S3 server with the bucket `bucket`; every signature is checked."""

    def __init__(self, port, key, secret, log=None):
        self.port, self.key, self.secret, self.log = port, key, secret, log
        self.url = f"http://127.0.0.1:{port}"
        self.s3 = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)

    def objects(self, prefix=""):
        """key → size."""
        out = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix):
            out |= {o["Key"]: o["Size"] for o in page.get("Contents", [])}
        return out

    def requests(self, beginning=0):
        """Methods and targets of all requests so far, from the given place on."""
        return Path(self.log).read_text().splitlines()[beginning:]

    def unfinished(self):
        """Multipart uploads that nobody completed or aborted."""
        return self.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", [])

    def platform(self, data, prefix, **more):
        """A platform on this store, not started. Secrets go through its file: no command line takes them."""
        from boathouse import Platform
        data = Path(data)
        data.mkdir(parents=True, exist_ok=True)
        config = data / "boathouse.toml"
        config.touch(mode=0o600)
        config.write_text(f'[storage.s3]\naccess_key_id = "{self.key}"\nsecret_access_key = "{self.secret}"\n')
        settings = {"storage.root": f"s3://bucket/{prefix}", "storage.s3.endpoint": self.url,
                    "egress.allow": f"127.0.0.1:{self.port}", **more.pop("settings", {})}
        return Platform(data, settings=settings, **more)


@contextlib.contextmanager
def store():
    with tempfile.NamedTemporaryFile(prefix="s3-requests-") as log:
        p = subprocess.Popen([sys.executable, SCRIPT, "--auth", "--log", log.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield Store(*p.stdout.readline().split(), log.name)
        finally:
            p.stdin.close()
            p.wait(20)
