"""A build, and a change between two builds; read from YAML documents that plugins ship."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from heliodor.documents import fields
from heliodor.documents.conditions import ALWAYS, Condition
from heliodor.documents.edits import parse_edits
from heliodor.documents.nodereader import NodeReader
from heliodor.documents.nodes import Edit
from heliodor.documents.yaml import Items, Place, Table, load
from heliodor.errors import did_you_mean

R = TypeVar("R")

Kind = Literal["step", "order", "default", "behaviour"]
"""What changed: a step is new, was renamed or is gone; its place; a default; what it does."""

Here = Literal["both", "new", "missing", "neutral"]
"""What Heliodor makes of a change.

===========  ====================================================================
``both``     it does as after the change, and as before it with ``--build``
``new``      it does as after the change only
``missing``  it does not do that step, or that part of it, yet
``neutral``  no result depends on it
===========  ====================================================================
"""

Status = Literal["Development", "Candidate", "Operations", "Archived"]
"""Kinds of build: made daily, with a fixed context, in use at the observatory, no longer in use."""


@dataclass(frozen=True, slots=True)
class Build:
    """An operational build.

    Attributes
    ----------
    name : ``9.3.1``
    jwst : version of the `jwst` package
    status : of `Status`; as of the latest table that the record was made from
    sdp : version of the data processing system (SDP_VER)
    candidate, operations : date of release as a candidate, and of installation; empty: not known
    crds : number of its CRDS context; None: not known
    crds_fixed : whether all products of the build were made with that context
    page : what the observatory's page of builds said where that was different, by attribute
    releases : all versions of `jwst` that were of this build
    affects : data that it changed most
    needs : versions of other packages it needs
    rows : of the checklist of requirements
    """

    name: str
    jwst: str
    status: str
    sdp: str = ""
    candidate: str = ""
    operations: str = ""
    crds: int | None = None
    crds_fixed: bool = False
    page: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[str, ...] = ()
    affects: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[str, ...] = ()

    @property
    def version(self) -> tuple[int, ...]:
        """The version of `jwst`, to be compared."""
        return version(self.jwst)

    @property
    def context(self) -> str:
        """The CRDS context, ``jwst_1107.pmap``; empty: not known."""
        return "" if self.crds is None else f"jwst_{self.crds:04}.pmap"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not the same in all builds.

    Attributes
    ----------
    jwst : first version of the package that has it; empty: none has, it is Heliodor that differs
    kind : of `Kind`
    step : the step, or another part of the pipeline, it is about
    what : a sentence
    here : of `Here`
    place : where it stands
    rows : of the checklist of requirements
    when : exposures it matters for
    since : builds older than this version did not have what it changed
    pipelines : names of those whose order it concerns; none: all that have the step
    before : edits that lead back
    ran : before, it was done by default, also if Heliodor leaves the step out
    """

    jwst: str
    kind: str
    step: str
    what: str
    here: str
    place: Place
    rows: tuple[str, ...] = ()
    when: Condition = ALWAYS
    since: str = ""
    pipelines: tuple[str, ...] = ()
    before: tuple[Edit, ...] = ()
    ran: bool = False

    @property
    def version(self) -> tuple[float, ...]:
        """The version of `jwst`, to be compared; later than all if there is none."""
        return version(self.jwst) if self.jwst else (float("inf"),)

    def lacks(self, build: Build) -> bool:
        """Whether `build` is older than this, and had what this changes."""
        old = version(self.since) if self.since else ()
        return old <= build.version < self.version


@dataclass(frozen=True, slots=True)
class Record:
    """A document: builds, changes, and from which version of `jwst` on it lists these."""

    about: str
    begins: str
    builds: tuple[Build, ...]
    changes: tuple[Change, ...]


def version(text: str) -> tuple[int, ...]:
    """Split ``1.11.4`` so that versions can be compared."""
    return tuple(map(int, text.split(".")))


def parse(text: str, file: str) -> Record:
    """Read a document of builds.

    Parameters
    ----------
    text : YAML, with ``about``, ``begins``, ``builds`` and ``changes``
    file : its name, for messages and for the origin of parameters

    Raises
    ------
    PipelineError
        with file and line, for whatever has no meaning
    """
    table = load(text, file)
    top = Place(file, 1)
    if not isinstance(table, Table):
        raise top.error("a document of builds is a mapping with 'builds' or 'changes'.")
    fields.check_keys(table, ("about", "begins", "builds", "changes"), "a document of builds")
    read = _Fields(table, top)
    return Record(
        about=read("about", _text, ""),
        begins=read("begins", _version, ""),
        builds=_listed(table, "builds", _build),
        changes=_listed(table, "changes", _change),
    )


