"""What a large folder of references costs: reading it once, and choosing from it.

    python tools/shelf.py [--files 10000] [--repeat 3] [--keep DIR]

Makes headers of references of all instruments in a temporary folder (or in DIR, which is kept, so
that ``heliodor refs FILE --references DIR`` can be tried on it), and measures in processes of their
own; the smallest of several is printed, as JSON, in seconds:

first_index     ``heliodor refs index`` of a folder that has none, the start of Python included
index_again     the same, when nothing has changed
one_changed     the same, after one file has changed
select          choosing all references of an exposure, with the index, without the start of Python
select_process  the same with it
without_index   choosing where no index can be written: every header is read
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from astropy.io import fits

DETECTORS = {
    "NIRCAM": [f"NRC{module}{n}" for module in "AB" for n in (1, 2, 3, 4, "LONG")],
    "MIRI": ["MIRIMAGE", "MIRIFUSHORT", "MIRIFULONG"],
    "NIRISS": ["NIS"],
    "NIRSPEC": ["NRS1", "NRS2"],
    "FGS": ["GUIDER1", "GUIDER2"],
}
TYPES = (
    "MASK", "SATURATION", "SUPERBIAS", "LINEARITY", "DARK", "GAIN", "READNOISE", "IPC", "FLAT",
    "PHOTOM", "AREA", "APCORR",
)  # fmt: skip
WANTED = TYPES[:8]

SELECT = """
import time
from pathlib import Path

from heliodor.declare import RefNeed
from heliodor.references import index, stored
from heliodor.references.selectors import Folder, Found, Sources

if {refuse}:
    def refuse(*_, **__):
        raise stored.NotWritten("refused")
    stored.update, stored.look = refuse, lambda *_: None
exposure = {{
    "INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "SUBARRAY": "FULL", "READPATT": "RAPID",
    "DATE-OBS": "2024-06-01", "TIME-OBS": "00:00:00",
}}
wanted = tuple(RefNeed(name.lower()) for name in {wanted})
start = time.perf_counter()
answers = Folder(Sources(folders=(Path({folder!r}),))).select(wanted, exposure)
print(time.perf_counter() - start)
assert all(isinstance(answer, Found) for answer in answers.values()), answers
"""


def main() -> None:
    """Make the folder, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        measure(given.keep, given.files, given.repeat)
        return
    with tempfile.TemporaryDirectory(prefix="heliodor-shelf-") as folder:
        measure(Path(folder), given.files, given.repeat)


def measure(folder: Path, files: int, repeat: int) -> None:
    """Measure a folder of that many references."""
    paths = make(folder, files)
    index = [sys.executable, "-m", "heliodor.cli.main", "refs", "index", folder]
    without, _ = select(folder, refuse=True)
    first = timed(index)
    again = min(timed(index) for _ in range(repeat))
    changed = []
    for _ in range(repeat):
        os.utime(paths[0])
        changed.append(timed(index))
    inside, whole = zip(*(select(folder) for _ in range(repeat)), strict=True)
    found = {
        "first_index": first,
        "index_again": again,
        "one_changed": min(changed),
        "select": min(inside),
        "select_process": min(whole),
        "without_index": without,
    }
    rounded = {name: round(seconds, 3) for name, seconds in found.items()}
    print(json.dumps({"files": files, **rounded}, indent=2))


def make(folder: Path, files: int) -> list[Path]:
    """Write headers: every type for every detector, from one date on after another."""
    kinds = [
        (instrument, detector, kind)
        for kind in TYPES
        for instrument, detectors in DETECTORS.items()
        for detector in detectors
    ]
    paths = []
    for number, (instrument, detector, kind) in zip(range(files), itertools.cycle(kinds)):
        version = number // len(kinds)
        keywords = {
            "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "TELESCOP": "JWST", "REFTYPE": kind,
            "INSTRUME": instrument, "DETECTOR": detector, "SUBARRAY": "FULL", "READPATT": "ANY",
            "USEAFTER": f"{2000 + version % 24}-{1 + version // 24 % 12:02}-01T00:00:00",
            "AUTHOR": "tools/shelf.py", "PEDIGREE": "DUMMY",
        }  # fmt: skip
        path = folder / f"jwst_{instrument}_{kind}_{number:04}.fits".lower()
        path.write_text(fits.Header(keywords).tostring())
        paths.append(path)
    return paths


def timed(command: list[object]) -> float:
    """Time a process."""
    start = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return time.perf_counter() - start


def select(folder: Path, *, refuse: bool = False) -> tuple[float, float]:
    """Choose in a process: without and with its start."""
    code = SELECT.format(folder=str(folder), wanted=WANTED, refuse=refuse)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout), time.perf_counter() - start


if __name__ == "__main__":
    main()
