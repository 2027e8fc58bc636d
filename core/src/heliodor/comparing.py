"""Holds that a step gives the same however it is carried out: in any pieces, and on scratch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from heliodor import scratch
from heliodor.data import Product, Ramp
from heliodor.engine import STRIP, Outcome
from heliodor.together import Convoy, begin
from heliodor.trial import Exposures, Trial, each_of, planes_of

if TYPE_CHECKING:
    from heliodor.engine import Task
    from heliodor.workspace import Workspace

THREADS = (1, 2, 8)
STRIPS = (1, 7, 64, 1_000_000)
"""Heights of pieces [rows]; the last takes arrays whole."""

ROOMS = (0, 1_000_000_000)
"""Memory for rows of a ramp on scratch [bytes]: for one row at a time, and for all of them."""


def same_in_pieces(trial: Trial, exposure: Exposures) -> tuple[Any, Outcome]:
    """Hold that the number of threads and the height of pieces change nothing.

    Parameters
    ----------
    trial : of the step
    exposure : that it is run on; not changed

    Returns
    -------
    a copy of the exposure as the step leaves it, and its outcome

    Raises
    ------
    AssertionError
        An array, a keyword, or the status is not the same; the message says which.
    """
    first, expected = None, {}
    for threads, strip in product(THREADS, STRIPS):
        result = deepcopy(exposure)
        outcome = trial.run(result, threads, strip)
        found = _everything(result, outcome)
        if first is None:
            first, expected = (result, outcome), found
        different = _different(expected, found)
        assert not different, (
            f"{trial.spec.name} with {threads} threads and {strip} rows differs from one thread "
            f"and {STRIPS[0]} row: {', '.join(different)}"
        )
    assert first is not None
    return first


def same_on_scratch(trial: Trial, exposure: Exposures) -> None:
    """Hold that a step gives on scratch what it gives in memory; as `same_in_pieces`."""
    result = deepcopy(exposure)
    expected = _everything(result, trial.run(result, 1, STRIP))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(mock.patch.object(scratch, "SMALL", 1))
        for threads, room in product(THREADS, ROOMS):
            with scratch.Scratch(folder, limit=10 << 30, threads=threads) as workspace:
                result = deepcopy(exposure)
                for one in each_of(result):
                    _move(one, workspace)
                found = _everything(result, _run(trial, result, threads, workspace, room))
            different = _different(expected, found)
            assert not different, (
                f"{trial.spec.name} on scratch, with {threads} threads and room for {room} bytes, "
                f"differs from memory: {', '.join(different)}"
            )


def _move(exposure: Ramp | Product, workspace: Workspace) -> None:
    """Put a ramp where the arrays of a workspace live."""
    if isinstance(exposure, Product):
        return
    for name in ("data", "groupdq", "zeroframe"):
        array = getattr(exposure, name)
        if array is not None:
            copy = workspace.empty(array.shape, array.dtype)
            copy[:] = array
            setattr(exposure, name, copy)


def _run(
    trial: Trial, exposure: Exposures, threads: int, workspace: scratch.Scratch, room: int
) -> Outcome:
    """Carry out a step as a run does whose ramps are on scratch."""
    task = trial.task(exposure, threads, STRIP, workspace)
    # steps that wrap others or read products never go through the ramp together with others
    if isinstance(exposure, Ramp) and not (trial.spec.wraps or trial.spec.reads):
        _begin_early(task, exposure)
    else:
        task.begin()
    if task.begun:
        for _ in trial.halves(task):
            if isinstance(exposure, Ramp):
                Convoy([task], exposure, workspace, threads, STRIP, room).run()
            else:
                task.work()
    return trial.ended(task)


def _begin_early(task: Task, ramp: Ramp) -> None:
    """Begin a step while planes that its `prepare` does not read still hold something else."""
    planes = ("data", "groupdq", "pixeldq", "zeroframe")
    unread = [
        array
        for name in planes
        if name not in task.spec.prepare_reads and (array := getattr(ramp, name)) is not None
    ]
    kept = [array.copy() for array in unread]
    for array in unread:
        array.fill(0 if array is ramp.pixeldq else 255)
    begin(task, ramp)
    for array, values in zip(unread, kept, strict=True):
        # what is flagged in PIXELDQ stays
        np.copyto(array, array | values if array is ramp.pixeldq else values)


def _different(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    names = {**expected, **found}
    return [name for name in names if expected.get(name) != found.get(name)]


def _everything(exposure: Exposures, outcome: Outcome) -> dict[str, Any]:
    """Give all that a step can change or make, by name; arrays as bytes."""
    found: dict[str, Any] = {"status": (outcome.status, outcome.reason)}
    exposures = each_of(exposure)
    for number, one in enumerate(exposures, 1):
        whose = f"exposure_{number} " if len(exposures) > 1 else ""
        for name, value in one.keywords.changed.items():
            found[f"{whose}keyword {name}"] = repr(value)
        for name, array in planes_of(one).items():
            found[f"{whose}{name}"] = _content(array)
    for kind, made in outcome.products.items():
        for name, plane in made.planes.items():
            found[f"{kind} {name}"] = _content(plane)
    return found


def _content(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.str, array.shape, array.tobytes()
