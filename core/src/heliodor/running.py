"""Carrying out a plan: steps in order, products written, everything recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import exposures, products, receipt
from heliodor.data import Product, Ramp
from heliodor.engine import Outcome, Task, execute
from heliodor.errors import (
    HeliodorError,
    OutputError,
    ReferenceError,
    StepError,
)
from heliodor.flags import FlagCounter, named
from heliodor.kernels import Compiled, watched
from heliodor.observers import Observer
from heliodor.plans import Plan, PlannedSave, PlannedStep, Request
from heliodor.plugins import registry
from heliodor.products.folder import check_folder
from heliodor.references.files import Reference
from heliodor.references.selectors import Found, NotApplicable
from heliodor.scratch import Scratch
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.products import Provenance


@dataclass
class Result:
    """What a run has made.

    Attributes
    ----------
    plan : that was carried out
    outcomes : of every step, in order
    products : kept in memory, by name; empty when they were written
    paths : products that were written, by name
    provenance : statuses, references and receipt, as they stand in the products
    compiled : kernels that were not in the cache yet
    problems : exceptions of observing plugins, which do not stop a run
    """

    plan: Plan
    outcomes: list[tuple[PlannedStep, Outcome]] = field(default_factory=list)
    products: dict[str, Product | Ramp] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    provenance: Provenance | None = None
    compiled: Compiled = field(default_factory=Compiled)
    problems: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        """Give a product as a `stdatamodels` model: ``result["rate"]``."""
        if name in self.products:
            return products.to_model(self.products[name], self.provenance)
        if name in self.paths:
            from stdatamodels.jwst import datamodels

            return datamodels.open(self.paths[name])
        raise KeyError(
            f"{name}; there is {', '.join({**self.products, **self.paths}) or 'nothing'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the run as plain data."""
        return {
            "input": str(self.plan.exposure.path),
            "steps": [
                {
                    "label": step.label,
                    "port": step.port,
                    "status": outcome.status,
                    "reason": outcome.reason,
                    "seconds": round(outcome.seconds, 4),
                    "flagged": outcome.flagged,
                }
                for step, outcome in self.outcomes
            ],
            "products": {name: str(path) for name, path in self.paths.items()},
            "compiled": asdict(self.compiled),
            "problems": self.problems,
        }


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
    _check_references(plan)
    return _Run(plan, save, observer or Observer()).run()


def _check_references(plan: Plan) -> None:
    if not plan.missing:
        return
    keywords = plan.exposure.keywords
    lines: dict[str, str] = {}
    for step, need, answer in plan.missing:
        looked = ", ".join(f"{key}={keywords.get(key)}" for key in ("INSTRUME", *need.keys))
        lines.setdefault(
            need.type, f"{need.type} for {looked} (needed by {step.label}): {answer.why}"
        )
    raise ReferenceError(
        f"{plan.exposure.path}: reference files are missing.\n"
        + "\n".join(lines.values())
        + "\nGive a folder with --references DIR, or a file with --ref TYPE=FILE."
    )


def _refuse_own_input(plan: Plan) -> None:
    for save in plan.saves:
        if save.path.exists() and save.path.samefile(plan.exposure.path):
            raise OutputError(
                f"{save.path}: this product would replace the exposure it is made from. "
                "Choose another folder with --out."
            )


def _options(request: Request) -> dict[str, Any]:
    """Give the options of the pipeline that the user has set: names without a step."""
    return {name: value for name, value in request.parameters.items() if "." not in name}


def _references(step: PlannedStep, data: Ramp | Product, stack: ExitStack) -> dict[str, Reference]:
    """Open the reference files of a step; they are closed with the stack."""
    opened: dict[str, Reference] = {}
    for name, path in step.files.items():
        opened[name] = Reference(name, path, data.keywords, data.shape[-2:], data.stripes)
        stack.callback(opened[name].close)
    return opened


