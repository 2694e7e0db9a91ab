# SPDX-License-Identifier: Apache-2.0
"""A real S3 server for tests: moto on a free port of 127.0.0.1, until standard input closes.

Prints one line: port, access key id, secret access key. With --auth the server checks every
signature and policy from then on; the user may do anything with S3 and STS. Makes the bucket `bucket`.
With --log FILE each request's method and target is a line of the file.
"""

import json
import mmap
import os
import sys
import tempfile
import threading

os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import boto3  # noqa: E402
import requests  # noqa: E402
from moto.s3 import models, responses  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402


REQUESTS = open(sys.argv[sys.argv.index("--log") + 1], "a") if "--log" in sys.argv else None  # noqa: SIM115 - as long as the server


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_args):
        pass

    def log_request(self, *_args):
        if REQUESTS:
            REQUESTS.write(f"{self.command} {self.path}\n")
            REQUESTS.flush()


LARGE = 256 << 20  # bytes


def complete_on_disk(upload, wanted, ordinary=models.FakeMultipart.complete):
    """moto joins parts in memory and needs four times the object; a large one is joined in a file. Its parts are checked in the same way."""
    wanted = list(wanted)
    if sum(part.contentsize for part in upload.parts.values()) < LARGE:
        return ordinary(upload, iter(wanted))
    md5s, last = b"", None
    with tempfile.TemporaryFile() as whole:
        for number, etag in wanted:
            part = upload.parts.get(number)
            if part is None or part.etag.replace('"', "") != etag.replace('"', ""):
                raise models.InvalidPart()
            if last is not None and last.contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
                raise models.EntityTooSmall()
            md5s += bytes.fromhex(part.etag.replace('"', ""))
            whole.write(part.value)
            last = part
        whole.flush()
        value = mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ)
    return value, f"{models.md5_hash(md5s).hexdigest()}-{len(wanted)}", None


def one_at_a_time(method, lock=threading.Lock()):  # noqa: B008 - one lock for all methods
    """S3 decides If-None-Match and If-Match and stores the object in one step. moto looks first and stores then, and another of its threads may
    store in between: both writers would be told that they were the first."""
    def wrapped(*args, **kwargs):
        with lock:
            return method(*args, **kwargs)
    return wrapped


def main():
    models.FakeMultipart.complete = complete_on_disk
    responses.S3Response.put_object = one_at_a_time(responses.S3Response.put_object)
    responses.S3Response._key_response_post = one_at_a_time(responses.S3Response._key_response_post)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    keys = {"AccessKeyId": "test", "SecretAccessKey": "secret"}
    common = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="secret")
    boto3.client("s3", **common).create_bucket(Bucket="bucket")
    if "--auth" in sys.argv:
        iam = boto3.client("iam", **common)
        iam.create_user(UserName="boathouse")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}]}
        iam.put_user_policy(UserName="boathouse", PolicyName="s3", PolicyDocument=json.dumps(policy))
        keys = iam.create_access_key(UserName="boathouse")["AccessKey"]
        requests.post(url + "/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
    print(server.port, keys["AccessKeyId"], keys["SecretAccessKey"], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
