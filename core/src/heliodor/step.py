"""What a step is: a class whose methods are called with pieces of the data, or a function.

The engine makes one instance for one exposure, calls `Step.prepare` once, each declared phase
with every piece (in threads), and `Step.finish` once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, overload

from heliodor.errors import StepError
from heliodor.params import Params
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.data import Product, Ramp
    from heliodor.declare import Look, RefNeed, StepSpec
    from heliodor.references.files import Reference
    from heliodor.services import Service

P = TypeVar("P", bound=Params)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a ramp that one call of a phase may change.

    Attributes
    ----------
    integration : index, or None when the piece holds all integrations
    group : index, or None when it holds all groups
    row_start, row_stop : rows ``row_start <= y < row_stop``

    Notes
    -----
    What the phase looks at (`heliodor.declare.Look`) decides which of the two are indices; their
    type cannot say it, and is left open so that a method need not ask for what it knows.
    """

    integration: Any
    group: Any
    row_start: int
    row_stop: int

    @property
    def rows(self) -> slice:
        """The rows, as an index."""
        return slice(self.row_start, self.row_stop)


@dataclass(frozen=True, slots=True)
class Skipped:
    """What `prepare` returns when the step does not apply, and why.

    `finish` returns it when that turned out later; then no phase has changed anything.

    Attributes
    ----------
    reason : for tables and receipts
    failed : it was asked for and cannot be done; recorded as FAILED, and the run goes on
    """

    reason: str
    failed: bool = False


class References(Mapping[str, "Reference"]):
    """The reference files of a step, by type.

    Attributes
    ----------
    none : types of which it is known that no file applies: the user has said ``N/A``, or a source
    """

    def __init__(self, files: Mapping[str, Reference], none: Iterable[str] = ()):
        self._files = dict(files)
        self.none = frozenset(none)

    def __getitem__(self, name: str) -> Reference:
        return self._files[name]

    def __iter__(self):
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclass
class Member:
    """One of several exposures that a step looks at.

    Attributes
    ----------
    name : of its file, without suffix
    data : what the step works on; changes are written back by making them
    inputs : earlier products that the step declares to read, by name
    references : its reference files
    products : what the step makes for it, by name; filled by the step
    """

    name: str
    data: Any
    inputs: Mapping[str, Any]
    references: References
    products: dict[str, Product]


class Members(tuple[Member, ...]):
    """Exposures that a step looks at together, in the order of their names."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each."""
        return tuple(member.data.shape for member in self)


class Step(Generic[P]):
    """Base of all steps.

    A phase declared as ``Phase("subtract", looks="ramp", writes=("data",))`` is a method
    ``subtract(self, ramp, piece)``.  It is called from several threads at once, with pieces that
    do not overlap, and changes only the planes it declared, only inside its piece.  It may read
    beyond its piece only what no piece of that phase writes.  PIXELDQ is shared by all
    integrations: it may be changed in `prepare`, `finish`, and phases that look at ``pixels`` or
    ``exposure``.  Of notes that an earlier phase has finished it may read other rows if it says so
    (`heliodor.declare.Phase.reaches`).

    A step whose scope is more than one exposure gets `Members` instead of a ramp, and each phase is
    called once, ``phase(self, members)``.

    Attributes
    ----------
    params : the step's parameters
    notes : planes declared by its phases, and whatever else one phase leaves for the next
    idle : names of phases that have nothing to do with this exposure; set by `prepare`
    threads : how many threads the run has, for phases that do their own division
    workspace : gives arrays that grow with the exposure (``self.workspace.empty(shape, dtype)``)
    inputs : earlier products that the step declares to read, by name; not to be changed
    log : logger of the step
    """

    Params: ClassVar[type[Params]] = Params

    def __init__(self, params: P, threads: int = 1, workspace: Workspace = MEMORY):
        self.params = params
        self.notes: Any = SimpleNamespace()
        self.idle: tuple[str, ...] = ()
        self.threads = threads
        self.workspace = workspace
        self.inputs: Mapping[str, Any] = {}
        self.services: Mapping[str, Service] = {}
        self.log = logging.getLogger(type(self).__module__)

    def call(self, name: str, data: Ramp | Product, **parameters: Any) -> Any:
        """Do another step, quietly; the receipt names it under this one.

        Not from a phase that is called in threads: from `prepare`, `finish`, and phases that look
        at ``exposure``.

        Parameters
        ----------
        name : of a step that the declaration lists in ``calls``
        data : what it works on; not changed
        **parameters : of that step

        Returns
        -------
        its products by name, if it makes any, or else a changed copy of `data`, which shares the
        planes that the step leaves alone

        Raises
        ------
        heliodor.errors.StepError
            The step is not declared in ``calls``, or does not apply to these data.
        """
        if name not in self.services:
            raise StepError(f"calls {name}, which its declaration does not list in `calls`")
        return self.services[name](data, **parameters)

    def prepare(self, data: Any, refs: References) -> Skipped | None:
        """Look at keywords, parameters and references once, before the first phase.

        Parameters
        ----------
        data : the `Ramp` (or `Product`, for steps that take images)
        refs : reference files, already found; an optional one that is missing is not in it

        Returns
        -------
        `Skipped` with a reason if there is nothing to do, else None
        """
        return None

    def finish(self, data: Any) -> dict[str, Product] | Skipped | None:
        """Set keywords after the last phase; return products if the step declares ``makes``.

        `Skipped` says that there was nothing to do after all.
        """
        return None


