"""A context: the rules of all instruments at one time, opened by name and kept in parsed form."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from heliodor import cache as own
from heliodor.errors import ReferenceError, UsageError

from heliodor_crds import mappings
from heliodor_crds.cache import Cache
from heliodor_crds.mappings import NAME, NONE, OMITTED
from heliodor_crds.rules import Rules
from heliodor_crds.settings import OBSERVATORY, Settings

_SYMBOL = re.compile(rf"(?:{OBSERVATORY}-)?(latest|operational|build|edit|versions)")
_DATE = re.compile(rf"(?:{OBSERVATORY}-)?\d{{4}}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?)?")
_FORM = 1
"""Changed when the kept form is, or what is made of a mapping's text."""


class Context:
    """The rules of one ``.pmap`` file.

    Parameters
    ----------
    name : of the file
    cache : where it lies
    online : whether what is missing of it may be fetched

    Raises
    ------
    heliodor.errors.ReferenceError
        By every method: a mapping is missing or broken.
    """

    def __init__(self, name: str, cache: Cache, online: bool = False):
        self.name = name
        self.cache = cache
        self.online = online and cache.settings.connected
        self._rules: dict[tuple[str, str], Rules | str | None] = {}
        self._kept: dict[str, Kept] = {}

    @functools.cached_property
    def instruments(self) -> dict[str, Any]:
        """Mapping of each instrument, by its name in small letters."""
        path = self.cache.mapping(self.name)
        if not path.is_file():
            self._bring(self.name)
        if not path.is_file():
            raise ReferenceError(self._unknown())
        data = mappings.read(path, "")
        self._outer = tuple(data["header"]["parkey"])
        return dict(data["selector"])

    def rules(self, type: str, instrument: str) -> Rules | str | None:
        """Give the rules for a type of reference.

        Returns
        -------
        rules; ``N/A`` or ``OMIT`` if the instrument has no such type; None: it is not known
        """
        key = type.lower(), instrument.lower()
        if key not in self._rules:
            self._rules[key] = self._found(*key)
        return self._rules[key]

    def keep(self) -> None:
        """Write the parsed form of what has been read, for the next process."""
        for kept in self._kept.values():
            kept.write()

    def _found(self, type: str, instrument: str) -> Rules | str | None:
        name = self.instruments.get(instrument)
        if name is None or name in (*NONE, *OMITTED):
            return name
        types = self._read(name, self.name, instrument)
        rules = types["selector"].get(type)
        if rules is None or rules in (*NONE, *OMITTED):
            return rules if rules is None or rules in NONE else OMITTED[0]
        outer = (*self._outer, *types["header"]["parkey"])
        return Rules.of(rules, self._read(rules, name, instrument), outer)

    def _read(self, name: str, parent: str, instrument: str) -> Any:
        """Give the plain data of a mapping, from the kept form if that is of the same file."""
        if instrument not in self._kept:
            self._kept[instrument] = Kept(self, instrument)
        kept = self._kept[instrument]
        path = self.cache.mapping(name)
        if not path.is_file():
            self._bring(name)
        try:
            state = path.stat()
        except OSError:
            raise ReferenceError(
                f"{path}: this mapping, named by {parent}, is not in the cache.{self._hint}"
            ) from None
        stamp = [state.st_size, state.st_mtime_ns]
        data = kept.get(name, stamp)
        if data is None:
            data = mappings.read(path, parent)
            kept.put(name, stamp, data)
        return data

    def _bring(self, name: str) -> None:
        """Fetch what is not there of the context, if that is possible."""
        if self.online:
            from heliodor_crds.fetch import fetch_mappings

            fetch_mappings(self.name, self.cache.mapping)

    @property
    def _hint(self) -> str:
        return "" if self.online else _how(self.cache.settings)

    def _unknown(self) -> str:
        settings = self.cache.settings
        if not settings.mappings.is_dir():
            return f"{_no_folder(settings)}{self._hint}"
        return (
            f"The context {self.name} is not in {settings.mappings}; there are: "
            f"{self.cache.listed()}{self._hint}"
        )


class Kept:
    """The parsed mappings of an instrument, in a file of the user's cache.

    Each is kept with size and time of its file, so that a changed one is read anew.
    """

    def __init__(self, context: Context, instrument: str):
        place = _digest(str(context.cache.settings.mappings.absolute()))
        self.path = own.folder() / "crds" / place / f"{context.name}-{instrument}.json"
        self._changed = False
        self._entries: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            said = json.loads(self.path.read_text("utf-8"))
            if said["form"] == _FORM:
                self._entries = said["mappings"]

    def get(self, name: str, stamp: list[int]) -> Any:
        """Give the data of a mapping; None if it was not kept, or its file has changed."""
        entry = self._entries.get(name)
        return entry[1] if entry and entry[0] == stamp else None

    def put(self, name: str, stamp: list[int], data: Any) -> None:
        """Take up the data of a mapping."""
        self._entries[name] = [stamp, data]
        self._changed = True

    def write(self) -> None:
        """Write the file if there is something new; where that is not possible, it is not."""
        if self._changed:
            self._changed = False
            _write(self.path, {"form": _FORM, "mappings": self._entries})