class _Run:
    """One plan being carried out."""

    def __init__(self, plan: Plan, save: bool, observer: Observer):
        self.plan = plan
        self.save = save
        self.observer = observer
        self.result = Result(plan)
        self.facts = dict(plan.facts)
        self.ports: dict[str, Ramp | Product] = {}
        self.flags: FlagCounter | None = None
        self.workspace: Workspace = MEMORY
        self.step: PlannedStep | None = None

    def run(self) -> Result:
        plan = self.plan
        try:
            if self.save:
                check_folder(plan.request.out)
                _refuse_own_input(plan)
            with (
                watched(self.observer.compiling) as self.result.compiled,
                plan.workspace() as self.workspace,
            ):
                self.observer.reading(plan)
                ramp = exposures.read_ramp(
                    plan.exposure, plan.request.threads, self.workspace, plan.mode.layout.ramp
                )
                self.flags = FlagCounter(ramp)
                self.ports["main"] = ramp
                del ramp
                self._nodes()
        except BaseException as error:
            self._event("on_failure", plan=plan, step=self.step, error=error)
            raise
        self.result.provenance = self._provenance()
        self._event("run_finished", result=self.result)
        return self.result

    def _nodes(self) -> None:
        number = 0
        for group in self.plan.groups:
            steps = [node for node in group if isinstance(node, PlannedStep)]
            if not steps:
                self._save(*(node for node in group if isinstance(node, PlannedSave)))
            elif isinstance(self.workspace, Scratch) and steps[0].on_ramp:
                self._steps(steps, self.workspace)
            else:
                self._step(*steps)
            number += len(group)
            self._release(number)

    def _step(self, step: PlannedStep) -> None:
        if step.port not in self.ports:
            return  # a product that was not made
        self._started(step)
        self._ended(step, self._execute(step))

    def _started(self, step: PlannedStep) -> None:
        self.step = step
        self._event("before_step", plan=self.plan, step=step)
        self.observer.step_started(self.plan, step)

    def _ended(self, step: PlannedStep, outcome: Outcome) -> None:
        self.result.outcomes.append((step, outcome))
        self.facts[f"status.{step.label}"] = outcome.status
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
        return None

    def _execute(self, step: PlannedStep) -> Outcome:
        if left_out := self._left_out(step):
            return left_out
        data = self.ports[step.port]
        with self._blame(step), ExitStack() as stack:
            outcome = execute(
                step.spec,
                data,
                step.params,
                _references(step, data, stack),
                threads=self.plan.request.threads,
                strip=self.plan.request.strip,
                workspace=self.workspace,
                progress=lambda done: self.observer.step_progress(step, done),
            )
        if isinstance(data, Ramp) and self.flags is not None:
            outcome.flagged = self.flags.added(data, step.spec)
        return outcome

    def _steps(self, steps: list[PlannedStep], scratch: Scratch) -> None:
        """Carry out consecutive steps with as few traversals of the ramp as they allow."""
        from heliodor.together import Broken, Convoy, begin

        request, ramp = self.plan.request, self.ports["main"]
        assert isinstance(ramp, Ramp)
        tasks: dict[str, Task] = {}
        with ExitStack() as stack:
            for step in steps:
                self._started(step)
                if self._left_out(step):
                    continue
                with self._blame(step):
                    tasks[step.label] = task = Task(
                        step.spec,
                        ramp,
                        step.params,
                        _references(step, ramp, stack),
                        request.threads,
                        scratch,
                    )
                    begin(task, ramp)
            working = [step for step in steps if step.label in tasks and tasks[step.label].begun]
            convoy = Convoy(
                [tasks[step.label] for step in working],
                ramp,
                scratch,
                request.threads,
                request.strip,
                self.plan.room,
            )
            try:
                convoy.run(lambda done: self.observer.step_progress(steps[-1], done))
            except Broken as broken:
                with self._blame(working[broken.number]):
                    raise broken.error from None
            for step in steps:
                outcome = self._left_out(step)
                if outcome is None:
                    with self._blame(step):
                        outcome = tasks[step.label].end()
                    outcome.flagged = named(tasks[step.label].flagged, step.spec)
                self._ended(step, outcome)
        for plane in (ramp.data, ramp.groupdq, ramp.zeroframe):
            if plane is not None:
                scratch.reshaped(plane)
        self.flags = FlagCounter(ramp)

    @contextmanager
    def _blame(self, step: PlannedStep) -> Iterator[None]:
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
        path, provenance = node.path, self._provenance()
        if isinstance(data, Ramp):
            products.write_ramp(data, path, provenance)
        else:
            products.write(data, path, provenance)
        self.result.paths[node.suffix] = path

    def _release(self, number: int) -> None:
        """Let go of what no later node uses; the cube goes before products are written."""
        later = {node.port for node in self.plan.nodes[number:]}
        for port in list(self.ports):
            if port not in later:
                del self.ports[port]

    def _provenance(self) -> Provenance:
        """Everything so far: keywords of steps and references, and the receipt."""
        status: dict[str, str] = {}
        references: dict[str, tuple[str, str]] = {}
        for step, outcome in self.result.outcomes:
            status[step.spec.status] = outcome.status
            for need in step.spec.refs:
                answer = step.references.get(need.type)
                if isinstance(answer, Found):
                    references[need.type] = (need.keyword, answer.path.name)
                elif isinstance(answer, NotApplicable):
                    references[need.type] = (need.keyword, "N/A")
        return products.Provenance(status, references, receipt=self._receipt())

    def _receipt(self) -> receipt.Receipt:
        plan = self.plan
        exposure = plan.exposure
        return receipt.Receipt(
            heliodor=version("heliodor"),
            inputs=(receipt.FileRecord(exposure.path.name, exposure.sha256, exposure.size),),
            pipeline=plan.pipeline.document.name,
            pipeline_sha256=plan.pipeline.sha256,
            steps=tuple(_step_record(step, outcome) for step, outcome in self.result.outcomes),
            plugins={p.distribution: p.version for p in registry().plugins},
            options={
                "mode": plan.mode.name,
                "pipeline_files": list(plan.pipeline.files),
                "pipeline_options": _options(plan.request),
            },
        )

    def _event(self, name: str, **arguments: Any) -> None:
        """Tell observing plugins; what they raise is recorded and goes no further."""
        self.result.problems += registry().notify(name, **arguments)


def _step_record(step: PlannedStep, outcome: Outcome) -> receipt.StepRecord:
    origins = {name: str(origin) for name, origin in step.origins.items()}
    return receipt.StepRecord(
        name=step.spec.name,
        implementation=f"{step.offer.plugin.distribution} {step.offer.plugin.version}",
        algorithm=step.spec.version,
        status=outcome.status,
        reason=outcome.reason,
        seconds=round(outcome.seconds, 4),
        parameters=tuple(
            receipt.ParameterRecord(name, value, origins.get(name, "declared default"))
            for name, value in step.params.model_dump().items()
        ),
        references=tuple(
            receipt.ReferenceRecord(
                name, answer.path.name, exposures.file_sha256(answer.path), answer.why
            )
            for name, answer in step.references.items()
            if isinstance(answer, Found) and step.runs
        ),
        flagged=outcome.flagged,
    )
