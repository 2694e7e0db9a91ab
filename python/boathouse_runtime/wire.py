# SPDX-License-Identifier: Apache-2.0
"""Frames between the gateway and a runtime host.

The socket is a connected AF_UNIX SOCK_STREAM, descriptor 3 of this process. The frame header is the
one of all our channels (src/ipc/chan.h), little endian:

    offset  size  field
    0       4     u32 payload length; at most MAX_PAYLOAD
    4       2     u16 type
    6       2     u16 flags; 0 (no descriptor ever travels here)
    8       8     u64 stream: an answer carries the stream of its question
    16      …     payload

HELLO, DRAIN and READY are the messages of that name in tables/messages.json, so a channel of the C side
is used as it is; types from 60 on belong to this page only. Fields stand in the order given; `str` is
u32 length and bytes, `rest` is everything up to the payload's end.

    type  name     from     payload
    1     HELLO    host     str role ("runtime_host"), u32 version (VERSION), u32 pid (as seen inside)
    5     READY    host     empty
    60    LEASE    gateway  rest = JSON object, keys below
    61    LOADED   host     rest = JSON object: flavor, flavors, mlflow_version, python_version, load_ms,
                            direct (bool), inputs (the signature's input columns or null), params (bool)
    62    FAILED   host     rest = JSON object: reason (one line, <= 4,096 bytes), traceback (<= 16,384)
    63    PREDICT  gateway  u32 content type code, then:
                              code 1 (application/json), 2 (text/csv): rest = body
                              code 0 (anything else): str the header's text, rest = body
    64    ANSWER   host     u16 HTTP status, u16 content type code (1 application/json,
                            3 text/plain; charset=utf-8, 4 text/event-stream), rest = body, or its end
    65    LOG      host     u32 bytes left out before these, rest = UTF-8 lines (<= LOG_MOST bytes)
    66    PING     gateway  rest = anything
    67    PONG     host     rest = the PING's
    68    CHUNK    host     as ANSWER: a piece of the body, of at least one byte
    4     DRAIN    gateway  u32 deadline in ms

States of the host; a frame that the state does not allow ends the process with exit code 3:

    starting ── HELLO, READY ──▶ warm ── LEASE ──▶ loading ── LOADED ──▶ serving ── DRAIN ──▶ exit 0
                                   │                  └────── FAILED ──▶ exit 1
                                   └─ DRAIN ─▶ exit 0                 (PING is answered in warm and serving)

- HELLO goes out at once, READY when the libraries are imported (about 2 s later): a frame sent earlier
  waits in the socket.
- LEASE's object: "model" (folder, required), "environment" (folder of the model's own environment; null
  or absent: the one that runs already), "env" (object of strings put into the environment of the model),
  "threads" (numeric libraries' threads, default 1), "config" (object, overrides the model's model_config).
  With an own environment the process executes itself again with that environment's Python; the peer
  notices nothing but a later LOADED.
- PREDICTs are answered one at a time, in the order they came; the gateway keeps one in flight per
  process and starts more processes for more concurrency. There is no time limit here: the gateway keeps
  the clock and kills a process that is late.
- An answer comes in one ANSWER, but for events that the model produces one by one: then each is a CHUNK,
  all with the same status and content type, and an ANSWER whose body is the rest (or empty) ends them. Only
  bodies with "stream": true are answered so. A gateway whose client has left goes on reading to the ANSWER.
- A LOG frame carries what the model wrote to its standard streams. It is sent before the frame that
  ends the work (LOADED, FAILED, ANSWER), with that frame's stream.
- End of file on the socket, at any time, ends the process with exit code 0.

Worked example: PREDICT on stream 7 with body {"inputs":[1]}:

    12 00 00 00  3f 00  00 00  07 00 00 00 00 00 00 00   01 00 00 00  7b 22 69 … 7d
    length 18    63     flags  stream 7                  JSON         14 bytes of body
"""

import struct

VERSION = 1
HELLO, DRAIN, READY = 1, 4, 5
LEASE, LOADED, FAILED, PREDICT, ANSWER, LOG, PING, PONG, CHUNK = range(60, 69)
NAMES = {1: "HELLO", 4: "DRAIN", 5: "READY", 60: "LEASE", 61: "LOADED", 62: "FAILED", 63: "PREDICT",
         64: "ANSWER", 65: "LOG", 66: "PING", 67: "PONG", 68: "CHUNK"}

