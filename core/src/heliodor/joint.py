"""Several exposures that are run together, because a step looks at all of them.

Each is brought to such a step, which is carried out once, and then all go on.  Their ramps or
images are held in the meantime: in memory, or with ``--max-memory`` on scratch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from heliodor import planning
from heliodor.engine import Outcome, Task
from heliodor.errors import HeliodorError, StepError, UsageError
from heliodor.observers import Observer
from heliodor.plans import Plan, PlannedStep
from heliodor.references import prefetch
from heliodor.results import Result
from heliodor.running import Run
from heliodor.services import services
from heliodor.step import Members


def whole_exposure(name: str) -> str:
    """Name the exposure that a segment belongs to.

    Examples
    --------
    >>> whole_exposure("jw01366002001_04101_00001-seg003_nrs1")
    'jw01366002001_04101_00001_nrs1'
    """
    return re.sub(r"-seg\d+", "", name)


def batches(plans: Iterable[Plan]) -> list[list[Plan]]:
    """Divide exposures into those that must be run together.

    Parameters
    ----------
    plans : of all of them

    Returns
    -------
    lists of plans; an exposure whose steps look at no other has one for itself
    """
    found: dict[object, list[Plan]] = {}
    plans = list(plans)
    all_of_them = any("association" in plan.scopes for plan in plans)
    for plan in plans:
        key: object = id(plan)
        if all_of_them and plan.scopes & {"association", "segments"}:
            key = "association"
        elif "segments" in plan.scopes:
            key = whole_exposure(plan.exposure.rootname)
        found.setdefault(key, []).append(plan)
    return list(found.values())


def counted(batch: list[Plan]) -> list[Plan]:
    """Plan exposures of a batch again, knowing how many are in memory at a time."""
    if len(batch) == 1:
        return batch
    return [
        planning.plan(each.exposure.path, replace(each.request, together=len(batch)))
        for each in batch
    ]


def run_all(
    plans: Sequence[Plan], *, save: bool = True, observer: Observer | None = None
) -> list[Result | HeliodorError]:
    """Carry out plans of exposures that are run together.

    One that fails is missing from then on, and does not stop the others; a step that looks at
    several and fails ends them all.

    Parameters
    ----------
    plans : a batch, see `batches`
    save, observer : as for `heliodor.running.run`

    Returns
    -------
    result of each exposure, or why it has none

    Raises
    ------
    heliodor.errors.ReferenceError
        A reference file could not be fetched; no exposure was begun.
    """
    observer = observer or Observer()
    prefetch.for_plans(plans, observer)
    exposures = [_Exposure(Run(plan, save, observer)) for plan in plans]
    try:
        for exposure in exposures:
            exposure.go_on()
        while waiting := [exposure for exposure in exposures if exposure.step]:
            _carry_out(_complete(waiting, exposures))
    finally:
        for exposure in exposures:
            exposure.steps.close()
    return [exposure.error or exposure.run.result for exposure in exposures]


class _Exposure:
    """One of several exposures on their way.

    Attributes
    ----------
    run : its run
    step : that it waits for, to be carried out with others; None: it has ended
    ahead : titles of such steps that it has not had yet
    error : why it has failed
    """

    def __init__(self, run: Run):
        self.run = run
        self.steps = run.carry_out()
        self.step: PlannedStep | None = None
        self.ahead = {step.title for step in run.plan.steps if step.runs and step.joint}
        self.error: HeliodorError | None = None

    @property
    def name(self) -> str:
        """Of its file, without suffix."""
        return self.run.plan.exposure.rootname

    def go_on(self, error: HeliodorError | None = None) -> None:
        """Go on to the next step that looks at several exposures, or fail."""
        try:
            self.step = next(self.steps) if error is None else self.steps.throw(error)
        except StopIteration:
            self.step = None
        except HeliodorError as failure:
            self.step, self.error = None, failure
        if self.step is None:
            self.ahead = set()


def _complete(waiting: Sequence[_Exposure], exposures: Sequence[_Exposure]) -> list[_Exposure]:
    """Find exposures that wait for the same step, such that no other has it ahead."""
    for one in waiting:
        assert one.step is not None
        title, segments = one.step.title, one.step.spec.scope == "segments"
        group = [
            other
            for other in exposures
            if title in other.ahead
            and not (segments and whole_exposure(other.name) != whole_exposure(one.name))
        ]
        if all(other.step is not None and other.step.title == title for other in group):
            return sorted(group, key=lambda each: each.name)
    said = "; ".join(f"{one.name} for {one.step.title}" for one in waiting if one.step)
    raise StepError(f"these exposures wait for each other, their pipelines differ: {said}")


def _carry_out(exposures: list[_Exposure]) -> None:
    """Carry out the step that some exposures wait for, and let them go on."""
    first = exposures[0]
    runs = [exposure.run for exposure in exposures]
    steps = [exposure.step for exposure in exposures if exposure.step is not None]
    for run, step in zip(runs, steps, strict=True):
        run.started(step)
    error: HeliodorError | None = None
    try:
        with first.run.blame(steps[0]):
            outcome = _outcome(runs, steps)
    except HeliodorError as failure:
        error = failure
    for exposure, run, step in zip(exposures, runs, steps, strict=True):
        exposure.ahead.discard(step.title)
        if error is None:
            run.ended(step, run.counted(step, replace(outcome, products=run.made)))
        exposure.go_on(error)


def _outcome(runs: Sequence[Run], steps: Sequence[PlannedStep]) -> Outcome:
    first, request = steps[0], runs[0].plan.request
    for run, step in zip(runs, steps, strict=True):
        if step.params != first.params:
            raise UsageError(
                f"its parameters differ between {runs[0].plan.exposure.path.name} and "
                f"{run.plan.exposure.path.name}, and it looks at both"
            )
    with ExitStack() as stack:
        members = Members(run.member(step, stack) for run, step in zip(runs, steps, strict=True))
        workspace = runs[0].workspace
        called = services(first.calls, runs[0].files, request.threads, request.strip, workspace)
        task = Task(
            first.spec,
            members,
            first.params,
            members[0].references,
            request.threads,
            workspace,
            services=called,
        )
        task.begin()
        if task.begun:
            task.work(request.strip)
        outcome = task.end()
    for service in called.values():
        outcome.calls += service.calls()
    members[0].products.update(outcome.products)
    outcome.products = {}
    outcome.members = tuple(member.name for member in members)
    for run, member in zip(runs, members, strict=True):
        run.made = member.products
    return outcome
