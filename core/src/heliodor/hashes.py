"""Hashes of files, remembered from run to run as long as a file is not touched.

References are used for thousands of exposures; hashing them for every receipt would take longer
than reading them.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from heliodor import cache

State = tuple[int, int, int, int]
"""Size, times of the last change of content and of anything [ns], number in the file system."""

SETTLED = 2_000_000_000
"""A file changed less than this ago [ns] might change again within the clock's resolution."""

MOST = 10_000
"""Files that are remembered."""

_known: dict[tuple[str, State], str] = {}


def file_sha256(path: str | Path) -> str:
    """Hash a file; one that has not been touched since the last time is not read.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    place = str(Path(path).resolve())
    state = state_of(place)
    found = _known.get((place, state)) or _recall(place, state)
    if not found:
        with open(place, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if state_of(place) == state and time.time_ns() - max(state[1:3]) > SETTLED:
            _remember(place, state, found)
    _known[place, state] = found
    return found


def store() -> Path:
    """Where hashes are kept: a database in heliodor's folder of the user's cache."""
    return cache.folder() / "hashes.sqlite"


def state_of(place: str) -> State:
    """Tell the state of a file, without reading it."""
    found = os.stat(place)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _recall(place: str, state: State) -> str:
    wanted = "SELECT sha256 FROM files WHERE place = ? AND state = ?"
    return str((_ask((wanted, place, repr(state))) or ("",))[0])


def _remember(place: str, state: State, sha256: str) -> None:
    oldest = "SELECT rowid FROM files ORDER BY rowid DESC LIMIT -1 OFFSET ?"
    _ask(
        # a row that is replaced becomes the newest
        ("REPLACE INTO files VALUES (?, ?, ?)", place, repr(state), sha256),
        (f"DELETE FROM files WHERE rowid IN ({oldest})", MOST),
    )


def _ask(*queries: tuple[Any, ...]) -> Any:
    """Put queries to the database, give the last one's first row; None if that cannot be done."""
    import sqlite3

    table = "CREATE TABLE IF NOT EXISTS files (place TEXT UNIQUE, state TEXT, sha256 TEXT)"
    try:
        store().parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(store(), timeout=1)) as database, database:
            database.execute(table)
            answers = [database.execute(text, values) for text, *values in queries]
            return answers[-1].fetchone()
    except (sqlite3.Error, OSError):
        return None
