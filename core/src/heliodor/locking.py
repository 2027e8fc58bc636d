"""Making a lock of what exposures are calibrated with, and bringing its files here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from heliodor.errors import HeliodorError, ReferenceError, UsageError
from heliodor.hashes import file_sha256
from heliodor.observers import Observer
from heliodor.plans import Plan
from heliodor.plugins import registry
from heliodor.references import lockfile, prefetch
from heliodor.references.locked import State, states
from heliodor.references.lockfile import NONE, NOT_APPLICABLE, Lock, LockedFile
from heliodor.references.selectors import Found, NotApplicable, Sources

Standing = Literal["here", "fetched", "missing"]


@dataclass(frozen=True)
class Synced:
    """What became of a file of a lock.

    Attributes
    ----------
    name : of the file
    standing : ``here``, ``fetched`` or ``missing``
    path : where it is, or empty
    problem : why it is missing
    """

    name: str
    standing: Standing
    path: str
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)


def lock(plans: Iterable[Plan], observer: Observer | None = None) -> Lock:
    """Lock the references and parameter files of exposures.

    Parameters
    ----------
    plans : of the exposures; what they use and is not here yet is fetched
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.ReferenceError
        A reference is missing, or made up.
    heliodor.errors.UsageError
        Two exposures, or two different files, have the same name.
    """
    plans = list(plans)
    for plan in plans:
        plan.check_references()
        if plan.caveat:
            raise ReferenceError(f"{plan.exposure.path}: cannot be locked: {plan.caveat}")
    used = [found for plan in plans for found in _used(plan)]
    _fetch(used, "to be locked", observer)
    files: dict[str, LockedFile] = {}
    exposures: dict[str, dict[str, str]] = {}
    for found in used:
        _add(files, found)
    for plan in plans:
        name = plan.exposure.path.name
        if name in exposures:
            raise UsageError(f"{name}: a lock knows exposures by their names, and two have this.")
        exposures[name] = _types(plan)
    pars = dict.fromkeys(
        file.path.name for plan in plans for file in plan.parameter_files if not file.reference
    )
    return Lock(files, exposures, tuple(pars), _versions(plans, files.values()))


def sync(
    path: Path, folders: Sequence[Path] = (), observer: Observer | None = None
) -> list[Synced]:
    """Bring the files of a lock here, and verify them all.

    Parameters
    ----------
    path : of the lock
    folders : searched for its files
    observer : is told how it goes on

    Returns
    -------
    what became of each file; a file that is here is not touched
    """
    read, sources = lockfile.read(path), Sources(folders=tuple(folders))
    before = states(read, read.files, sources)
    absent = {name: state for name, state in before.items() if state.path is None}
    places = [state.source for state in absent.values() if state.source is not None]
    problem = ""
    try:
        _fetch([place for place in places if place.fetch], path.name, observer)
    except HeliodorError as error:
        problem = str(error)
    after = before | states(read, absent, sources)
    return [_synced(state, name in absent, problem) for name, state in after.items()]


def _synced(state: State, was_absent: bool, problem: str) -> Synced:
    if state.path is not None:
        return Synced(state.file.name, "fetched" if was_absent else "here", str(state.path))
    why = [state.problem]
    if state.source is not None and state.source.fetch and state.source.absent:
        why.append(problem)
    return Synced(state.file.name, "missing", "", "; ".join(filter(None, why)))


def _fetch(files: Iterable[Found], user: str, observer: Observer | None) -> None:
    """Fetch those files that are not there; none is overwritten."""
    absent = {found.path: found for found in files if found.absent}
    prefetch.fetch(absent.values(), {path: [user] for path in absent}, observer or Observer())


def _used(plan: Plan) -> Iterator[Found]:
    """Give the references and parameter files that count."""
    yield from (answer for answer in plan.references.values() if isinstance(answer, Found))
    for file in plan.parameter_files:
        _, found = file.reference or ("", Found(file.path, file.why, selector=file.why))
        yield found


def _types(plan: Plan) -> dict[str, str]:
    """Give what an exposure uses, by type."""
    types = {}
    for name, answer in plan.references.items():
        if isinstance(answer, Found):
            types[name] = answer.path.name
        else:
            types[name] = NOT_APPLICABLE if isinstance(answer, NotApplicable) else NONE
    found = (file.reference for file in plan.parameter_files if file.reference)
    return types | {name: answer.path.name for name, answer in found}


def _versions(plans: Iterable[Plan], files: Iterable[LockedFile]) -> dict[str, str]:
    """Give the versions of the core and of those that had a say: modes, steps and selectors."""
    plugins, names = registry(), {file.selector for file in files}
    asked = [plugins.owner(spec) for spec in plugins.selectors if spec.name in names]
    for plan in plans:
        asked.append(plugins.owner(plan.mode))
        asked += [step.offer.plugin for step in plan.steps if step.runs]
    return {
        "heliodor": version("heliodor"),
        **{plugin.distribution: plugin.version for plugin in asked},
    }


def _add(files: dict[str, LockedFile], found: Found) -> None:
    """Add a file, unless it is there."""
    name, path = found.path.name, found.path
    try:
        file = LockedFile(
            name, file_sha256(path), path.stat().st_size, found.selector, found.context
        )
    except OSError as error:
        raise ReferenceError(f"{path}: cannot be locked: {error.strerror}.") from error
    other = files.setdefault(name, file)
    if (other.sha256, other.size) != (file.sha256, file.size):
        raise UsageError(
            f"{path}: a lock knows files by their names, and another file of this name with other "
            "content is used as well. Give one of them another name."
        )