OTHER, JSON, CSV, TEXT, EVENTS = range(5)
TYPE_OF_CODE = {JSON: "application/json", CSV: "text/csv"}

MAX_PAYLOAD = 80 * 1024 * 1024  # CHAN_MAX_PAYLOAD
LOG_MOST = 64 * 1024
REASON_MOST, TRACEBACK_MOST = 4096, 16384

HEADER = struct.Struct("<IHHQ")
_U16X2 = struct.Struct("<HH")
_U32 = struct.Struct("<I")


class WireError(Exception):
    """The peer sent something that this page does not allow."""


class Channel:
    """Blocking frames over one socket. Not for use by several threads."""

    def __init__(self, sock):
        self.sock = sock
        self._have = bytearray()
        self._out = []

    def queue(self, kind, stream, *parts):
        """Adds a frame to what the next flush() writes."""
        size = sum(len(p) for p in parts)
        if size > MAX_PAYLOAD:
            raise WireError(f"a payload of {size} bytes is too large")
        self._out.append(HEADER.pack(size, kind, 0, stream))
        self._out.extend(parts)

    def flush(self):
        """Writes what was queued, in one system call where it fits."""
        out, self._out = self._out, []
        if out:
            self.sock.sendall(b"".join(out))

    def send(self, kind, stream, *parts):
        self.queue(kind, stream, *parts)
        self.flush()

    def recv(self):
        """The next frame as (type, stream, payload bytes), or None when the peer is gone."""
        have = self._have
        while len(have) < HEADER.size:
            chunk = self.sock.recv(262144)
            if not chunk:
                if have:
                    raise WireError("the peer closed within a frame's header")
                return None
            if not have and len(chunk) >= HEADER.size:
                size, kind, flags, stream = HEADER.unpack_from(chunk)
                if flags == 0 and len(chunk) == HEADER.size + size:
                    return kind, stream, chunk[HEADER.size:]  # one whole frame: nothing to copy around
            have += chunk
        size, kind, flags, stream = HEADER.unpack_from(have)
        if size > MAX_PAYLOAD or flags:
            raise WireError(f"frame of type {kind} with length {size}, flags {flags}")
        while len(have) < HEADER.size + size:
            chunk = self.sock.recv(min(1 << 20, max(65536, HEADER.size + size - len(have))))
            if not chunk:
                raise WireError("the peer closed within a frame")
            have += chunk
        payload = bytes(memoryview(have)[HEADER.size:HEADER.size + size])
        del have[:HEADER.size + size]
        return kind, stream, payload


def text(value):
    """A `str` field."""
    raw = value.encode()
    return _U32.pack(len(raw)) + raw


def hello(pid):
    return text("runtime_host") + struct.pack("<II", VERSION, pid)


def answer_head(status, code):
    return _U16X2.pack(status, code)


def answer(payload):
    """(status, content type code, body) of an ANSWER or CHUNK, for peers written in Python."""
    status, code = _U16X2.unpack_from(payload)
    return status, code, payload[4:]


def predict(content_type, body):
    """A PREDICT's payload, for peers written in Python."""
    for code, name in TYPE_OF_CODE.items():
        if content_type == name:
            return _U32.pack(code) + body
    return _U32.pack(OTHER) + text(content_type) + body


def read_predict(payload):
    """(content type text, body) of a PREDICT."""
    if len(payload) < 4:
        raise WireError("PREDICT without a content type")
    code = _U32.unpack_from(payload)[0]
    if code in TYPE_OF_CODE:
        return TYPE_OF_CODE[code], payload[4:]
    if code != OTHER or len(payload) < 8:
        raise WireError(f"PREDICT with content type code {code}")
    size = _U32.unpack_from(payload, 4)[0]
    if len(payload) < 8 + size:
        raise WireError("PREDICT cut short")
    return payload[8:8 + size].decode("latin-1"), payload[8 + size:]


def log(left_out, lines):
    return _U32.pack(left_out) + lines
