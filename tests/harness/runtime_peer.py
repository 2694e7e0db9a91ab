# SPDX-License-Identifier: Apache-2.0
"""The gateway's side of a runtime host, for tests and benches: starts one and talks to it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(ROOT / "python"))

from boathouse_runtime import wire  # noqa: E402

BASE_PYTHON = ROOT / ".deps/py/base/bin/python"


class Peer:
    """A started host; use as a context manager. `log` collects what the model printed."""

    def __init__(self, python=BASE_PYTHON):
        ours, theirs = socket.socketpair()
        ours.settimeout(120)
        # A shell moves the descriptor to 3 and is replaced: subprocess itself cannot renumber.
        command = f'exec 3<&{theirs.fileno()}; exec "$0" -m boathouse_runtime'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", command, str(python)], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "python"),
                 "PYTHONDONTWRITEBYTECODE": "1"})
        theirs.close()
        self.channel = wire.Channel(ours)
        self.log, self.left_out, self.stream = b"", 0, 0

    def recv(self):
        """The next frame that is not LOG; None at the end."""
        while True:
            frame = self.channel.recv()
            if frame is None or frame[0] != wire.LOG:
                return frame
            self.left_out += int.from_bytes(frame[2][:4], "little")
            self.log += frame[2][4:]

    def ready(self):
        assert self.recv()[0] == wire.HELLO
        assert self.recv()[:2] == (wire.READY, 0)
        return self

    def lease(self, model, **more):
        """(True, LOADED's object) or (False, FAILED's object)."""
        self.channel.send(wire.LEASE, 1, json.dumps({"model": str(model), **more}).encode())
        kind, stream, payload = self.recv()
        assert kind in (wire.LOADED, wire.FAILED) and stream == 1, (kind, payload)
        return kind == wire.LOADED, json.loads(payload)

    def predict(self, body, content_type="application/json"):
        """(status, content type code, body bytes)."""
        self.stream += 1
        self.channel.send(wire.PREDICT, self.stream, wire.predict(content_type, body))
        kind, stream, payload = self.recv()
        assert (kind, stream) == (wire.ANSWER, self.stream)
        return wire.answer(payload)

    def events(self, obj):
        """(status, content type code, [bytes of each CHUNK and the ANSWER])."""
        self.stream += 1
        self.channel.send(wire.PREDICT, self.stream, wire.predict("application/json", json.dumps(obj).encode()))
        pieces = []
        while True:
            kind, stream, payload = self.recv()
            assert stream == self.stream and kind in (wire.CHUNK, wire.ANSWER)
            status, code, body = wire.answer(payload)
            pieces.append(body)
            if kind == wire.ANSWER:
                return status, code, pieces

    def ask(self, obj):
        """(status, object) of a JSON body."""
        status, code, body = self.predict(json.dumps(obj).encode())
        assert code == wire.JSON
        return status, json.loads(body)

    def stop(self):
        self.channel.sock.close()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stderr.close()

    def __enter__(self):
        return self.ready()

    def __exit__(self, *_):
        self.stop()
