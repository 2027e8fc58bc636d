"""Reference files of a lock: found again by name, and taken only if their content is the same."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.declare import RefNeed
from heliodor.errors import ReferenceError, UsageError
from heliodor.hashes import file_sha256
from heliodor.references import lockfile
from heliodor.references.lockfile import NONE, NOT_APPLICABLE, Lock, LockedFile
from heliodor.references.selectors import (
    Answer,
    Found,
    NotApplicable,
    Sources,
    Unknown,
    locate_all,
)

if TYPE_CHECKING:
    from heliodor.plans import Request

PARAMETERS = "pars-"
"""What the types of parameter references begin with: a lock names only those that count."""


@dataclass(frozen=True)
class State:
    """How it stands with a file of a lock.

    Attributes
    ----------
    file : as the lock has it
    path : where the very file is; None: nowhere
    problem : why it is not there, or what is there instead; empty if it is there
    source : where it would be fetched to, and by what; None if nobody knows
    """

    file: LockedFile
    path: Path | None
    problem: str = ""
    source: Found | None = None


class Locked:
    """What a lock file says, and nothing else: ``run --locked``."""

    def __init__(self, sources: Sources):
        assert sources.lock is not None
        self.sources = sources
        self.lock = lockfile.read(sources.lock)

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer from the lock.

        Raises
        ------
        ReferenceError
            The lock does not have the exposure or a type, a file is missing or another one.
        """
        exposure = Path() if self.sources.exposure is None else self.sources.exposure
        types = self.lock.exposures.get(exposure.name)
        if types is None:
            raise ReferenceError(
                f"{exposure}: is not in {self.lock.path}; `heliodor lock` with all exposures "
                "makes a lock that has it."
            )
        given = {need.type: types.get(need.type) for need in wanted}
        for kind, name in given.items():
            if name is None and not kind.startswith(PARAMETERS):
                raise ReferenceError(
                    f"{exposure}: {self.lock.path} says nothing about a {kind} reference for it: "
                    "it was made for other steps. Lock the exposure again, with the same options."
                )
        files = require(self.lock, {name for name in given.values() if name}, self.sources)
        return {kind: self._answer(name, files) for kind, name in given.items()}

    def _answer(self, name: str | None, files: Mapping[str, Path]) -> Answer:
        where = self.lock.path.name
        if name is None or name == NONE:
            return Unknown(f"none, by {where}")
        if name == NOT_APPLICABLE:
            return NotApplicable(f"N/A, by {where}")
        entry = self.lock.files[name]
        return Found(files[name], f"{where}, chosen by {entry.selector}", entry.context)


def require(lock: Lock, names: Collection[str], sources: Sources) -> dict[str, Path]:
    """Find files of a lock, all of them.

    Returns
    -------
    path by name

    Raises
    ------
    ReferenceError
        A file is missing or another one; all such are named.
    """
    found = states(lock, {name for name in names if name in lock.files}, sources)
    problems = [f"{name}: {state.problem}" for name, state in found.items() if state.problem]
    if problems:
        raise ReferenceError(
            f"{lock.path}: its files are not all here.\n"
            + "\n".join(problems)
            + f"\n`heliodor sync {lock.path}` fetches what can be fetched; --references DIR says "
            "where others are."
        )
    return {name: state.path for name, state in found.items() if state.path is not None}


def states(lock: Lock, names: Collection[str], sources: Sources) -> dict[str, State]:
    """Say how it stands with files of a lock, without any network.

    They are looked for by name beside the lock, in the folders and those below them, and where
    selectors would have them; of several the one with the right content is taken.
    """
    from heliodor.plugins import registry

    at_hand = _at_hand(names, lock.path.parent, sources.folders)
    found = {name: _state(lock.files[name], at_hand[name]) for name in sorted(names)}
    rest = [name for name, state in found.items() if state.path is None]
    for name, place in locate_all(registry().selectors, rest, sources).items():
        there = [place.path] if place.path.is_file() else []
        found[name] = _state(lock.files[name], [*there, *at_hand[name]], place)
    return found


def parameter_files(sources: Sources) -> tuple[Path, ...]:
    """Give the user's own parameter files that count, in order."""
    assert sources.lock is not None
    lock = lockfile.read(sources.lock)
    files = require(lock, lock.parameter_files, sources)
    return tuple(files[name] for name in lock.parameter_files)


def remarks(lock: Path | None) -> tuple[str, ...]:
    """Say in what the installed versions differ from those that a lock was made with."""
    from heliodor.plugins import registry

    if lock is None:
        return ()
    versions = {plugin.distribution: plugin.version for plugin in registry().plugins}
    return lockfile.read(lock).differences(versions)


def refuse_additions(request: Request) -> None:
    """Refuse to have a lock and say besides which files are to be used.

    Raises
    ------
    UsageError
        The request does.
    """
    if request.locked is None:
        return
    added = {f"--ref {name}={value}": True for name, value in request.references.items()}
    added |= {f"--pars {path}": True for path in request.parameter_files}
    added |= {
        f"--context {request.context}": bool(request.context),
        "--no-pars": not request.parameter_references,
        "--not-for-science": request.not_for_science,
    }
    for option, given in added.items():
        if given:
            raise UsageError(
                f"{option}: {request.locked} alone says which references and parameter files are "
                "used. `heliodor lock` with this option makes another lock."
            )


def _at_hand(
    names: Collection[str], beside: Path, folders: Collection[Path]
) -> dict[str, list[Path]]:
    """Find files by their names; folders are searched with all that is below them."""
    found: dict[str, list[Path]] = {name: [] for name in names}
    if not names:
        return found
    for name in names:
        if (beside / name).is_file():
            found[name].append(beside / name)
    for folder in folders:
        if not folder.is_dir():
            raise ReferenceError(f"{folder}: there is no such folder of references")
        for place, _, files in os.walk(folder):
            for name in found.keys() & set(files):
                found[name].append(Path(place) / name)
    return found


def _state(file: LockedFile, paths: list[Path], source: Found | None = None) -> State:
    by = f"{file.selector}, {file.context}" if file.context else file.selector
    where = "there is no such file here" if source is None else f"{source.path} is not there"
    problem = f"{where}; it was chosen by {by}"
    for path in paths:
        if not (difference := _difference(path, file)):
            return State(file, path, source=source)
        problem = difference
    return State(file, None, problem, source)


def _difference(path: Path, file: LockedFile) -> str:
    """Say in what a file is another than the lock's; empty if it is the same."""
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"{path} is another file: {size} bytes, and not {file.size}"
        found = file_sha256(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if found != file.sha256:
        return f"{path} is another file: its SHA-256 is {found[:12]}..., not {file.sha256[:12]}..."
    return ""
