"""Runs one step on one exposure: cuts the data into pieces and gives them to threads."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.declare import Note, Phase, StepSpec
from heliodor.errors import PluginError, StepError
from heliodor.params import Params
from heliodor.step import Members, Piece, References, Skipped, Step
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.plans import PlannedStep
    from heliodor.references.files import Reference
    from heliodor.services import Service

Status = Literal["COMPLETE", "SKIPPED", "FAILED"]

STRIP = 64
"""Rows in a piece; results do not depend on it."""


@dataclass
class Outcome:
    """What became of a step.

    Attributes
    ----------
    status : COMPLETE, SKIPPED or FAILED
    reason : why, unless COMPLETE
    seconds : wall time
    flagged : samples and pixels that got one of the step's bits, by bit name
    products : what the step made, by name; a run hands them on to their ports
    calls : steps that it has called, as they were planned, and what became of each
    members : names of the exposures, if it has looked at several
    """

    status: Status
    reason: str = ""
    seconds: float = 0.0
    flagged: dict[str, int] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    calls: list[tuple[PlannedStep, Outcome]] = field(default_factory=list)
    members: tuple[str, ...] = ()


def load(path: str) -> Any:
    """Import what a dotted path (``package.module:Name``, ``...:name.Attribute``) names.

    Raises
    ------
    heliodor.errors.PluginError
        It cannot be; names the plugin with its version, and the cause.
    """
    module, _, name = path.partition(":")
    try:
        return attrgetter(name)(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises
        from heliodor.plugins import registry

        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f"{registry().blame(path)}: {path} cannot be loaded: {cause}") from error


def pieces(phase: Phase, shape: tuple[int, int, int, int], strip: int) -> Iterator[Piece]:
    """Cut a ramp of `shape` (nints, ngroups, ny, nx) along the axes the phase leaves free."""
    nints, ngroups, ny, _ = shape
    strips = [(y, min(y + strip, ny)) for y in range(0, ny, strip)]
    match phase.looks:
        case "ramp":
            yield from (Piece(i, None, *rows) for i in range(nints) for rows in strips)
        case "frame":
            yield from (Piece(i, g, 0, ny) for i in range(nints) for g in range(ngroups))
        case "frames":
            yield from (Piece(i, None, 0, ny) for i in range(nints))
        case "pixels":
            yield from (Piece(None, None, *rows) for rows in strips)
        case _:
            yield Piece(None, None, 0, ny)


def unheard(done: float) -> None:
    """Tell nobody about progress."""


class Task:
    """A step on its way: begun, then called with pieces phase by phase, then ended.

    Parameters
    ----------
    spec : the step
    data : what it works on; arrays are changed in place
    params : its parameters
    references : its reference files by type
    threads : pieces worked on at once
    workspace : where its large arrays live
    inputs : earlier products that it reads
    services : steps that it calls

    Attributes
    ----------
    begun : it applies, and its phases may be called
    after : of a step that wraps another: it is past that one
    seconds : that it has worked so far
    flagged : what it has flagged so far, if somebody counts; see `heliodor.flags.count`
    """

    def __init__(
        self,
        spec: StepSpec,
        data: Ramp | Product | Members,
        params: Params,
        references: Mapping[str, Reference],
        threads: int = 1,
        workspace: Workspace = MEMORY,
        inputs: Mapping[str, Any] | None = None,
        services: Mapping[str, Service] | None = None,
    ):
        self.spec = spec
        self.data = data
        self.step: Step = load(spec.impl)(params, threads, workspace)
        self.step.inputs = inputs or {}
        self.step.services = services or {}
        self.threads = threads
        self.references = (
            references if isinstance(references, References) else References(references)
        )
        self.workspace = workspace
        self.begun = False
        self.after = False
        self.seconds = 0.0
        self.flagged: Any = 0
        self._left: Skipped | None = None
        self._shape = data.shape

    def begin(self) -> None:
        """Prepare the step; it has begun unless it does not apply."""
        start = time.perf_counter()
        if isinstance(self.data, Ramp) and self.data.pixeldq.ndim == 3 and not self.spec.stripes:
            raise StepError(
                f"{self.spec.name} needs joined superstripes; refpix, which joins them, has not run"
            )
        self._left = self.step.prepare(self.data, self.references)
        self.seconds += time.perf_counter() - start
        self.begun = self._left is None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Those that have something to do now."""
        return tuple(
            phase
            for phase in self.spec.phases
            if phase.name not in self.step.idle and phase.after == self.after
        )

    def start(self, phase: Phase) -> None:
        """Make the notes of a phase."""
        if isinstance(self.data, Ramp):
            for note in phase.notes:
                setattr(self.step.notes, note.name, _note(note, self.data.shape, self.workspace))

    def method(self, phase: Phase) -> Callable[[Piece], None]:
        """Give what is to be called with every piece."""
        return partial(getattr(self.step, phase.name), self.data)

    def work(self, strip: int = STRIP, progress: Callable[[float], None] = unheard) -> None:
        """Call the phases with all pieces, one phase after the other.

        Parameters
        ----------
        strip : rows in a piece; the result does not depend on it
        progress : called with the finished fraction, 0 to 1
        """
        start = time.perf_counter()
        if isinstance(self.data, Product):
            self.data.make_contiguous()
        phases = self.phases
        for number, phase in enumerate(phases):
            self.start(phase)
            if isinstance(self.data, Ramp):
                height = strip_height(self.data.shape, strip, self.threads)
                done = Share(progress, number / len(phases), 1 / len(phases))
                todo = list(pieces(phase, self.data.shape, height))
                run_pieces(self.method(phase), todo, self.threads, done)
            else:
                getattr(self.step, phase.name)(self.data)
        self.seconds += time.perf_counter() - start

    def end(self) -> Outcome:
        """Let the step finish, and say what became of it."""
        if self._left is not None:
            return _left_out(self._left, self.seconds)
        start = time.perf_counter()
        made = self.step.finish(self.data) or {}
        self.seconds += time.perf_counter() - start
        if isinstance(made, Skipped):
            return _left_out(made, self.seconds)
        shape = self.data.shape
        if shape != self._shape and not self.spec.reshapes:
            raise StepError(
                f"{self.spec.name} changed the shape {self._shape} to {shape}, undeclared"
            )
        return Outcome("COMPLETE", "", self.seconds, products=made)


