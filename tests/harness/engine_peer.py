# SPDX-License-Identifier: Apache-2.0
"""Control's side of the talk with one engine (src/engine/README.md), for tests of the program boathouse-engine."""
import base64, fcntl, json, os, queue, select, shutil, signal, socket, struct, subprocess, tempfile, threading, time
from pathlib import Path

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BOATHOUSE_BUILD", ROOT / "build/release"))
HELLO, LEASE, SESSION, EXEC, CANCEL, STATE, ASK, ANSWER, REPORT = 1, 60, 61, 62, 63, 64, 65, 66, 67
MIB = 1 << 20


def text(s):
    b = s.encode()
    return struct.pack("<I", len(b)) + b


class Failed(Exception):
    def __init__(self, state, error):
        super().__init__(error.get("message"))
        self.state, self.error, self.cls = state, error, error.get("class")


class Statement:
    def __init__(self, number, spool):
        self.number, self.spool, self.chunks, self.states, self.last = number, spool, [], [], None
        self.schema, self.arrow_schema, self.done = None, b"", threading.Event()

    def wait(self, seconds=60):
        """The last state; Failed if it is not finished."""
        assert self.done.wait(seconds), "no last state"
        kind, o = self.last
        if kind != "finished":
            raise Failed(kind, o["error"])
        return o

    def bytes(self, i):
        at, n = self.chunks[i][0], self.chunks[i][1]
        self.spool.seek(at)
        return self.spool.read(n)

    def grow(self, folder):
        """What control does with a result that needs more room: a new file with what the old one has. Its descriptor."""
        old, self.spool = self.spool, tempfile.TemporaryFile(dir=folder)
        old.seek(0)
        self.spool.write(old.read())
        self.spool.flush()
        return self.spool.fileno()

    def rows(self, seconds=60):
        """Rows of a JSON_ARRAY result."""
        self.wait(seconds)
        return [row for i in range(len(self.chunks)) for row in json.loads(self.bytes(i))]

    def table(self, seconds=60):
        """A pyarrow table of a result as streams."""
        import pyarrow as pa
        self.wait(seconds)
        tables = [pa.ipc.open_stream(self.bytes(i)).read_all() for i in range(len(self.chunks))]
        if not tables:
            return pa.ipc.open_stream(self.arrow_schema + b"\xff\xff\xff\xff\0\0\0\0").read_all()
        t = pa.concat_tables(tables)
        t.validate(full=True)
        return t


