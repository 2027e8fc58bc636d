"""The index of a folder of references: what its files say of themselves, in a file beside them.

The file is an SQLite database that is never changed: whoever finds that files were added, changed
or removed writes a new one and puts it in the place of the old.  So it needs no locks, which
network disks may not have, and any number of processes may read and write at once; of two that
write, the later wins, and what it did not know is read again the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from heliodor.errors import OutputError

if TYPE_CHECKING:
    import sqlite3

NAME = ".heliodor-index.sqlite"
"""Of the file, in the folder."""

VERSION = 1
"""Of the tables; an index of another one is made anew."""

ABANDONED = 3600
"""Age of a file that nobody will finish any more [s]."""

TABLES = """
CREATE TABLE files (
    name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    type TEXT, instrument TEXT, keywords TEXT
) WITHOUT ROWID;
CREATE INDEX by_type ON files (type, instrument);
"""

State = tuple[int, int, int, int]
"""Of a file: size, times of the last change of content and of anything [ns], inode."""


class Row(NamedTuple):
    """One file.

    Attributes
    ----------
    name : its path below the folder, with slashes
    state : when it was read
    type, instrument : REFTYPE and INSTRUME in capital letters, or empty
    keywords : that were read; empty if it cannot be read, None if it is no reference
    """

    name: str
    state: State
    type: str
    instrument: str
    keywords: dict[str, Any] | None


@dataclass(frozen=True)
class Index:
    """What a folder's index holds.

    Attributes
    ----------
    states : of all files
    rows : of the files that were asked for, and of those that cannot be read
    """

    states: dict[str, State]
    rows: list[Row]


class NotWritten(OutputError):
    """An index that cannot be written."""


def look(folder: Path, types: Collection[str] | None, instrument: str) -> Index | None:
    """Read a folder's index; None if there is no sound one.

    Parameters
    ----------
    folder : to which it belongs
    types : reference types of which rows are given, in capital letters; None: all
    instrument : value of INSTRUME of which rows are given; empty: all
    """
    if not (folder / NAME).is_file():
        return None
    import sqlite3

    unreadable, meant = "keywords = '{}'", "keywords IS NOT NULL"
    values: list[str] = []
    if types is not None:
        meant += f" AND type IN ({', '.join('?' * len(types))})"
        values += types
    if instrument:
        meant += " AND instrument = ?"
        values.append(instrument)
    try:
        with _opened(folder) as database:
            every = database.execute("SELECT name, size, mtime_ns, ctime_ns, inode FROM files")
            states: dict[str, State] = {name: tuple(state) for name, *state in every}
            asked = database.execute(f"SELECT * FROM files WHERE {unreadable} OR {meant}", values)
            return Index(states, [_row(*values) for values in asked])
    except (sqlite3.Error, OSError, ValueError):
        return None


def update(folder: Path, changes: Mapping[str, Row | None]) -> None:
    """Put an index with changes in the place of the one there is, if there is one.

    Parameters
    ----------
    folder : to which it belongs
    changes : new rows, and None for files that are gone, by name

    Raises
    ------
    NotWritten
        The folder is read-only, or the disk is full.
    """
    import sqlite3

    path = folder / NAME
    new = folder / f"{NAME}.{os.getpid()}-{threading.get_ident()}"
    try:
        sound = _sound(folder)
        if sound:
            shutil.copyfile(path, new)
        _write(new, changes, fresh=not sound)
        new.replace(path)
        _tidy(folder)
    except (sqlite3.Error, OSError) as error:
        raise NotWritten(f"{path}: cannot be written ({error})") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _write(path: Path, changes: Mapping[str, Row | None], *, fresh: bool) -> None:
    import sqlite3

    # nobody else knows of this file yet: no journal, and one wait for the disk
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        if fresh:
            database.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")
        database.execute("BEGIN")
        gone = [(name,) for name, row in changes.items() if row is None]
        database.executemany("DELETE FROM files WHERE name = ?", gone)
        database.executemany(
            "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (row.name, *row.state, row.type, row.instrument, _stored(row.keywords))
                for row in changes.values()
                if row is not None
            ),
        )
        database.execute("COMMIT")
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _row(name: str, *rest: Any) -> Row:
    *state, kind, instrument, keywords = rest
    return Row(name, tuple(state), kind, instrument, json.loads(keywords))


def _stored(keywords: dict[str, Any] | None) -> str | None:
    return None if keywords is None else json.dumps(keywords, default=str)


def _tidy(folder: Path) -> None:
    """Take away what processes left that were killed as they wrote."""
    for left in folder.glob(f"{NAME}.*"):
        if time.time() - left.stat().st_mtime > ABANDONED:
            left.unlink(missing_ok=True)


def _sound(folder: Path) -> bool:
    """Whether there is an index with these tables, every page of which can be read."""
    import sqlite3

    try:
        with _opened(folder) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.Error, OSError):
        return False


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the index as a file that does not change: without locks."""
    import sqlite3

    place = quote(str((folder / NAME).absolute()))
    with closing(sqlite3.connect(f"file:{place}?mode=ro&immutable=1", uri=True)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}")
        yield database
