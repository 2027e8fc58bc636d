"""What a plugin declares: plain records of strings and tuples.

Nothing here imports NumPy or pydantic, so that a plugin is declared in about a millisecond;
whatever is heavy is named by a dotted path (``"package.module:Name"``) and loaded at first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Look = Literal["ramp", "frame", "frames", "pixels", "exposure", "association"]
"""Which axes a phase must see whole.

==============  ==============================================================
``ramp``        the groups of one pixel in one integration
``frame``       one group's image
``frames``      one integration
``pixels``      all integrations and groups of one pixel
``exposure``    the whole product
``association`` all members
==============  ==============================================================
"""

PLANES = ("data", "groupdq", "pixeldq", "zeroframe")
"""Planes of a ramp."""

Keywords = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """Header keywords and the values they may have; empty: everything.

    The value ``*`` stands for all: the keyword must be there.

    Examples
    --------
    >>> nirspec = Match({"INSTRUME": ("NIRSPEC",)})
    >>> irs2 = Match({"INSTRUME": ("NIRSPEC",), "READPATT": ("NRSIRS2", "NRSIRS2RAPID")})
    >>> irs2.within(nirspec), nirspec.within(irs2)
    (True, False)
    >>> irs2.accepts({"INSTRUME": "NIRSPEC", "READPATT": "NRSRAPID"})
    False
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def accepts(self, keywords: Keywords) -> bool:
        """Whether an exposure with these `keywords` is meant."""
        return all(
            str(keywords.get(name, "")).upper() in allowed
            or ("*" in allowed and keywords.get(name) is not None)
            for name, allowed in self.keywords.items()
        )

    def within(self, other: Match) -> bool:
        """Whether everything accepted here is accepted by `other` as well."""
        return all(
            name in self.keywords and ("*" in allowed or set(self.keywords[name]) <= set(allowed))
            for name, allowed in other.keywords.items()
        )


ANY = Match()


@dataclass(frozen=True, slots=True)
class Note:
    """A plane that one phase hands to the next; the engine makes it and counts its memory.

    Attributes
    ----------
    name : the attribute of `Step.notes` it becomes
    axes : its axes, of ``i`` (integrations), ``g`` (groups), ``y``, ``x``
    dtype : NumPy's name of its type; it starts filled with zeros
    """

    name: str
    axes: str
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Phase:
    """One traversal of the data by a step.

    Attributes
    ----------
    name : the method of the step that is called with each piece
    looks : what a piece must hold whole, see `Look`
    writes : planes changed in place: of ``data``, ``groupdq``, ``pixeldq``, ``zeroframe``
    notes : planes made for this and later phases of the step
    reaches : where else it reads what earlier phases have left: in other ``rows``, or in another
        ``integration``
    after : of a step that wraps another: it is called after that one, and all others before
    """

    name: str
    looks: Look
    writes: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    reaches: tuple[Literal["integration", "rows"], ...] = ()
    after: bool = False


@dataclass(frozen=True, slots=True)
class RefNeed:
    """A reference file type that a step needs.

    Attributes
    ----------
    type : the operational name (``gain``, ``readnoise``)
    keys : keywords by which the right file is told from others of its type
    optional : a missing file is no error; the step sees None
    when : exposures it is needed for
    options : parameters of the step that ask for it, one is enough, by being true or by a value
        (``refpix_algorithm=sirs``); none: it always is needed
    unless : parameter of the step that takes its place when it is given
    exact : a file for FULL does not serve a subarray: there is nothing in it to be cut
    planes : two-dimensional planes held in memory while the step runs (for the plan)
    header : keyword that records the file in products; made from the type unless given
    """

    type: str
    keys: tuple[str, ...] = ("DETECTOR", "SUBARRAY")
    optional: bool = False
    when: Match = ANY
    options: tuple[str, ...] = ()
    unless: str = ""
    exact: bool = False
    planes: int = 1
    header: str = ""

    def asked(self, keywords: Keywords, params: Any) -> bool:
        """Whether an exposure with these `keywords` needs it, given the step's parameters."""
        wanted = not self.options or any(_chosen(params, option) for option in self.options)
        if self.unless and getattr(params, self.unless) is not None:
            return False
        return wanted and self.when.accepts(keywords)

    @property
    def keyword(self) -> str:
        """Keyword that records the file (``R_READNO``)."""
        return self.header or f"R_{self.type.upper()[:6]}"