class Engine:
    def __init__(self, memory=1024 * MIB, spill=1024 * MIB, threads=2, running=0, answer=None, program=None, roots=(), reserve=0):
        self.dir = Path(tempfile.mkdtemp(prefix="engine-"))
        (self.dir / "tables").mkdir()
        (self.dir / "spill").mkdir()
        self.answer, self.statements, self.next, self.reports = answer or (lambda op, o: {}), {}, 0, queue.Queue()
        self.lock, self.asked = threading.Lock(), []
        ours, theirs = socket.socketpair()
        log = open(self.dir / "log", "wb")
        words_r, words_w = os.pipe()
        os.set_inheritable(words_w, True)
        fd = theirs.fileno()

        def place():
            a, b = fcntl.fcntl(fd, fcntl.F_DUPFD, 100), fcntl.fcntl(words_w, fcntl.F_DUPFD, 100)
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.closerange(5, 200)

        env = {k: v for k, v in os.environ.items() if "SAN_OPTIONS" in k}
        self.process = subprocess.Popen([str(program or BUILD / "boathouse-engine"), "role:engine", "--sandbox", "reduced"],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, preexec_fn=place, env=env)
        theirs.close()
        os.close(words_w)
        self.words = words_r
        self.sock = ours
        threading.Thread(target=self.read, daemon=True).start()
        lease = {"owner": "test", "memory_bytes": memory, "spill_bytes": spill, "reserve_bytes": reserve, "threads": threads, "max_running": running,
                 "spill": str(self.dir / "spill"), "roots": [{"id": "tables", "path": str(self.dir / "tables"), "url": ""}] +
                 [{"id": "ext%d" % i, "path": str(p), "url": "file://%s" % p} for i, p in enumerate(roots)]}
        self.send(LEASE, 0, text(json.dumps(lease)))
        assert self.reports.get(timeout=20)["ready"]

    # ---- frames ----

    def send(self, kind, stream, payload, fd=None):
        head = struct.pack("<IHHQ", len(payload), kind, 1 if fd is not None else 0, stream)
        with self.lock:
            data = head + payload
            n = socket.send_fds(self.sock, [data], [fd]) if fd is not None else self.sock.send(data)
            while n < len(data):
                n += self.sock.send(data[n:])

    def exactly(self, n):
        out = b""
        while len(out) < n:
            part = self.sock.recv(n - len(out))
            if not part:
                raise EOFError
            out += part
        return out

    def read(self):
        try:
            while True:
                n, kind, _, stream = struct.unpack("<IHHQ", self.exactly(16))
                self.on_frame(kind, stream, self.exactly(n))
        except (EOFError, OSError):
            for s in list(self.statements.values()):
                if not s.done.is_set():
                    s.last = ("lost", {"error": {"message": "the engine is gone", "class": "LOST"}})
                    s.done.set()

    def on_frame(self, kind, stream, p):
        def take(at):
            n = struct.unpack_from("<I", p, at)[0]
            return p[at + 4:at + 4 + n].decode(), at + 4 + n
        if kind == REPORT:
            self.reports.put(json.loads(take(0)[0]))
        elif kind == STATE:
            state, at = take(0)
            self.on_state(stream, state, json.loads(take(at)[0]))
        elif kind == ASK:
            question = struct.unpack_from("<Q", p, 0)[0]
            op, at = take(8)
            o = json.loads(take(at)[0])
            self.asked.append((op, o))
            if op == "spool":
                self.send(ANSWER, stream, struct.pack("<Q", question) + text("{}"), self.statements[stream].grow(self.dir))
                return
            reply = self.answer(op, o)
            if reply is not None:
                self.send(ANSWER, stream, struct.pack("<Q", question) + text(json.dumps(reply)))

    def on_state(self, stream, state, o):
        s = self.statements[stream]
        s.states.append((time.monotonic(), state))
        s.chunks += o.get("chunks", [])
        s.schema = o.get("schema", s.schema)
        if "arrow_schema" in o:
            s.arrow_schema = base64.b64decode(o["arrow_schema"])
        if state != "running":
            s.last = (state, o)
            s.done.set()

    # ---- what control says ----

    def session(self, id="s1", **more):
        self.send(SESSION, 0, text(json.dumps(dict({"op": "open", "session": id, "catalog": "main", "schema": "default", "user": "u@x"}, **more))))
        return id

    def close_session(self, id="s1"):
        self.send(SESSION, 0, text(json.dumps({"op": "close", "session": id})))

    def exec(self, sql, session="s1", format="json_array", form="streams", native=7, **more):
        self.next += 1
        spool = tempfile.TemporaryFile(dir=self.dir)
        s = self.statements[self.next] = Statement(self.next, spool)
        order = dict({"session": session, "id": "st-%d" % self.next, "text": sql, "format": format, "form": form, "native": native}, **more)
        self.send(EXEC, s.number, text(json.dumps(order)), spool.fileno())
        return s

    def rows(self, sql, **more):
        return self.exec(sql, **more).rows()

    def cancel(self, s):
        self.send(CANCEL, s.number, text("test"))

    def uss(self):
        total = 0
        for line in open("/proc/%d/smaps_rollup" % self.process.pid):
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
        return total

    def close(self):
        self.sock.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.words)
        log = (self.dir / "log").read_text(errors="replace")
        shutil.rmtree(self.dir)
        assert "Sanitizer" not in log and "runtime error:" not in log, log
        return log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
