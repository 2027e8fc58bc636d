"""The least that any program does with these files: read them, decode them, write as much.

    python floor.py JOBS.json

JOBS.json holds a list of {"exposure": FILE, "references": [FILE], "writes": [BYTES],
"folder": DIR}.  Prints, as JSON, a list of {"read": BYTES, "written": BYTES, "wall": S, "cpu": S}.
Every byte goes through a buffer that stays in a core's cache.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PIECE = 1 << 18


def read(path: str | Path, stored: str, native: str) -> int:
    """Read a file and turn all of it from big-endian into native numbers; give its size."""
    buffer = bytearray(PIECE)
    raw = np.frombuffer(buffer, stored)
    out = np.empty(raw.shape, native)
    size = 0
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            items = count // raw.itemsize
            np.copyto(out[:items], raw[:items])
            size += count
    return size


def write(path: Path, size: int) -> int:
    """Write a file of `size` bytes, turned into big-endian numbers on the way; give the size."""
    native = np.ones(PIECE // 4, np.float32)
    raw = np.empty(native.shape, ">f4")
    with open(path, "wb", buffering=0) as file:
        left = size
        while left > 0:
            np.copyto(raw, native)
            left -= file.write(raw.view(np.uint8).data[: min(left, PIECE)])
    path.unlink()
    return size


def run(job: dict[str, Any]) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    amount = read(job["exposure"], ">i2", "f4")
    amount += sum(read(path, ">f4", "f4") for path in job["references"])
    folder = Path(job["folder"])
    written = sum(write(folder / f"floor{n}", size) for n, size in enumerate(job["writes"]))
    return {
        "read": amount,
        "written": written,
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
    }


if __name__ == "__main__":
    jobs = json.loads(Path(sys.argv[1]).read_text())
    json.dump([run(job) for job in jobs], sys.stdout)