def execute(
    spec: StepSpec,
    data: Ramp | Product,
    params: Params,
    references: Mapping[str, Reference],
    *,
    threads: int = 1,
    strip: int = STRIP,
    workspace: Workspace = MEMORY,
    progress: Callable[[float], None] = unheard,
    inputs: Mapping[str, Any] | None = None,
    services: Mapping[str, Service] | None = None,
) -> Outcome:
    """Run a step on `data`, in place.

    Parameters
    ----------
    spec : the step
    data : what it works on; arrays are changed in place
    params : its parameters
    references : its reference files by type
    threads : pieces worked on at once
    strip : rows in a piece; the result depends on neither
    workspace : where its large arrays live
    progress : called with the finished fraction, 0 to 1
    inputs : earlier products that it reads
    services : steps that it calls
    """
    task = Task(spec, data, params, references, threads, workspace, inputs, services)
    task.begin()
    if task.begun:
        task.work(strip, progress)
    return task.end()


def strip_height(shape: tuple[int, int, int, int], strip: int, threads: int) -> int:
    """Give the rows of a piece: also a flat subarray has something to do for every thread."""
    return min(strip, -(-shape[2] // (2 * threads)))


def _left_out(answer: Skipped, seconds: float) -> Outcome:
    return Outcome("FAILED" if answer.failed else "SKIPPED", answer.reason, seconds)


@dataclass(frozen=True)
class Share:
    """A part of the progress: of one of several phases, say."""

    progress: Callable[[float], None]
    start: float
    length: float

    def __call__(self, done: float) -> None:
        """Tell how much of this part is finished."""
        self.progress(self.start + done * self.length)


def run_pieces(
    method: Callable[[Piece], None], todo: list[Piece], threads: int, done: Share
) -> None:
    """Call a method with every piece, in threads; what one of them raises stops the rest."""
    if threads == 1 or len(todo) == 1:
        for count, piece in enumerate(todo, 1):
            method(piece)
            done(count / len(todo))
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = {pool.submit(method, piece) for piece in todo}
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                done(1 - len(waiting) / len(todo))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _note(note: Note, shape: tuple[int, int, int, int], workspace: Workspace) -> np.ndarray:
    sizes = dict(zip("igyx", shape, strict=True))
    return workspace.zeros(tuple(sizes[axis] for axis in note.axes), note.dtype)