@dataclass(frozen=True, slots=True)
class Part:
    """Something that every reference file of a type holds; ``heliodor refs check`` looks for it.

    Attributes
    ----------
    name : of the extension, or of the entry of an ASDF tree; ``a|b``: one of them
    axes : of an array, a letter each: ``y`` and ``x`` are the detector's, and every other letter
        has one length in a file (``nyx``); ``yx|nyx`` allows both; empty: not an array
    columns : of a table; ``a|b``: one of them
    units : that BUNIT may have; empty: any
    nan : where values may be missing: nowhere, where DQ of the file says something, or anywhere,
        because the steps take that for the mark of a bad pixel
    optional : need not be there
    """

    name: str
    axes: str = ""
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    nan: Literal["never", "flagged", "marks"] = "flagged"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ReferenceType:
    """What the reference files of one type hold.

    Attributes
    ----------
    type : the operational name (``gain``)
    parts : what is in them
    applies : files it is said of, by their own keywords; of several, the most specific counts
    """

    type: str
    parts: tuple[Part, ...]
    applies: Match = ANY


def _chosen(params: Any, option: str) -> bool:
    """Whether a parameter is true, or has the value after ``=``."""
    name, equals, value = option.partition("=")
    given = getattr(params, name)
    return str(given) == value if equals else bool(given)


@dataclass(frozen=True, slots=True)
class Output:
    """A product that a step makes.

    Attributes
    ----------
    name : as documents and file names call it (``rateints``)
    axes : of its planes, of ``i`` (integrations), ``y``, ``x``
    planes : how many, four bytes a pixel each (for the plan)
    option : parameter of the step that asks for it; empty: always made
    in_place : the step can put it into the memory of the ramp, if that has as many groups as this
        has planes, and if the step makes nothing optional
    """

    name: str
    axes: str = "yx"
    planes: int = 5
    option: str = ""
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One implementation of a calibration step.

    Attributes
    ----------
    name : operational name of the step (``refpix``); several implementations may share it
    impl, params : dotted paths of the `heliodor.step.Step` and its `heliodor.params.Params`
    summary : one line for lists
    applies : exposures this implementation is for
    phases : how it looks at the data, in order
    refs : reference types it may ask for
    status : keyword that records the outcome (``S_REFPIX``); at most 8 letters
    sets_bits : data quality bits it may set
    takes : what it works on, ``ramp`` or ``image`` (any product of slopes)
    scope : how many exposures it looks at: one, all segments of one, or all that are run together;
        beyond one, its phases look at ``association``
    reads : earlier products it needs beside what it works on (``rate``); it finds them in
        `heliodor.step.Step.inputs`, and is left out where there are none
    calls : steps that it asks for by `heliodor.step.Step.call`
    makes : the products a step gives instead of changing its input in place
    reshapes : it changes the shape of the ramp
    stripes : it can work on superstripes that are not joined yet, see `heliodor.data.Ramp`
    in_memory : it holds the whole exposure in memory, so that it cannot be done where a limit of
        memory does not leave room for that
    adds : planes (ny, nx) it leaves with the ramp (for the plan)
    prepare_reads : planes of the ramp whose values its `prepare` reads; it may be called while
        earlier steps are still changing others
    version : of the algorithm; goes into the receipt
    """

    name: str
    impl: str
    params: str
    summary: str
    status: str
    applies: Match = ANY
    phases: tuple[Phase, ...] = ()
    refs: tuple[RefNeed, ...] = ()
    sets_bits: tuple[str, ...] = ()
    takes: Literal["ramp", "image"] = "ramp"
    scope: Literal["exposure", "segments", "association"] = "exposure"
    reads: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    makes: tuple[Output, ...] = ()
    reshapes: bool = False
    stripes: bool = False
    in_memory: bool = False
    adds: int = 0
    prepare_reads: tuple[str, ...] = PLANES
    version: str = "1"

    @property
    def wraps(self) -> bool:
        """Whether it is for being wrapped around another step."""
        return any(phase.after for phase in self.phases)

    @property
    def writes(self) -> frozenset[str]:
        """Planes of a ramp that it changes."""
        if self.reshapes:
            return frozenset(PLANES)
        return frozenset(plane for phase in self.phases for plane in phase.writes)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a mode's detector array is read out and laid out.

    Attributes
    ----------
    full : (nx, ny) of the whole detector
    outputs : amplifiers read in parallel in full frame
    planes : extensions of the raw file beside SCI that take part (``ZEROFRAME``)
    striped_from_edge : subarrays whose stripes are counted from the detector's first line,
        whatever SUBSTRT says
    joined_to_full : subarrays whose superstripes are joined to the detector's whole length,
        instead of the lines they hold
    ramp : the `stdatamodels.jwst.datamodels` class of its ramps
    """

    full: tuple[int, int] = (2048, 2048)
    outputs: int = 4
    planes: tuple[str, ...] = ()
    striped_from_edge: tuple[str, ...] = ()
    joined_to_full: tuple[str, ...] = ()
    ramp: str = "RampModel"


