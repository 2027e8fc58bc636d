"""Finding the reference files of an exposure: a chain of sources, asked in order.

Each source is asked for all types at once and answers for each `Found`, `NotApplicable` or
`Unknown`, always with a reason.  The first of the former two ends the chain for that type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from heliodor.declare import RefNeed, SelectorSpec, TransformSpec
from heliodor.errors import (
    HeliodorError,
    PluginError,
    ReferenceError,
    UsageError,
    did_you_mean,
)
from heliodor.references import index

WILD = {"GENERIC", "ANY", "N/A", ""}
"""Values of a reference file's keyword that fit every exposure."""


@dataclass(frozen=True)
class Found:
    """The file to use.

    Attributes
    ----------
    path : of the file
    why : how it was chosen
    context : version of the rules that chose it, if there are such
    by : what changes it before it is used, or None
    fetch : dotted path of the function that brings it to `path` if it is not there yet; empty: none
    size : in bytes, where that is known without asking anybody
    """

    path: Path
    why: str
    context: str = ""
    by: TransformSpec | None = None
    fetch: str = ""
    size: int | None = None

    @property
    def absent(self) -> bool:
        """Whether it is to be fetched before it can be used."""
        return bool(self.fetch) and not self.path.exists()


@dataclass(frozen=True)
class Made:
    """What an earlier step of the run has made."""

    port: str
    why: str = "made by this run"


@dataclass(frozen=True)
class NotApplicable:
    """There is no such reference for this exposure, on purpose: the step is left out."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """This source has nothing; the next is asked."""

    why: str


@dataclass(frozen=True)
class Considered:
    """A file that a source looked at, and what came of it.

    Attributes
    ----------
    name : of the file
    why : in words, how it fits or why it does not
    chosen : whether it is the one
    """

    name: str
    why: str
    chosen: bool = False


Answer = Found | Made | NotApplicable | Unknown


@dataclass(frozen=True)
class Sources:
    """What a user says about references.

    Attributes
    ----------
    overrides : file by type; ``"N/A"`` says that none applies
    folders : searched for files whose own keywords fit
    exposure : path of the exposure, or None for one in memory
    context : version of the rules to choose by, for sources that have such; empty: their own
    online : whether what a source needs for its answer may be fetched now
    """

    overrides: Mapping[str, str | Path] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    exposure: Path | None = None
    context: str = ""
    online: bool = False


class Selector(Protocol):
    """A source of references; made with `Sources`, asked once for an exposure.

    One that can explain itself has also a method ``considered(need, keywords)`` that gives the
    files it looked at for one type, as a tuple of `Considered`, the nearest first.
    """

    def __init__(self, sources: Sources): ...

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer for each type in `wanted`; a type left out is unknown.

        Parameters
        ----------
        wanted : what the steps need
        keywords : header of the exposure
        """
        ...


class Override:
    """Files that the user names: ``--ref dark=FILE``."""

    def __init__(self, sources: Sources):
        self.overrides = sources.overrides

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer for the types that were named."""
        answers: dict[str, Answer] = {}
        for need in wanted:
            if need.type not in self.overrides:
                answers[need.type] = Unknown("no --ref")
                continue
            value = str(self.overrides[need.type])
            if value.upper() == "N/A":
                answers[need.type] = NotApplicable("--ref says N/A")
            elif not Path(value).is_file():
                raise ReferenceError(f"{value}: there is no such file (--ref {need.type}=...)")
            else:
                answers[need.type] = Found(Path(value), "--ref")
        return answers


class Folder:
    """Folders of files, chosen by the files' own keywords: ``--references DIR``.

    A file fits if each of the need's keys equals the exposure's, is a wildcard (GENERIC, ANY,
    N/A), or lists it in the file's widening keyword (``P_DETECT`` = ``"NRCA1|NRCA2|"``), and its
    USEAFTER is not after the observation.  A full frame file serves a subarray when none was made
    for it.  Of several the one that says most about the exposure is taken, then the latest.
    """

    def __init__(self, sources: Sources):
        self.folders = sources.folders

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer from the headers of all files."""
        if not self.folders:
            return {need.type: Unknown("no --references folder") for need in wanted}
        entries = [entry for folder in self.folders for entry in index.read(folder)]
        return {need.type: self._one(need, entries, keywords) for need in wanted}

    def _one(
        self, need: RefNeed, entries: list[index.Entry], keywords: Mapping[str, Any]
    ) -> Answer:
        same = [
            entry
            for entry in entries
            if entry.value("REFTYPE") == need.type.upper()
            and entry.value("INSTRUME") == index.text(keywords.get("INSTRUME"))
        ]
        judged = [(fit(entry, need, keywords), entry) for entry in same]
        fitting = [(found, entry) for found, entry in judged if isinstance(found, Fit)]
        if not fitting:
            where = ", ".join(str(folder) for folder in self.folders)
            misfits = [f"{entry.path.name}: {found}" for found, entry in judged]
            misfits += [
                f"{e.path.name}: not a readable FITS file" for e in entries if not e.readable
            ]
            return Unknown(f"{where}: {'; '.join(misfits[:3]) or 'none of this type'}")
        _, entry = max(fitting, key=lambda pair: (pair[0], pair[1].path.name))
        how = ", ".join(f"{key}={entry.value(key)}" for key in need.keys if entry.value(key))
        return Found(entry.path, f"keywords {how or 'of the instrument'}")


