# SPDX-License-Identifier: Apache-2.0
"""Connections of the Python SQL connector to a platform, in each way that it has, and a door between the two that fails on demand.

    with Server(tmp) as s, s.connect(use_sea=True) as db: ...
"""

import contextlib
import http.client
import http.server
import ssl
import threading

from boathouse import Platform

# How a connection speaks: Thrift (links, Arrow, LZ4), Statement Execution by links, and the same with JSON in the answer.
MODES = {"thrift": {}, "sea": {"use_sea": True},
         "sea_inline": {"use_sea": True, "use_cloud_fetch": False, "enable_query_result_lz4_compression": False}}


def plain(platform):
    """A function that opens connections over plain HTTP to the platform's first warehouse, as its admin unless told."""
    from databricks import sql

    path = f"/sql/1.0/warehouses/{platform.connect['DATABRICKS_WAREHOUSE_ID']}"
    url = f"http://127.0.0.1:{platform.http_port}"

    def open_one(**more):
        more.setdefault("access_token", platform.token)
        return sql.connect(server_hostname=url, http_path=path, _connection_uri=url + path, enable_telemetry=False, **more)
    return open_one


class Server:
    """A platform with TLS."""

    def __init__(self, folder, **more):
        self.platform = Platform(folder / "data", https=True, **more)

    def __enter__(self):
        self.platform.start()
        self.warehouse = next(iter(self.platform.sdk().warehouses.list())).id
        self.path = f"/sql/1.0/warehouses/{self.warehouse}"
        self.ca = self.platform.connect["SSL_CERT_FILE"]
        return self

    def __exit__(self, *end):
        self.platform.__exit__(*end)

    def connect(self, port=None, token=None, **more):
        from databricks import sql

        more.setdefault("enable_telemetry", False)
        return sql.connect(server_hostname="localhost", http_path=self.path, access_token=token or self.platform.token,
                           _port=port or self.platform.https_port, _tls_trusted_ca_file=self.ca, **more)

    @contextlib.contextmanager
    def cursor(self, connection=None, **cursor):
        with self.connect(**(connection or {})) as db, db.cursor(**cursor) as c:
            yield c

    def rows(self, text, parameters=None, **connection):
        with self.cursor(connection) as c:
            c.execute(text, parameters)
            return [tuple(r) for r in c.fetchall()]


class Doorman:
    """A TLS door before the platform's own. `plan` holds what the next requests get instead: (status, headers), or
    "drop" for a connection that ends without an answer; `always` what all get. `seen` are the requests that came."""

    def __init__(self, server):
        self.server, self.plan, self.always, self.seen = server, [], None, []
        self.trust = ssl.create_default_context(cafile=server.ca)
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                door.seen.append(f"{self.command} {self.path}")
                what = door.always or (door.plan.pop(0) if door.plan else None)
                if what == "drop":
                    self.close_connection = True
                    return
                if what:
                    self.reply(what[0], what[1], b"")
                    return
                to = http.client.HTTPSConnection("localhost", door.server.platform.https_port, timeout=100, context=door.trust)
                to.request(self.command, self.path, body, dict(self.headers))
                got = to.getresponse()
                data = got.read()
                self.reply(got.status, dict(got.getheaders()), data)
                to.close()

            def reply(self, status, headers, data):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do_PUT = answer

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = server.platform.data / "tls"
        tls.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @contextlib.contextmanager
    def failing(self, *plan, always=None):
        """Requests of the block get the plan's answers, then, or without one, `always`. Yields the list of those that came."""
        self.seen.clear()
        self.plan, self.always = list(plan), always
        try:
            yield self.seen
        finally:
            self.plan, self.always = [], None
