"""Carrying out a plan: steps in order, products written, everything recorded."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from heliodor import exposures, products
from heliodor.data import Product, Ramp
from heliodor.documents.nodes import MAIN
from heliodor.engine import Outcome, Task
from heliodor.errors import (
    Abandoned,
    HeliodorError,
    OutputError,
    StepError,
)
from heliodor.flags import PLANES, FlagCounter, named
from heliodor.kernels import watched
from heliodor.observers import Observer
from heliodor.plans import Plan, PlannedCopy, PlannedSave, PlannedStep
from heliodor.plugins import registry
from heliodor.products.folder import check_folder
from heliodor.recording import provenance, tell
from heliodor.references.changed import ReferenceFiles
from heliodor.results import Result
from heliodor.scratch import Scratch
from heliodor.services import Files, opened, services
from heliodor.step import Member
from heliodor.together import Broken, Convoy, begin
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.products import Provenance

log = logging.getLogger(__name__)


def run(plan: Plan, *, save: bool = True, observer: Observer | None = None) -> Result:
    """Carry out a plan.

    Parameters
    ----------
    plan : of one exposure
    save : write the products; otherwise they are kept in memory
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.ReferenceError
        A reference is missing; nothing has been read yet.
    heliodor.errors.StepError
        A step failed; names the step and the exposure.
    heliodor.errors.OutputError
        A product cannot be written; no part of it is left behind.
    """
    from heliodor.joint import run_all

    (result,) = run_all([plan], save=save, observer=observer)
    if isinstance(result, HeliodorError):
        raise result
    return result


def _refuse_own_input(plan: Plan) -> None:
    for save in plan.saves:
        if save.path.exists() and save.path.samefile(plan.exposure.path):
            raise OutputError(
                f"{save.path}: this product would replace the exposure it is made from. "
                "Choose another folder with --out."
            )


class Run:
    """One plan being carried out.

    Attributes
    ----------
    plan, save, observer : as for `run`
    result : as far as it has come
    workspace : where its large arrays live
    made : products of a step that looks at several exposures, for this one
    """

    def __init__(self, plan: Plan, save: bool, observer: Observer):
        self.plan = plan
        self.save = save
        self.observer = observer
        self.result = Result(plan)
        self.facts = dict(plan.facts)
        self.status: dict[str, str] = {}
        self.ports: dict[str, Ramp | Product] = {}
        self.flags: dict[str, FlagCounter] = {}
        self.workspace: Workspace = MEMORY
        self.references = ReferenceFiles(plan.exposure.keywords)
        self.made: dict[str, Product] = {}
        self.step: PlannedStep | None = None

    def carry_out(self) -> Generator[PlannedStep, None, None]:
        """Carry out the plan; others carry out what is yielded, and call `ended`."""
        plan = self.plan
        plan.check_references()
        for remark in filter(None, (*plan.remarks, plan.caveat)):
            log.warning("%s: %s", plan.exposure.path.name, remark)
        try:
            if self.save:
                check_folder(plan.request.out)
                _refuse_own_input(plan)
            with (
                watched(self.observer.compiling) as self.result.compiled,
                plan.workspace() as self.workspace,
            ):
                self.observer.reading(plan)
                self._read()
                yield from self._nodes()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._event("on_failure", plan=plan, step=self.step, error=error)
            raise
        finally:
            self.references.close()
        self.result.provenance = self._provenance()
        self._event("run_finished", result=self.result)

    def _read(self) -> None:
        """Read the exposure, and earlier products of it."""
        plan = self.plan
        for port, exposure in {MAIN: plan.exposure, **plan.beside}.items():
            if exposure.level not in exposures.RAMP_LEVELS:
                self.ports[port] = exposures.read_product(exposure.path)
                continue
            self.ports[port] = ramp = exposures.read_ramp(
                exposure, plan.request.threads, self.workspace, plan.mode.layout.ramp
            )
            read = PLANES if "GROUPDQ" in exposure.planes else ("pixeldq",)
            self.flags[port] = FlagCounter(ramp, read)

    def _nodes(self) -> Iterator[PlannedStep]:
        number = 0
        for group in self.plan.groups:
            match group:
                case (PlannedSave() as save,):
                    self._save(save)
                case (PlannedCopy() as copy,):
                    self._copy(copy)
                case (PlannedStep() as step,) if self._is_joint(step):
                    yield step
                case (PlannedStep() as step,) if step.alone or not self._on_scratch(step):
                    self._step(step)
                case _:
                    self._steps([node for node in group if isinstance(node, PlannedStep)])
            number += len(group)
            self._release(number)

    def _on_scratch(self, step: PlannedStep) -> bool:
        return isinstance(self.workspace, Scratch) and step.on_ramp

    def _is_joint(self, step: PlannedStep) -> bool:
        return step.joint and step.port in self.ports and self._left_out(step) is None

    def member(self, step: PlannedStep, stack: ExitStack) -> Member:
        """Give what a step sees of this exposure that looks at several."""
        data = self.ports[step.port]
        return Member(
            self.plan.exposure.rootname,
            data,
            {name: self.ports[port] for name, port in step.inputs.items()},
            opened(self.files(step), data, stack),
            {},
        )

    def files(self, step: PlannedStep) -> Files:
        """Give the reference files of a step, by type."""
        return self.references.of(step, self.ports)

    def _copy(self, node: PlannedCopy) -> None:
        """Copy a port, for steps that go aside."""
        if node.port not in self.ports or node.condition.evaluate(self.facts) is not True:
            return
        self.ports[node.to] = copy = self._copied(self.ports[node.port], node.planes)
        if isinstance(copy, Ramp):
            self.flags[node.to] = FlagCounter(copy)

    def _copied(self, data: Ramp | Product, planes: Collection[str]) -> Ramp | Product:
        return data.copy(planes, self.workspace) if isinstance(data, Ramp) else data.copy()

    def _step(self, step: PlannedStep) -> None:
        """Carry out one step, between the halves of those that wrap it."""
        if step.port not in self.ports:
            return  # a product that was not made
        with ExitStack() as stack:
            for wrapper in step.wrappers:
                stack.enter_context(self._around(wrapper))
            self.started(step)
            self.ended(step, self._left_out(step) or self._tried(step))

    @contextmanager
    def _around(self, step: PlannedStep) -> Iterator[None]:
        """Do what a step has to do before another one, and in the end what it has to do after."""
        self.started(step)
        outcome = self._left_out(step)
        if outcome is not None:
            yield
        else:
            with ExitStack() as stack:
                with self.blame(step):
                    task = self._task(step, stack)
                    self._work(step, task)
                before = Counter(self._flagged(step))
                yield
                with self.blame(step):
                    task.after = True
                    self._work(step, task)
                    outcome = self._finished(step, task)
            outcome.flagged = dict(before + Counter(outcome.flagged))
        self.ended(step, outcome)

    def started(self, step: PlannedStep) -> None:
        """Tell that a step begins."""
        self.step = step
        self._event("before_step", plan=self.plan, step=step)
        self.observer.step_started(self.plan, step)

    def ended(self, step: PlannedStep, outcome: Outcome) -> None:
        """Take what a step has made, and tell that it has ended."""
        self.result.outcomes.append((step, outcome))
        tell(self.facts, f"status.{step.label}", outcome)
        tell(self.status, step.spec.status, outcome)
        if step.port in self.ports:
            self.ports[step.port].keywords[step.spec.status] = self.status[step.spec.status]
        for name, product in outcome.products.items():
            port = step.to.get(name, name)
            self.ports[port] = product
            self.facts[f"ports.{port}"] = True
        self.observer.step_ended(self.plan, step, outcome)
        self._event("after_step", plan=self.plan, step=step, outcome=outcome)
        # they live on in their ports, until no later node uses them
        outcome.products = {}
        self.step = None

    def _left_out(self, step: PlannedStep) -> Outcome | None:
        if not step.runs:
            return Outcome("SKIPPED", step.reason)
        if step.condition.evaluate(self.facts) is not True:
            return Outcome("SKIPPED", step.condition.because(self.facts))
        if missing := sorted(step.uses - self.ports.keys()):
            return Outcome("SKIPPED", f"there is no {', no '.join(missing)}")
        return None

    def _tried(self, step: PlannedStep) -> Outcome:
        """Carry out a step, and do what the document says if it fails."""
        data = self.ports[step.port]
        kept = None
        if step.on_error == "skip":
            kept = self._copied(data, step.spec.writes)
        try:
            return self._execute(step)
        except OutputError:
            raise
        except HeliodorError as error:
            if step.on_error == "abandon":
                raise Abandoned(str(error)) from error
            if kept is None:
                raise
            vars(data).update(vars(kept))
            return Outcome("FAILED", str(error))

    def _execute(self, step: PlannedStep) -> Outcome:
        with self.blame(step), ExitStack() as stack:
            task = self._task(step, stack)
            self._work(step, task)
            return self._finished(step, task)

    def _task(self, step: PlannedStep, stack: ExitStack) -> Task:
        """Make a step ready; its references are closed with the stack."""
        request, data = self.plan.request, self.ports[step.port]
        if isinstance(data, Ramp):
            # products that stay in memory are not to hold a whole ramp
            data.spent = step.in_place and self.save and self.workspace is MEMORY
        return Task(
            step.spec,
            data,
            step.params,
            opened(self.files(step), data, stack),
            request.threads,
            self.workspace,
            {name: self.ports[port] for name, port in step.inputs.items()},
            services(step.calls, self.files, request.threads, request.strip, self.workspace),
        )

    def _work(self, step: PlannedStep, task: Task) -> None:
        """Begin a step or go on with it: call its phases."""
        request, scratch = self.plan.request, self.workspace

        def progress(done: float) -> None:
            self.observer.step_progress(step, done)

        if not task.after:
            task.begin()
        if task.begun and isinstance(scratch, Scratch) and step.on_ramp:
            ramp, room = self._ramp, self.plan.room
            convoy = Convoy([task], ramp, scratch, request.threads, request.strip, room)
            try:
                convoy.run(progress)
            except Broken as broken:
                raise broken.error from None
        elif task.begun:
            task.work(request.strip, progress)

    def _finished(self, step: PlannedStep, task: Task) -> Outcome:
        """Let a step finish, and gather what became of it."""
        outcome = task.end()
        for service in task.step.services.values():
            outcome.calls += service.calls()
        return self.counted(step, outcome)

    def counted(self, step: PlannedStep, outcome: Outcome) -> Outcome:
        """Add what a step has flagged."""
        self._reshaped()
        outcome.flagged = self._flagged(step)
        return outcome

    def _flagged(self, step: PlannedStep) -> dict[str, int]:
        data = self.ports[step.port]
        return self.flags[step.port].added(data, step.spec) if isinstance(data, Ramp) else {}

    @property
    def _ramp(self) -> Ramp:
        ramp = self.ports[MAIN]
        assert isinstance(ramp, Ramp)
        return ramp

    def _reshaped(self) -> None:
        """Tell the scratch what the ramp looks like now."""
        ramp = self.ports.get(MAIN)
        if isinstance(self.workspace, Scratch) and isinstance(ramp, Ramp):
            for plane in (ramp.data, ramp.groupdq, ramp.zeroframe):
                if plane is not None:
                    self.workspace.reshaped(plane)

    def _steps(self, steps: list[PlannedStep]) -> None:
        """Carry out consecutive steps with as few traversals of the ramp as they allow."""
        request, ramp, scratch = self.plan.request, self._ramp, self.workspace
        assert isinstance(scratch, Scratch)
        tasks: dict[int, Task] = {}
        with ExitStack() as stack:
            for step in steps:
                self.started(step)
                if self._left_out(step):
                    continue
                with self.blame(step):
                    tasks[id(step)] = task = self._task(step, stack)
                    begin(task, ramp)
            working = [step for step in steps if id(step) in tasks and tasks[id(step)].begun]
            convoy = Convoy(
                [tasks[id(step)] for step in working],
                ramp,
                scratch,
                request.threads,
                request.strip,
                self.plan.room,
            )
            try:
                convoy.run(lambda done: self.observer.step_progress(steps[-1], done))
            except Broken as broken:
                with self.blame(working[broken.number]):
                    raise broken.error from None
            for step in steps:
                outcome = self._left_out(step)
                if outcome is None:
                    with self.blame(step):
                        outcome = tasks[id(step)].end()
                    outcome.flagged = named(tasks[id(step)].flagged, step.spec)
                self.ended(step, outcome)
        self._reshaped()
        self.flags[MAIN] = FlagCounter(ramp)

    @contextmanager
    def blame(self, step: PlannedStep) -> Iterator[None]:
        """Say of an error which step and which exposure it is about."""
        self.step = step
        place = f"{self.plan.exposure.path}: {step.label}"
        try:
            yield
        except HeliodorError as error:
            raise type(error)(f"{place}: {error}") from error
        except (Exception, SystemExit) as error:
            from heliodor.stepfiles import raised_at

            module = sys.modules.get(step.spec.impl.partition(":")[0])
            line = raised_at(error, getattr(module, "__file__", None))
            raise StepError(
                f"{place} of {step.offer.plugin} failed: {type(error).__name__}: {error}"
                + (f" ({line})" if line else "")
            ) from error

    def _save(self, node: PlannedSave) -> None:
        if node.port not in self.ports or node.condition.evaluate(self.facts) is not True:
            return
        data = self.ports[node.port]
        if not self.save:
            self.result.products[node.suffix] = data
            return
        self.observer.writing(self.plan, node.suffix)
        about = self._provenance()
        if isinstance(data, Ramp):
            products.write_ramp(data, node.path, about)
        else:
            products.write(data, node.path, about)
        self.result.paths[node.suffix] = node.path

    def _release(self, number: int) -> None:
        """Let go of what no later node uses; the cube goes before products are written."""
        later = {port for node in self.plan.nodes[number:] for port in node.uses}
        for port in list(self.ports):
            if port not in later:
                del self.ports[port]

    def _provenance(self) -> Provenance:
        return provenance(self.plan, self.result.outcomes, self.references.hashes)

    def _event(self, name: str, **arguments: Any) -> None:
        """Tell observing plugins; what they raise is recorded and goes no further."""
        self.result.problems += registry().notify(name, **arguments)
