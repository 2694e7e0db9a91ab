# SPDX-License-Identifier: Apache-2.0
"""What the model writes to its standard streams, bounded, without a thread.

Descriptors 1 and 2 become one memory file of fixed size that refuses to grow (F_SEAL_GROW). Writers share
its offset, so the lines of Python code, of C libraries and of child processes stand in the order they were
written. A writer never blocks: what does not fit is refused by the kernel and counted where Python wrote
it. Between two pieces of work drain() takes the text out and rewinds.
"""

import fcntl
import io
import os
import sys

SIZE = 64 * 1024
_SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class _Raw(io.RawIOBase):
    """A descriptor that takes everything: a print in a model must not fail because nobody reads."""

    def __init__(self, words, fd):
        super().__init__()
        self._words, self._fd = words, fd

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def write(self, data):
        size = len(data)
        try:
            done = os.write(self._fd, data)
        except OSError:
            done = 0
        self._words.left_out += size - done
        return size


class Words:
    def __init__(self):
        self.left_out = 0
        self._file = os.memfd_create("words", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._file, SIZE)
        fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, _SEALS)

    def take_over(self):
        """From here on, what the process writes to stdout and stderr lands here."""
        for fd in (1, 2):
            os.dup2(self._file, fd)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.BufferedWriter(_Raw(self, fd), 8192), encoding="utf-8", errors="backslashreplace",
                             line_buffering=True, write_through=fd == 2) for fd in (1, 2))

    def drain(self):
        """(bytes left out, text since the last call); empty bytes if nobody wrote."""
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass  # the model closed or replaced them; what reached the file is still there
        end = min(os.lseek(self._file, 0, os.SEEK_CUR), SIZE)
        if end == 0 and not self.left_out:
            return 0, b""
        data = os.pread(self._file, end, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        left_out, self.left_out = self.left_out, 0
        return left_out, data
