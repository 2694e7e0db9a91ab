# SPDX-License-Identifier: Apache-2.0
"""Files too large for memory, and how much of it the platform's processes took meanwhile."""

import hashlib
import io

import psutil

MB = 1 << 20
_BLOCK = hashlib.shake_256(b"a block of bytes that do not compress").digest(MB)


class Pattern(io.RawIOBase):
    """A stream of `size` bytes that no disk holds; every block differs from the others by its number."""

    def __init__(self, size):
        self.size, self.at = size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence])
        return self.at

    def readinto(self, b):
        data = self.slice(self.at, min(len(b), MB))
        b[:len(data)] = data
        self.at += len(data)
        return len(data)

    def slice(self, start, length):
        """The bytes [start, start + length) as far as they exist."""
        end, out = min(start + length, self.size), []
        while start < end:
            number, within = divmod(start, MB)
            block = number.to_bytes(8, "big") + _BLOCK[8:]
            out.append(block[within:within + end - start])
            start += len(out[-1])
        return b"".join(out)

    def sha256(self):
        h, at = hashlib.sha256(), 0
        while at < self.size:
            h.update(self.slice(at, MB))
            at += MB
        return h.hexdigest()


def sha256_of(stream):
    """(hex, size) of what a stream gives."""
    h, n = hashlib.sha256(), 0
    while block := stream.read(MB):
        h.update(block)
        n += len(block)
    return h.hexdigest(), n


def peak_mb(platform, role):
    """The largest resident memory that any process of the role ever had."""
    peaks = []
    for p in platform.processes(role):
        with open(f"/proc/{p.pid}/status") as f:
            peaks += [int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM:")]
    assert peaks, f"no {role} among {[p.name() for p in psutil.Process(platform.process.pid).children(recursive=True)]}"
    return max(peaks)