class Embedded:
    """What the exposure's own header names (``R_DARK``), if that file is at hand.

    Looked for beside the exposure and in the folders.
    """

    def __init__(self, sources: Sources):
        beside = () if sources.exposure is None else (sources.exposure.parent,)
        self.folders = (*beside, *sources.folders)

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer for the types that the header names."""
        return {need.type: self._one(need, keywords) for need in wanted}

    def _one(self, need: RefNeed, keywords: Mapping[str, Any]) -> Answer:
        name = str(keywords.get(need.keyword, "")).removeprefix("crds://").strip()
        if name in ("", "N/A"):
            return Unknown(f"the header has no {need.keyword}")
        for folder in self.folders:
            if (folder / name).is_file():
                return Found(folder / name, f"{need.keyword} of the exposure")
        return Unknown(f"{need.keyword} names {name}, which is not at hand")


@dataclass(frozen=True, order=True)
class Fit:
    """How well a file fits an exposure; the greatest is the best.

    Attributes
    ----------
    exact : keys by which the file names this exposure, the subarray counting double
    agreeing : further keywords that happen to agree
    use_after : when the file came into force
    """

    exact: int
    agreeing: int
    use_after: str


def fit(entry: index.Entry, need: RefNeed, keywords: Mapping[str, Any]) -> Fit | str:
    """Judge a file for an exposure.

    Returns
    -------
    Fit, or in words why it does not fit
    """
    exact = 0
    for key in need.keys:
        value = index.text(keywords.get(key))
        judge = _fit_subarray if key == "SUBARRAY" and not need.exact else _fit_value
        score = judge(entry, key, keywords)
        if score is None:
            return f"for {key} {'|'.join(sorted(entry.allowed(key)))}, not {value}"
        exact += score
    observed = f"{keywords.get('DATE-OBS', '9999-12-31')}T{keywords.get('TIME-OBS', '23:59:59')}"
    use_after = entry.value("USEAFTER")
    if use_after > observed.upper():
        return f"USEAFTER {use_after} is after the observation, {observed}"
    agreeing = sum(
        entry.value(key) not in WILD and entry.value(key) == index.text(keywords.get(key))
        for key in index.KEYS
    )
    return Fit(exact, agreeing, use_after)


def _fit_value(entry: index.Entry, key: str, keywords: Mapping[str, Any]) -> int | None:
    """1 if the file names the value, 0 if it takes any, None if it is for others."""
    allowed = entry.allowed(key)
    if index.text(keywords.get(key)) in allowed:
        return 1
    return 0 if allowed & WILD else None


def _fit_subarray(entry: index.Entry, key: str, keywords: Mapping[str, Any]) -> int | None:
    """2 for the same subarray, 1 for any, 0 for a larger array that can be cut."""
    if not _contains(entry, keywords):
        return None
    allowed = entry.allowed(key)
    if index.text(keywords.get(key)) in allowed:
        return 2
    if allowed & WILD:
        return 1
    return 0 if "FULL" in allowed else None


def _contains(entry: index.Entry, keywords: Mapping[str, Any]) -> bool:
    """Whether the exposure's window lies in the file's; true where either does not say.

    Stripes are not looked for along the axis on which they lie.
    """
    striped = keywords.get("MSTR_RD1") is not None
    for axis in (1, 2):
        if striped and abs(int(keywords.get("SLOWAXIS") or 0)) == axis:
            continue
        start, size = entry.number(f"SUBSTRT{axis}"), entry.number(f"SUBSIZE{axis}")
        want = keywords.get(f"SUBSTRT{axis}")
        length = keywords.get(f"SUBSIZE{axis}")
        if None in (start, size, want, length):
            continue
        if int(want) < start or int(want) + int(length) > start + size:  # type: ignore
            return False
    return True


def select_all(
    specs: Iterable[SelectorSpec],
    wanted: tuple[RefNeed, ...],
    keywords: Mapping[str, Any],
    sources: Sources,
) -> dict[str, Answer]:
    """Ask the selectors in order of rank.

    Returns
    -------
    the first Found or NotApplicable of each type; else an Unknown that joins every reason

    Raises
    ------
    UsageError
        An override names a type that no step of the pipeline needs.
    """
    types = {need.type for need in wanted}
    for name in sources.overrides:
        if name not in types:
            raise UsageError(did_you_mean(name, types, "reference type in this pipeline"))
    answers: dict[str, Answer] = {}
    reasons: dict[str, list[str]] = {name: [] for name in types}
    for spec in specs:
        open_needs = tuple(
            need
            for need in wanted
            if need.type not in answers and (not spec.types or need.type in spec.types)
        )
        if not open_needs:
            continue
        given = _asked(spec, sources, open_needs, keywords)
        for need in open_needs:
            answer = given.get(need.type, Unknown("no answer"))
            if isinstance(answer, Unknown):
                reasons[need.type].append(f"{spec.name}: {answer.why}")
            else:
                answers[need.type] = answer
    for name in types - answers.keys():
        answers[name] = Unknown("; ".join(reasons[name]))
    return answers


def _asked(
    spec: SelectorSpec,
    sources: Sources,
    wanted: tuple[RefNeed, ...],
    keywords: Mapping[str, Any],
) -> Mapping[str, Answer]:
    """Ask one selector; what goes wrong in a stranger's is said to be his."""
    from heliodor.engine import load

    selector = load(spec.impl)
    try:
        given = dict(selector(sources).select(wanted, keywords))
        for kind, answer in given.items():
            if not isinstance(answer, Found | NotApplicable | Unknown):
                raise TypeError(f"its answer for {kind} is {answer!r}")
        return given
    except HeliodorError:
        raise
    except (Exception, SystemExit) as error:
        from heliodor.plugins import registry

        raise PluginError(
            f"the selector {spec.name} of {registry().blame(spec.impl)} failed: "
            f"{type(error).__name__}: {error}. HELIODOR_PLUGINS leaves it out."
        ) from error
