# SPDX-License-Identifier: Apache-2.0
"""The S3 server of tests for tests in Python, and a platform whose storage root lies on it."""

import contextlib
import subprocess
import sys
from pathlib import Path

import boto3

SCRIPT = Path(__file__).with_name("moto_server.py")


class Store:
    """A running S3 server with the bucket `bucket`; every signature is checked."""

    def __init__(self, port, key, secret):
        self.port, self.key, self.secret = port, key, secret
        self.url = f"http://127.0.0.1:{port}"
        self.s3 = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)

    def objects(self, prefix=""):
        """key → size."""
        out = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix):
            out |= {o["Key"]: o["Size"] for o in page.get("Contents", [])}
        return out

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
    p = subprocess.Popen([sys.executable, SCRIPT, "--auth"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Store(*p.stdout.readline().split())
    finally:
        p.stdin.close()
        p.wait(20)