@dataclass(frozen=True, slots=True)
class Resource:
    """A file shipped inside a package: ``Resource("heliodor_nircam", "simulation.yaml")``."""

    package: str
    path: str


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """An instrument mode.

    Attributes
    ----------
    name : short and unique, lower case with dashes (``nircam-imaging``)
    title : as the observatory's documentation calls it
    instrument : value of INSTRUME
    match : keywords by which an exposure of it is recognised
    pipelines : pipeline name per stage, ``{1: "calwebb_detector1"}``
    providers : distributions whose steps and pipelines it is made of, beside its own
    layout : of its detector
    simulation : figures the simulator needs, or None
    detectors : values of DETECTOR that its instrument has
    """

    name: str
    title: str
    instrument: str
    match: Match
    pipelines: Mapping[int, str] = field(default_factory=dict)
    providers: tuple[str, ...] = ()
    layout: Layout = Layout()
    simulation: Resource | None = None
    detectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the modes of one instrument have in common.

    Attributes
    ----------
    name : value of INSTRUME; in lower case the first part of its modes' names
    title : as people write it
    providers : distributions whose steps and pipelines its modes are made of
    layout : of its detectors
    simulation : figures the simulator needs, with a section for each mode that can be simulated
    detectors : values of DETECTOR
    """

    name: str
    title: str
    providers: tuple[str, ...] = ()
    layout: Layout = Layout()
    simulation: Resource | None = None
    detectors: tuple[str, ...] = ()

    def mode(
        self,
        name: str,
        title: str,
        exp_types: tuple[str, ...],
        pipelines: tuple[str, ...],
    ) -> ModeSpec:
        """Declare a mode that is recognised by EXP_TYPE.

        Parameters
        ----------
        name, title : without the instrument's
        exp_types : values of EXP_TYPE
        pipelines : of stage 1, 2, 3; as many as there are
        """
        return ModeSpec(
            name=f"{self.name.lower()}-{name}",
            title=f"{self.title} {title}",
            instrument=self.name,
            match=Match({"INSTRUME": (self.name,), "EXP_TYPE": exp_types}),
            pipelines=dict(enumerate(pipelines, 1)),
            providers=self.providers,
            layout=self.layout,
            simulation=self.simulation,
            detectors=self.detectors,
        )


@dataclass(frozen=True, slots=True)
class SelectorSpec:
    """A source of reference files.

    Attributes
    ----------
    name : for messages and receipts
    rank : lower is asked first; two of one rank are an error, unless they are for other types
    impl : dotted path of a class with the methods of `heliodor.references.selectors.Selector`
    types : reference types it is asked for; empty: all
    """

    name: str
    rank: int
    impl: str
    types: tuple[str, ...] = ()

    def rivals(self, other: SelectorSpec) -> bool:
        """Whether some type is for both."""
        return not (self.types and other.types) or bool({*self.types} & {*other.types})


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """Something that changes reference files, where a pipeline asks for it.

    Attributes
    ----------
    name : that pipelines ask for
    types : reference types that it can change
    impl : dotted path of a function ``change(path, keywords, folder)`` of the file, the exposure's
        keywords, and a folder for new files; it gives the path of another file, or arrays by
        extension that take the place of those in the file
    version : of the algorithm; goes into the receipt
    """

    name: str
    types: tuple[str, ...]
    impl: str
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Member:
    """A role in an association: which exposures may take it, and whether one must."""

    role: str
    match: Match
    required: bool = False


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """How exposures are put together for one product of stage 2 or 3.

    Attributes
    ----------
    name : operational name (``Asn_Lv3Image``)
    level : 2 or 3
    asn_type : value of ``asn_type`` in the association file
    pipeline : the pipeline that takes it
    members : roles
    same : keywords that all members share
    product : name of the product, with the fields of `same` in braces
    valid : dotted path of a predicate on the finished group, or None
    """

    name: str
    level: int
    asn_type: str
    pipeline: str
    members: tuple[Member, ...]
    same: tuple[str, ...] = ()
    product: str = ""
    valid: str | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """Names of steps that no plugin can list: ``SCHEME:REST``, where the rest says which.

    Attributes
    ----------
    name : the word before the colon (``stpipe``)
    help : a line that says what comes after it
    impl : dotted path of a function ``resolve(rest, instead_of)`` that returns a `StepSpec`;
        ``instead_of`` is the declared implementation it stands in for (``use:``), or None
    """

    name: str
    help: str
    impl: str


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command of ``heliodor``: its name, a line of help, and a dotted path.

    The path names a module-level function ``configure(parser)`` that adds arguments to an
    `argparse.ArgumentParser` and sets its default ``run`` to a function of the namespace that
    returns an exit code.
    """

    name: str
    help: str
    impl: str