class _Fields:
    """Reads the entries of one mapping."""

    def __init__(self, table: Table, place: Place):
        self.table = table
        self.place = place

    def __call__(self, key: str, reader: Callable[[Any, Place], R], default: R | None = None) -> R:
        if key in self.table:
            return reader(self.table[key], self.table.at(key))
        if default is None:
            raise self.place.error(f"'{key}' is missing.")
        return default


def _listed(table: Table, key: str, reader: Callable[[Table, Place], R]) -> tuple[R, ...]:
    items = table.get(key, Items(table.place))
    if not isinstance(items, Items) or not all(isinstance(item, Table) for item in items):
        raise table.at(key).error(f"'{key}' is a list of mappings.")
    return tuple(reader(item, where) for item, where in zip(items, items.places, strict=True))


def _build(table: Table, place: Place) -> Build:
    known = tuple(Build.__dataclass_fields__)
    fields.check_keys(table, known, "a build")
    read = _Fields(table, place)
    return Build(
        name=read("name", _text),
        jwst=read("jwst", _version),
        status=read("status", _one_of(get_args(Status), "status")),
        sdp=read("sdp", _text, ""),
        candidate=read("candidate", _date, ""),
        operations=read("operations", _date, ""),
        crds=read("crds", _number) if "crds" in table else None,
        crds_fixed=read("crds_fixed", _boolean, False),
        page=read("page", _pairs(known), {}),
        releases=read("releases", _versions, ()),
        affects=read("affects", _texts, ()),
        needs=read("needs", _pairs(), {}),
        rows=read("rows", _texts, ()),
    )


_CHANGE_KEYS = (
    "jwst", "kind", "step", "what", "here", "rows", "when", "since", "pipelines", "before", "ran",
)  # fmt: skip


def _change(table: Table, place: Place) -> Change:
    fields.check_keys(table, _CHANGE_KEYS, "a change")
    read = _Fields(table, place)
    if ("before" in table) == ("here" in table):
        raise place.error(
            "a change has 'before', the edits that lead back, or 'here': "
            f"{', '.join(get_args(Here)[1:])}."
        )
    return Change(
        jwst="" if table.get("jwst") == "never" else read("jwst", _version),
        kind=read("kind", _one_of(get_args(Kind), "kind")),
        step=read("step", _text),
        what=read("what", _text),
        here=read("here", _one_of(get_args(Here)[1:], "value of 'here'"), "both"),
        place=place,
        rows=read("rows", _texts, ()),
        when=fields.condition(table),
        since=read("since", _version, ""),
        pipelines=read("pipelines", _texts, ()),
        before=read("before", lambda v, p: parse_edits(v, p, NodeReader("build profile")), ()),
        ran=read("ran", _boolean, False),
    )


def _text(value: Any, place: Place) -> str:
    return fields.text(value, place, "this")


def _texts(value: Any, place: Place) -> tuple[str, ...]:
    return fields.names(value, place, "text")


def _version(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+){2}", value):
        raise place.error(f"a version of jwst is written like 1.11.4, not {value!r}.")
    return value


def _versions(value: Any, place: Place) -> tuple[str, ...]:
    return tuple(_version(item, place) for item in _texts(value, place))


def _date(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise place.error(f"a date is written like 2023-08-24, not {value!r}.")
    return value


def _number(value: Any, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise place.error(f"here stands a whole number, not {value!r}.")
    return value


def _boolean(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.error(f"here stands true or false, not {value!r}.")
    return value


def _one_of(allowed: tuple[str, ...], what: str) -> Callable[[Any, Place], str]:
    def read(value: Any, place: Place) -> str:
        if value not in allowed:
            raise place.error(did_you_mean(str(value), allowed, what))
        return str(value)

    return read


def _pairs(allowed: tuple[str, ...] = ()) -> Callable[[Any, Place], Mapping[str, str]]:
    def read(value: Any, place: Place) -> Mapping[str, str]:
        if not isinstance(value, Table):
            raise place.error("here stands a mapping.")
        if allowed:
            fields.check_keys(value, allowed, "a build")
        return {key: _text(item, value.at(key)) for key, item in value.items()}

    return read
