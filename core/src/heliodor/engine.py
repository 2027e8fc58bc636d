"""Runs one step on one exposure: cuts the data into pieces and gives them to threads."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.declare import Note, Phase, StepSpec
from heliodor.errors import StepError
from heliodor.params import Params
from heliodor.step import Piece, References, Skipped, Step

if TYPE_CHECKING:
    from heliodor.references.files import Reference

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
    """

    status: Status
    reason: str = ""
    seconds: float = 0.0
    flagged: dict[str, int] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)


def load(path: str) -> Any:
    """Import what a dotted path (``package.module:Name``) names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


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


def execute(
    spec: StepSpec,
    data: Ramp | Product,
    params: Params,
    references: Mapping[str, Reference],
    *,
    threads: int = 1,
    strip: int = STRIP,
    progress: Callable[[float], None] = lambda done: None,
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
    progress : called with the finished fraction, 0 to 1
    """
    start = time.perf_counter()
    if isinstance(data, Ramp) and data.pixeldq.ndim == 3 and not spec.stripes:
        raise StepError(
            f"{spec.name} needs joined superstripes; refpix, which joins them, has not run"
        )
    step: Step = load(spec.impl)(params, threads)
    shape = data.shape
    answer = step.prepare(data, References(references))
    if isinstance(answer, Skipped):
        return _left_out(answer, time.perf_counter() - start)
    if isinstance(data, Ramp):
        # a flat subarray still gives every thread something to do
        height = min(strip, -(-data.shape[2] // (2 * threads)))
        for number, phase in enumerate(spec.phases):
            for note in phase.notes:
                setattr(step.notes, note.name, _note(note, data.shape))
            done = _Share(progress, number, len(spec.phases))
            method = partial(getattr(step, phase.name), data)
            _run_pieces(method, list(pieces(phase, data.shape, height)), threads, done)
    else:
        for phase in spec.phases:
            getattr(step, phase.name)(data)
    made = step.finish(data) or {}
    seconds = time.perf_counter() - start
    if isinstance(made, Skipped):
        return _left_out(made, seconds)
    if data.shape != shape and not spec.reshapes:
        raise StepError(f"{spec.name} changed the shape {shape} to {data.shape}, undeclared")
    return Outcome("COMPLETE", "", seconds, products=made)


def _left_out(answer: Skipped, seconds: float) -> Outcome:
    return Outcome("FAILED" if answer.failed else "SKIPPED", answer.reason, seconds)


@dataclass(frozen=True)
class _Share:
    """The part of a step's progress that one of its phases is."""

    progress: Callable[[float], None]
    number: int
    total: int

    def __call__(self, done: float) -> None:
        self.progress((self.number + done) / self.total)


def _run_pieces(
    method: Callable[[Piece], None], todo: list[Piece], threads: int, done: _Share
) -> None:
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


def _note(note: Note, shape: tuple[int, int, int, int]) -> np.ndarray:
    sizes = dict(zip("igyx", shape, strict=True))
    return np.zeros([sizes[axis] for axis in note.axes], note.dtype)
