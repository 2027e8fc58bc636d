"""Writes large files past the system's file cache.

A product of gigabytes would push out of that cache what the next exposure reads, its references
first of all; and the system would spend more time on finding memory for it than on writing it.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path

BUFFER = 4 << 20
"""Bytes handed to the system at once, from memory that is aligned as disks want it."""


class PastCache:
    """A file open for writing, with the part of `io` that a stream of bytes needs.

    Where the file system knows no such writing, it is written as any other.
    """

    def __init__(self, path: Path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            self._file = os.open(path, flags | os.O_DIRECT, 0o666)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._file = os.open(path, flags, 0o666)
        self._buffer = mmap.mmap(-1, BUFFER)
        self._filled = 0

    def write(self, data: bytes | memoryview) -> None:
        """Take some bytes."""
        rest = memoryview(data)
        while rest:
            part = rest[: BUFFER - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rest = rest[len(part) :]
            if self._filled == BUFFER:
                self._hand_over()

    def flush(self) -> None:
        """Write what is left: disks take whole blocks only, so this goes the ordinary way."""
        self._go_ordinary_way()
        self._hand_over()

    def fileno(self) -> int:
        """Give the number that the system knows the file by."""
        return self._file

    def __enter__(self) -> PastCache:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._buffer.close()

    def _hand_over(self) -> None:
        done = 0
        while done < self._filled:
            with memoryview(self._buffer) as whole, whole[done : self._filled] as part:
                try:
                    done += os.write(self._file, part)
                except OSError as error:
                    if error.errno != errno.EINVAL or not self._go_ordinary_way():
                        raise
        self._filled = 0

    def _go_ordinary_way(self) -> bool:
        """Write through the cache from now on; tell whether that is a change."""
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        fcntl.fcntl(self._file, fcntl.F_SETFL, flags & ~os.O_DIRECT)
        return bool(flags & os.O_DIRECT)
