"""Bringing files from a CRDS server into the cache: several at a time, whole or not at all.

A file is written beside its place under a name of its own, compared with the size and checksum of
the server's list, and only then given its name.  So nothing under a file's name is ever half of
it, even if the machine stops; two processes may fetch the same file at once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from heliodor.errors import NotFetched, ReferenceError
from heliodor.observers import Observer
from heliodor.references.selectors import Found

from heliodor_crds.server import Entry, Server
from heliodor_crds.transfers import Transfer, TransferError, carry_out, pieces, tried

PARALLEL = 4
"""Files taken from the server at a time."""

PART = ".part"
FORGOTTEN = 3600.0
"""A part that nobody has written to for so long is what is left of a killed process [s]."""

_RANKS = (".rmap", ".imap", ".pmap")


def fetch(files: Sequence[Found], observer: Observer) -> None:
    """Bring reference files to where they were found to belong.

    Parameters
    ----------
    files : some may be there by now
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.NotFetched
        Some could not be fetched; the others are there.
    heliodor.errors.ReferenceError
        None could: there is no server, it does not answer, or the cache takes no files.
    """
    bring([found.path for found in files], Server.from_environment(), observer)


def fetch_mappings(
    context: str, location: Callable[[str], Path], observer: Observer | None = None
) -> None:
    """Bring the mappings of a context into the cache.

    Mappings go before those that name them: a context that is there is there as a whole.

    Parameters
    ----------
    context : such as ``jwst_1303.pmap``
    location : gives the place of a mapping by its name
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.ReferenceError
        as `fetch`; the server does not know the context
    """
    server = Server.from_environment()
    places = [location(name) for name in server.mappings(context)]
    for rank in _RANKS:
        chosen = [place for place in places if place.suffix == rank]
        bring(chosen, server, observer or Observer())


def bring(paths: Iterable[Path], server: Server, observer: Observer) -> None:
    """Bring files, each to its place, from a server; see `fetch`."""
    absent = sorted({path for path in paths if not path.exists()})
    if not absent:
        return
    _check_writable(absent[0].parent)
    listed = server.entries(tuple(path.name for path in absent))
    known = [path for path in absent if path.name in listed]
    entries = {path: listed[path.name] for path in known}
    total = sum(entry.size for entry in entries.values())
    _check_space(known, total)
    transfers = {path: _transfer(path, entries[path], server) for path in known}

    def tick() -> None:
        begun = [each for each in transfers.values() if each.received]
        if begun:
            observer.fetching(begun[-1].name, sum(each.received for each in begun), total)

    carry_out(list(transfers.values()), server.timeout, PARALLEL, tick)
    strange = f"CRDS server {server.url} does not know it"
    failed = {path: strange for path in absent if path not in entries}
    failed |= {path: str(each.error) for path, each in transfers.items() if each.error}
    if failed:
        raise NotFetched(failed)


def _transfer(path: Path, entry: Entry, server: Server) -> Transfer:
    """Prepare the way of one file into the cache."""
    address = server.address(path.name)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")

    def work(transfer: Transfer) -> None:
        def attempt() -> None:
            try:
                _take(address, part, entry, server.timeout, transfer)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)

        try:
            _prepare(path)
            tried(transfer, attempt, server.tries, server.pause)
        except TransferError as error:
            raise TransferError(f"{address}: {error}", hopeless=error.hopeless) from error
        except OSError as error:
            why = error.strerror or str(error)
            raise TransferError(
                f"{path.parent}: cannot be written to: {why}", hopeless=True
            ) from error

    return Transfer(path.name, work, lambda: part.unlink(missing_ok=True))


def _take(address: str, part: Path, entry: Entry, timeout: float, transfer: Transfer) -> None:
    """Write what the server sends, if it is what its list says."""
    received, checksum = 0, hashlib.sha1(usedforsecurity=False)
    with part.open("xb") as file:
        for piece in pieces(address, timeout):
            file.write(piece)
            checksum.update(piece)
            received += len(piece)
            transfer.moved(received)
            if received > entry.size:
                break
        file.flush()
        os.fsync(file.fileno())
    if received != entry.size:
        more = "more than " if received > entry.size else ""
        raise TransferError(
            f"{received} bytes came, {more}the {entry.size} of the server's list", again=not more
        )
    if entry.sha1 and checksum.hexdigest() != entry.sha1:
        raise TransferError(
            f"its checksum is {checksum.hexdigest()}, in the server's list {entry.sha1} (SHA-1)",
            again=True,
        )


def _prepare(path: Path) -> None:
    """Make the folder of a file, and remove what killed processes have left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for part in path.parent.glob(f".{path.name}.*{PART}"):
        try:
            if time.time() - part.stat().st_mtime > FORGOTTEN:
                part.unlink()
        except FileNotFoundError:
            pass


def _check_writable(folder: Path) -> None:
    if os.environ.get("CRDS_READONLY_CACHE", "").lower() in ("1", "t", "true"):
        raise ReferenceError(
            f"{folder}: the cache is not to be written to (CRDS_READONLY_CACHE is set)"
        )
    there = _existing(folder)
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        raise ReferenceError(f"{there}: this folder of the cache cannot be written to")


def _check_space(paths: Sequence[Path], size: int) -> None:
    if not paths:
        return
    there = _existing(paths[0].parent)
    free = shutil.disk_usage(there).free
    if size > free:
        raise ReferenceError(
            f"{there}: {len(paths)} files of {size / 1e9:.2f} GB are to be fetched, and "
            f"{free / 1e9:.2f} GB are free"
        )


def _existing(folder: Path) -> Path:
    """Give a folder, or the nearest above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
