"""Finding the reference files of an exposure: a chain of sources, asked in order.

Each source is asked for all types at once and answers for each `Found`, `NotApplicable` or
`Unknown`, always with a reason.  The first of the former two ends the chain for that type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from heliodor.references.fitting import Fit, Misfit, fit, less, order

LOCKED = SelectorSpec("lock", 0, "heliodor.references.locked:Locked")
"""Takes the place of all others where a lock file says what is used."""


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
    selector : name of the source that gave the answer; the chain fills it in
    caveat : why results that were made with it are not for science; empty: they are
    """

    path: Path
    why: str
    context: str = ""
    by: TransformSpec | None = None
    fetch: str = ""
    size: int | None = None
    selector: str = field(default="", compare=False)
    caveat: str = ""

    @property
    def absent(self) -> bool:
        """Whether it is not there: it is fetched before it is used, or cannot be used."""
        return not self.path.exists()


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
    lock : file that alone says what is used, see `heliodor.references.lockfile`
    not_for_science : whether a source may make up what is missing, for exposures that are made up
    usual_context : that of the build that is followed; counts if no other is asked for
    """

    overrides: Mapping[str, str | Path] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    exposure: Path | None = None
    context: str = ""
    online: bool = False
    lock: Path | None = None
    not_for_science: bool = False
    usual_context: str = ""


class Selector(Protocol):
    """A source of references; made with `Sources`, asked once for an exposure.

    One that can explain itself has also a method ``considered(need, keywords)`` that gives the
    files it looked at for one type, as a tuple of `Considered`, the nearest first.  One whose files
    are known by their names has a method ``locate(names)`` that says where each is, or would be
    fetched to, as a mapping of `Found` by name; it asks no server.
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

    def considered(self, need: RefNeed, keywords: Mapping[str, Any]) -> tuple[Considered, ...]:
        """Give the file that was named."""
        if str(self.overrides.get(need.type, "N/A")).upper() == "N/A":
            return ()
        name = Path(self.overrides[need.type]).name
        return (Considered(name, f"--ref {need.type}", chosen=True),)


class Folder:
    """Folders of files, chosen by the files' own keywords: ``--references DIR``.

    A file fits if each of the need's keys equals the exposure's, is a wildcard (GENERIC, ANY,
    N/A), or lists it in the file's widening keyword (``P_DETECT`` = ``"NRCA1|NRCA2|"``), and its
    USEAFTER is not after the observation.  A full frame file serves a subarray when none was made
    for it.  Of several the one that says most about the exposure is taken, then the latest.
    """

    def __init__(self, sources: Sources):
        self.folders = sources.folders
        self._read: dict[str, list[index.Entry]] = {}

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Answer]:
        """Answer from the headers of all files."""
        if not self.folders:
            return {need.type: Unknown("no --references folder") for need in wanted}
        self._look(wanted, keywords)
        return {need.type: self._one(need, keywords) for need in wanted}

    def considered(self, need: RefNeed, keywords: Mapping[str, Any]) -> tuple[Considered, ...]:
        """Give all files of a type: the chosen one, others that fit, and those that do not."""
        if need.type not in self._read:
            self._look((need,), keywords)
        judged = [(fit(entry, need, keywords), entry) for entry in self._read[need.type]]
        fitting = sorted((p for p in judged if isinstance(p[0], Fit)), key=order, reverse=True)
        looked = [
            Considered(e.path.name, self._how(e, need) if not n else less(fitting[0], f, e), not n)
            for n, (f, e) in enumerate(fitting)
        ]
        others = [(found, entry) for found, entry in judged if isinstance(found, Misfit)]
        others.sort(key=lambda pair: (-pair[0].keys, pair[1].path.name))
        return (*looked, *(Considered(entry.path.name, why.why) for why, entry in others))

    def _look(self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]) -> None:
        types = {need.type.upper() for need in wanted}
        instrument = index.text(keywords.get("INSTRUME"))
        entries = [e for folder in self.folders for e in index.read(folder, types, instrument)]
        self._unreadable = [entry for entry in entries if not entry.readable]
        for need in wanted:
            name = need.type.upper()
            self._read[need.type] = [
                e
                for e in entries
                if e.value("REFTYPE") == name and e.value("INSTRUME") == instrument
            ]

    def _one(self, need: RefNeed, keywords: Mapping[str, Any]) -> Answer:
        judged = [(fit(entry, need, keywords), entry) for entry in self._read[need.type]]
        fitting = [(found, entry) for found, entry in judged if isinstance(found, Fit)]
        if not fitting:
            where = ", ".join(str(folder) for folder in self.folders)
            misfits = [f"{e.path.name}: {m.why}" for m, e in judged if isinstance(m, Misfit)]
            misfits += [f"{e.path.name}: not a readable FITS file" for e in self._unreadable]
            return Unknown(f"{where}: {'; '.join(misfits[:3]) or 'none of this type'}")
        _, entry = max(fitting, key=order)
        return Found(entry.path, f"keywords {self._how(entry, need)}")

    @staticmethod
    def _how(entry: index.Entry, need: RefNeed) -> str:
        how = ", ".join(f"{key}={entry.value(key)}" for key in need.keys if entry.value(key))
        return how or "of the instrument"


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

    def considered(self, need: RefNeed, keywords: Mapping[str, Any]) -> tuple[Considered, ...]:
        """Give the file that the header names."""
        answer = self._one(need, keywords)
        if isinstance(answer, Found):
            return (Considered(answer.path.name, answer.why, chosen=True),)
        name = str(keywords.get(need.keyword, "")).removeprefix("crds://").strip()
        return (Considered(name, answer.why),) if name not in ("", "N/A") else ()


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
    answers: dict[str, Answer] = {}
    for name, given in ask(specs, wanted, keywords, sources).items():
        reasons = [f"{asked.spec.name}: {asked.answer.why}" for asked in given]
        found = given[-1].answer if given else None
        answers[name] = Unknown("; ".join(reasons)) if isinstance(found, Unknown | None) else found
    return answers


