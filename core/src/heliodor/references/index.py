"""What the files of a folder say of themselves: headers only, read once as long as no file changes.

A large folder is given an index, a database in the folder itself; see `heliodor.references.stored`.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from heliodor.errors import ReferenceError
from heliodor.references import asdffile, stored
from heliodor.references.stored import Row, State

log = logging.getLogger(__name__)

KEYS = (
    "DETECTOR", "SUBARRAY", "READPATT", "FILTER", "PUPIL", "EXP_TYPE", "GRATING", "BAND",
    "CHANNEL", "MODULE", "CORONMSK",
)  # fmt: skip
"""Keywords that may tell one file from another."""

_ALSO = ("REFTYPE", "INSTRUME", "USEAFTER", "SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2")

SUFFIXES = (".fits", ".asdf")

WORTH_AN_INDEX = 200
"""Files not read before, from which on a folder is given an index without being asked for it."""

DATES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%b %d %Y %H:%M:%S", "%b %d %Y")
"""Forms in which a USEAFTER may be written, after fractions of seconds are taken away."""


def text(value: Any) -> str:
    """Header value as compared here: capital letters, no surrounding space."""
    return "" if value is None else str(value).strip().upper()


def date(value: Any) -> datetime | None:
    """Read a USEAFTER; None if it is not a date.

    Examples
    --------
    >>> date("2022-05-01T00:00:00") == date("May 01 2022 00:00:00") == date("2022-05-01")
    True
    """
    plain = re.sub(r"\.\d*Z?$|Z$", "", text(value))
    for form in DATES:
        try:
            return datetime.strptime(plain.replace(" ", "T") if "T" in form else plain, form)
        except ValueError:
            continue
    return None


@dataclass(frozen=True)
class Entry:
    """One file and its keywords; none if its header cannot be read."""

    path: Path
    keywords: dict[str, Any]

    @property
    def readable(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.keywords)

    def value(self, key: str) -> str:
        """Return a keyword as text; empty when absent."""
        return text(self.keywords.get(key))

    def number(self, key: str) -> int | None:
        """Return a keyword as a number, or None."""
        value = self.keywords.get(key)
        return None if value is None else int(value)

    def allowed(self, key: str) -> set[str]:
        """Return the values of a keyword that this file is for, with its ``P_`` widening."""
        wide = str(self.keywords.get(widening(key), ""))
        return {self.value(key)} | {text(part) for part in wide.split("|") if part.strip()}


def widening(key: str) -> str:
    """Return the keyword that lists further values of `key`: ``P_DETECT`` for DETECTOR."""
    return f"P_{key[:6]}"


def read(
    folder: Path, types: Collection[str] | None = None, instrument: str = ""
) -> tuple[Entry, ...]:
    """Give what the FITS and ASDF files of a folder and those below it say of themselves.

    Files that were added, changed or removed are seen: every file is looked at, and read if it is
    not the one that was read before.

    Parameters
    ----------
    folder : to look in
    types : reference types to give, in capital letters; None: all
    instrument : value of INSTRUME to give; empty: all

    Returns
    -------
    sorted by path; files that cannot be read are always among them

    Raises
    ------
    heliodor.errors.ReferenceError
        The folder does not exist.
    """
    found = scan(folder)
    index = stored.look(folder, types, instrument)
    changes = _changes(found, index.states if index else {}, folder)
    if changes and (index or len(changes) >= WORTH_AN_INDEX or (folder / stored.NAME).exists()):
        try:
            stored.update(folder, changes)
            _row.cache_clear()
        except stored.NotWritten as error:
            _note(f"{error}; the headers of {len(changes)} files are read each time.")
    kept = (row for row in (index.rows if index else ()) if row.name not in changes)
    return _entries(folder, (*kept, *filter(None, changes.values())), types, instrument)


def build(folder: Path) -> stored.Index:
    """Make the index of a folder, or bring it up to date.

    Returns
    -------
    the index, with the rows of files that cannot be read

    Raises
    ------
    heliodor.errors.ReferenceError
        The folder does not exist.
    heliodor.errors.OutputError
        The index cannot be written.
    """
    found = scan(folder)
    index = stored.look(folder, (), "")
    changes = _changes(found, index.states if index else {}, folder)
    if changes or not index:
        stored.update(folder, changes)
        index = stored.look(folder, (), "")
    assert index is not None
    return index


def scan(folder: Path) -> dict[str, State]:
    """Look at all FITS and ASDF files: their state, by path below the folder."""
    if not folder.is_dir():
        raise ReferenceError(f"{folder}: there is no such folder of references")
    return dict(_scan(str(folder), ""))


def _scan(folder: str, below: str) -> Iterator[tuple[str, State]]:
    try:
        with os.scandir(os.path.join(folder, below)) as found:
            entries = list(found)
    except OSError as error:
        _note(f"{os.path.join(folder, below)}: is passed over: {error.strerror}")
        return
    for entry in entries:
        name = f"{below}{entry.name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _scan(folder, f"{name}/")
            elif entry.name.endswith(SUFFIXES) and entry.is_file():
                about = entry.stat()
                yield name, (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
        except OSError:
            continue  # gone since


def _changes(
    found: dict[str, State], known: dict[str, State], folder: Path
) -> dict[str, Row | None]:
    """Read the files that are new or changed; None for those that are gone."""
    new = {name: state for name, state in found.items() if known.get(name) != state}
    gone: dict[str, Row | None] = dict.fromkeys(known.keys() - found.keys())
    return gone | {name: _row(str(folder), name, state) for name, state in new.items()}


@functools.lru_cache(maxsize=65536)
def _row(folder: str, name: str, state: State) -> Row:
    """Read one file, kept as long as it does not change."""
    keywords = _keywords(Path(folder, name))
    if keywords is None:
        return Row(name, state, "", "", None)
    return Row(name, state, text(keywords.get("REFTYPE")), text(keywords.get("INSTRUME")), keywords)


def _keywords(path: Path) -> dict[str, Any] | None:
    """Read what a file says of itself; None if it is no reference, empty if it cannot be read."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        if path.suffix == ".asdf":
            keywords = asdffile.keywords(path)
            return keywords if "REFTYPE" in keywords else None
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore", AstropyWarning)
            if file.read(6) != b"SIMPLE":
                return {}
            file.seek(0)
            header = fits.Header.fromfile(file)
            if "REFTYPE" not in header:
                return None
            return {name: header[name] for name in _names() if name in header}
    except (OSError, ValueError, fits.VerifyError):
        return {}


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(sorted({*KEYS, *_ALSO, *map(widening, KEYS)}))


def _entries(
    folder: Path, rows: Iterable[Row], types: Collection[str] | None, instrument: str
) -> tuple[Entry, ...]:
    wanted = (
        row
        for row in rows
        if row.keywords is not None
        and (not row.keywords or types is None or row.type in types)
        and (not row.keywords or not instrument or row.instrument == instrument)
    )
    return tuple(Entry(folder / row.name, row.keywords or {}) for row in sorted(wanted))


@functools.cache
def _note(message: str) -> None:
    """Say something once."""
    log.warning("%s", message)