@overload
def step(given: Function, /) -> Function: ...
@overload
def step(given: StepSpec, /) -> Callable[[Function], Function]: ...
@overload
def step(
    *,
    looks: Look = ...,
    writes: str | Iterable[str] = ...,
    title: str = ...,
    when: Mapping[str, Any] = ...,
    references: str | RefNeed | Iterable[str | RefNeed] = ...,
    takes: Literal["ramp", "image"] = ...,
    status: str = ...,
    sets_bits: Iterable[str] = ...,
    version: str = ...,
) -> Callable[[Function], Function]: ...
def step(given: Any = None, /, **declared: Any) -> Any:
    """Make a step of a function on arrays; the function stays what it is.

    Its arguments say what it is given, and its keyword-only arguments are the step's parameters,
    with their defaults; `heliodor.params.parameter` in an ``Annotated`` says range and unit.  It
    changes arrays in place, or returns the new one, or several by name.  It may return `Skipped`.

    ====================================================  =========================================
    an argument                                           is
    ====================================================  =========================================
    ``data``, ``groupdq``, ``pixeldq``, ``zeroframe``     planes of a ramp
    ``data``, ``err``, ``dq``, ``var_poisson`` ...        planes of a product of slopes
    a reference type (``gain``)                           its image, cut to the exposure; the open
                                                          file if it is annotated as `Reference`
    ``keywords``                                          header keywords; may be set where the
                                                          step looks at the whole exposure
    ``piece``, ``log``                                    the bounds of the piece; a logger
    ====================================================  =========================================

    Parameters
    ----------
    given : the function, or the step's declaration made elsewhere
    looks : what a piece must hold whole, see `heliodor.declare.Look`; the exposure by default.  An
        argument has the axes that it sees whole: ``data`` is (ny, nx) for ``frame``, (ngroups, ny,
        nx) for ``ramp`` and ``frames``, and has all four for ``pixels`` and ``exposure``
    writes : planes that it changes; by default all it is given.  The others are read-only
    title : one line for lists; the first of the docstring by default
    when : condition for running it, as in a pipeline: ``{"instrument": "NIRCAM"}``
    references : types of references of its own, or what says how they are found, a `RefNeed`
    takes : ``ramp`` or ``image``, where the arguments do not say
    status : keyword that records the outcome; made from the name by default
    sets_bits : data quality bits it may set
    version : of the algorithm; goes into the receipt

    Examples
    --------
    >>> @step(looks="frame", writes="data")
    ... def destripe(data, *, strength: float = 1.0):
    ...     return data - strength * data.mean(axis=1, keepdims=True)
    """

    def decorate(function: Function) -> Function:
        from heliodor.functions import attach

        attach(function, None if callable(given) else given, **declared)
        return function

    return decorate(given) if callable(given) else decorate