@dataclass(frozen=True)
class Asked:
    """A source that was asked for one type.

    Attributes
    ----------
    spec : of the source
    selector : itself
    answer : for the type
    """

    spec: SelectorSpec
    selector: Selector
    answer: Found | NotApplicable | Unknown

    def considered(self, need: RefNeed, keywords: Mapping[str, Any]) -> tuple[Considered, ...]:
        """Give the files it looked at, if it can say."""
        explain = getattr(self.selector, "considered", None)
        if explain is None:
            return ()
        with _blamed(self.spec):
            return tuple(explain(need, keywords))


def ask(
    specs: Iterable[SelectorSpec],
    wanted: tuple[RefNeed, ...],
    keywords: Mapping[str, Any],
    sources: Sources,
) -> dict[str, list[Asked]]:
    """Ask the selectors in order of rank until one answers; as `select_all`, with all answers.

    Returns
    -------
    who was asked for each type, in order; the last of them may have answered
    """
    types = dict.fromkeys(need.type for need in wanted)
    for name in sources.overrides:
        if name not in types:
            raise UsageError(did_you_mean(name, types, "reference type in this pipeline"))
    asked: dict[str, list[Asked]] = {name: [] for name in types}
    for spec in specs if sources.lock is None else (LOCKED,):
        open_needs = tuple(
            need
            for need in wanted
            if (not spec.types or need.type in spec.types)
            and all(isinstance(before.answer, Unknown) for before in asked[need.type])
        )
        if not open_needs:
            continue
        selector, given = _asked(spec, sources, open_needs, keywords)
        for need in open_needs:
            answer = given.get(need.type, Unknown("no answer"))
            if isinstance(answer, Found):
                answer = replace(answer, selector=spec.name)
            asked[need.type].append(Asked(spec, selector, answer))
    return asked


def locate_all(
    specs: Iterable[SelectorSpec], names: Collection[str], sources: Sources
) -> dict[str, Found]:
    """Ask those selectors that know files by name where each is, or would be fetched to."""
    from heliodor.engine import load

    places: dict[str, Found] = {}
    for spec in specs:
        missing = [name for name in names if name not in places]
        with _blamed(spec):
            selector = load(spec.impl)
            if missing and hasattr(selector, "locate"):
                given = selector(sources).locate(missing)
                places |= {name: replace(at, selector=spec.name) for name, at in given.items()}
    return places


def _asked(
    spec: SelectorSpec,
    sources: Sources,
    wanted: tuple[RefNeed, ...],
    keywords: Mapping[str, Any],
) -> tuple[Selector, Mapping[str, Any]]:
    """Ask one selector."""
    from heliodor.engine import load

    selector = load(spec.impl)
    with _blamed(spec):
        made = selector(sources)
        given = dict(made.select(wanted, keywords))
        for kind, answer in given.items():
            if not isinstance(answer, Found | NotApplicable | Unknown):
                raise TypeError(f"its answer for {kind} is {answer!r}")
        return made, given


@contextmanager
def _blamed(spec: SelectorSpec) -> Iterator[None]:
    """Say of what goes wrong in a stranger's selector that it is his."""
    try:
        yield
    except HeliodorError:
        raise
    except (Exception, SystemExit) as error:
        from heliodor.plugins import registry

        raise PluginError(
            f"the selector {spec.name} of {registry().blame(spec.impl)} failed: "
            f"{type(error).__name__}: {error}. HELIODOR_PLUGINS leaves it out."
        ) from error
