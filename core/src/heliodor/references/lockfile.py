"""Lock files: which reference files exposures are calibrated with, by name and content.

A lock is a document that people read and that version control compares: YAML, in alphabetical
order, without dates, and without any folder, so that it means the same on every machine.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliodor.documents.yaml import Table, load
from heliodor.errors import OutputError, UsageError, did_you_mean

FORMAT = 1
"""Version of the document."""

NOT_APPLICABLE = "N/A"
"""Stands for a reference that there is none of, on purpose."""

NONE = "none"
"""Stands for a reference that was not found, and that the step can do without."""

_HEAD = """\
# The reference files of these exposures, by name and content. `heliodor sync` brings them here,
# `heliodor run --locked` takes no others.
"""

_PLAIN = re.compile(r"(?!(?i:true|false|null)\Z)[A-Za-z](?:[\w./+-]*\w)?")


@dataclass(frozen=True)
class LockedFile:
    """A file that a lock names.

    Attributes
    ----------
    name : without folder
    sha256 : of its content
    size : in bytes
    selector : the source that chose it
    context : version of the rules that it was chosen by, if there are such
    """

    name: str
    sha256: str
    size: int
    selector: str
    context: str = ""


@dataclass(frozen=True)
class Lock:
    """What a lock file says.

    Attributes
    ----------
    files : every file, by name
    exposures : by the name of an exposure's file, and by reference type: the name of a file,
        `NOT_APPLICABLE` or `NONE`
    parameter_files : names of the user's own, in the order in which they count
    versions : of the distributions that chose, by name; they are told, not enforced
    path : where it stands
    """

    files: Mapping[str, LockedFile]
    exposures: Mapping[str, Mapping[str, str]]
    parameter_files: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    path: Path = Path("heliodor.lock")

    def differences(self, versions: Mapping[str, str]) -> tuple[str, ...]:
        """Say in what the versions of distributions differ from those that it was made with."""
        return tuple(
            f"{self.path.name} was made with {name} {then}, here is "
            + (f"{name} {versions[name]}" if name in versions else "none")
            for name, then in sorted(self.versions.items())
            if versions.get(name) != then
        )

    def as_data(self) -> dict[str, Any]:
        """Give it as the plain data of the document."""
        entries = {
            name: {
                "sha256": file.sha256,
                "size": file.size,
                "selector": file.selector,
                **({"context": file.context} if file.context else {}),
            }
            for name, file in sorted(self.files.items())
        }
        pars = {"parameter_files": list(self.parameter_files)} if self.parameter_files else {}
        return {
            "lock": FORMAT,
            "versions": dict(sorted(self.versions.items())),
            "files": entries,
            **pars,
            "exposures": {
                name: dict(sorted(types.items())) for name, types in sorted(self.exposures.items())
            },
        }

    def text(self) -> str:
        """Give the document."""
        return _HEAD + "\n".join(_lines(self.as_data(), "")) + "\n"

    def write(self, path: Path) -> None:
        """Write the document; a file that is there is replaced as a whole.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(self.text(), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputError(f"{path}: cannot be written: {error.strerror}.") from error


def read(path: str | Path) -> Lock:
    """Read a lock file; one that is read again and was not changed is remembered.

    Raises
    ------
    UsageError
        There is none, or it is not one; the message names the line.
    """
    path = Path(path)
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a lock file: {error}.") from error


@functools.lru_cache(maxsize=8)
def _read(path: Path, _mtime: int, _size: int) -> Lock:
    top = _table(load(path.read_text(encoding="utf-8"), str(path)), str(path))
    if top.get("lock") != FORMAT:
        raise UsageError(
            f"{path}: no lock file that this version of Heliodor understands: it begins with "
            f"lock: {top.get('lock')}, and not with lock: {FORMAT}."
        )
    known = ("lock", "versions", "files", "parameter_files", "exposures")
    for key in top:
        if key not in known:
            raise top.at(key).error(did_you_mean(key, known, "entry of a lock file"))
    files = {
        name: _file(name, _table(entry, str(path)))
        for name, entry in _table(top.get("files"), str(path)).items()
    }
    exposures = {
        name: _types(_table(types, str(path)), files)
        for name, types in _table(top.get("exposures"), str(path)).items()
    }
    pars = tuple(top.get("parameter_files") or ())
    for name in pars:
        if name not in files:
            raise top.at("parameter_files").error(f"{name} is not among its files.")
    versions = {name: str(value) for name, value in (top.get("versions") or {}).items()}
    return Lock(files, exposures, pars, versions, path)


def _table(value: Any, name: str) -> Table:
    if not isinstance(value, Table):
        raise UsageError(f"{name}: no lock file: where names and values belong stands {value!r}.")
    return value


def _file(name: str, entry: Table) -> LockedFile:
    given: dict[str, Any] = {key: entry.get(key) for key in ("sha256", "size", "selector")}
    given["context"] = entry.get("context", "")
    for key, value in given.items():
        if not isinstance(value, int if key == "size" else str):
            raise entry.at(key).error(f"{name} has no {key} that could be used: {value!r}.")
    if Path(name).name != name:
        raise entry.place.error(f"{name!r} is not the name of a file alone.")
    return LockedFile(name, **given)


def _types(types: Table, files: Mapping[str, LockedFile]) -> dict[str, str]:
    for kind, name in types.items():
        if name not in (NOT_APPLICABLE, NONE) and name not in files:
            raise types.at(kind).error(f"{kind}: {name} is not among the files of this lock.")
    return dict(types)


def _lines(table: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_scalar(name)}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{_scalar(name)}: [{', '.join(map(_scalar, value))}]"
        else:
            # digits of a hash could be taken for a number
            written = json.dumps(value) if name == "sha256" else _scalar(value)
            yield f"{indent}{_scalar(name)}: {written}"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value)
    return value if plain else json.dumps(value)