def opened(settings: Settings, wanted: str = "", online: bool = False) -> Context:
    """Open a context; one that has been opened before is given again, unless its file has changed.

    Parameters
    ----------
    settings : of the cache
    wanted : its name, or what stands for it; empty: what the settings say
    online : whether a server may be asked

    Raises
    ------
    heliodor.errors.UsageError
        `wanted` is not the name of a context.
    heliodor.errors.ReferenceError
        It is not known which one that is.
    """
    name = resolved(settings, wanted or settings.context, online)
    try:
        state = (settings.mappings / name).stat()
        stamp = state.st_size, state.st_mtime_ns
    except OSError:
        stamp = 0, 0
    return _opened(name, settings, online, stamp)


@functools.lru_cache(maxsize=8)
def _opened(name: str, settings: Settings, online: bool, stamp: tuple[int, int]) -> Context:
    return Context(name, Cache(settings), online)


@functools.lru_cache(maxsize=8)
def resolved(settings: Settings, wanted: str, online: bool = False) -> str:
    """Give the name of a context for what stands for it.

    Parameters
    ----------
    settings : of the cache
    wanted : ``jwst_1293.pmap``, ``latest``, ``build``, a date (``jwst-2024-07-01``), or empty: that
        of the version of `jwst` that is followed, or without a server the cache's own
    online : whether a server may be asked; otherwise its last answer counts
    """
    if wanted.endswith(".pmap") and NAME.fullmatch(wanted):
        return wanted
    symbol = _SYMBOL.fullmatch(wanted)
    if wanted and not symbol and not _DATE.fullmatch(wanted):
        raise UsageError(
            f"'{wanted}' is no CRDS context: {OBSERVATORY}_NNNN.pmap, latest, build, or a date "
            f"({OBSERVATORY}-2024-07-01)."
        )
    what = symbol[1] if symbol else wanted
    if settings.connected and online:
        try:
            return _asked(settings, what)
        except ReferenceError as error:
            last = _answers(settings).get(what)
            hint = f"; its last one was {last}" if last else ""
            raise ReferenceError(f"{error}. --context NAME needs no answer{hint}.") from error
    if not settings.mappings.is_dir():
        raise ReferenceError(_no_folder(settings) + _how(settings))
    info = Cache(settings).info
    known = _answers(settings).get(what) if settings.connected else None
    known = known or next((info[entry] for entry in _entries(what) if info.get(entry)), None)
    if known:
        return str(known)
    unknown = f"what '{wanted}' stands for only a server knows" if wanted else "none is set"
    raise ReferenceError(
        f"CRDS context: {unknown}. Give one by --context or CRDS_CONTEXT; in {settings.mappings} "
        f"there are: {Cache(settings).listed()}{_how(settings)}"
    )


def _asked(settings: Settings, what: str) -> str:
    """Ask the server which context is meant; its answer is kept for plans, which ask nobody."""
    from heliodor.products.assemble import PARITY_VERSION

    from heliodor_crds.server import Server
    from heliodor_crds.transfers import TransferError

    server, name = Server.from_environment(), ""
    if what in ("", "build"):
        try:
            name = server.build_context(PARITY_VERSION)
        except TransferError as error:  # it knows no context for this version
            if error.hopeless:
                raise
    elif re.match(r".*\d", what):
        name = str(server.call("get_context_by_date", what, OBSERVATORY))
    if not name:
        info = server.info
        name = next((str(info[entry]) for entry in _entries(what) if info.get(entry)), "")
    name = name or server.default_context()
    if not NAME.fullmatch(name):
        raise ReferenceError(f"CRDS server {settings.server}: {name[:60]!r} is no context")
    _write(_answers_file(settings), {**_answers(settings), what: name})
    return name


def _entries(what: str) -> tuple[str, ...]:
    """Name the entries in which a server says which context is in use."""
    usual = what in ("", "latest", "operational")
    return ("latest_context", "operational_context") if usual else (f"{what}_context",)


def _answers_file(settings: Settings) -> Path:
    return own.folder() / "crds" / f"{_digest(settings.server)}.json"


def _answers(settings: Settings) -> dict[str, str]:
    """Give what a server has said about contexts so far."""
    try:
        said = json.loads(_answers_file(settings).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _no_folder(settings: Settings) -> str:
    return f"{settings.mappings}: there is no such folder: CRDS_PATH is not that of a cache."


def _how(settings: Settings) -> str:
    """Say how what is missing could be had."""
    if settings.connected:
        return " `heliodor run` and `plan --online` ask the server."
    return " CRDS_SERVER_URL names no server; with one, what is missing is fetched."


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]


def _write(path: Path, content: object) -> None:
    """Write a file of the user's cache, whole or not at all; where it cannot be, it is not."""
    part = path.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, separators=(",", ":")), "utf-8")
        os.replace(part, path)
