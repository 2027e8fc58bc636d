"""Steps that another step calls: quietly, on a copy, and recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from heliodor.data import Product, Ramp
from heliodor.declare import StepSpec
from heliodor.engine import STRIP, Outcome, Task
from heliodor.errors import StepError
from heliodor.layers import Layered, Origin
from heliodor.references.files import Reference
from heliodor.step import References
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.params import Params
    from heliodor.plans import PlannedStep

Files: TypeAlias = Mapping[str, Path | None]
"""Reference files by type; None: it is known that none applies."""

QUIET = logging.getLogger("heliodor.called")
"""Called steps tell only what is wrong."""
QUIET.setLevel(logging.WARNING)


@dataclass
class Service:
    """A step that can be called any number of times.

    Attributes
    ----------
    spec : the step
    params : its parameters, unless a call gives others
    files : its reference files, by type
    threads, strip, workspace : as for `heliodor.engine.execute`
    services : steps that it calls itself
    planned : the step in the plan of a run
    done : parameters, names of those that the call gave, and outcome of every call
    """

    spec: StepSpec
    params: Params
    files: Files = field(default_factory=dict)
    threads: int = 1
    strip: int = STRIP
    workspace: Workspace = MEMORY
    services: Mapping[str, Service] = field(default_factory=dict)
    planned: PlannedStep | None = None
    done: list[tuple[Params, tuple[str, ...], Outcome]] = field(default_factory=list)

    def __call__(self, data: Ramp | Product, **parameters: Any) -> Any:
        """Do the step; see `heliodor.step.Step.call`."""
        params = self._params(parameters)
        if isinstance(data, Ramp):
            data = data.copy(self.spec.writes, self.workspace)
        else:
            data = data.copy()
        with ExitStack() as stack:
            references = opened(self.files, data, stack)
            task = Task(
                self.spec,
                data,
                params,
                references,
                self.threads,
                self.workspace,
                services=self.services,
            )
            task.step.log = QUIET
            task.begin()
            if task.begun:
                task.work(self.strip)
            outcome = task.end()
        products, outcome.products = outcome.products, {}
        self.done.append((params, tuple(parameters), outcome))
        if outcome.status != "COMPLETE":
            raise StepError(f"{self.spec.name}, which it calls, was not done: {outcome.reason}")
        return products if self.spec.makes else data

    def calls(self) -> Iterator[tuple[PlannedStep, Outcome]]:
        """Give every call of a run, as a step with its parameters, and those that it made."""
        for params, given, outcome in self.done:
            assert self.planned is not None
            origins = {**self.planned.origins, **dict.fromkeys(given, Origin("call"))}
            yield replace(self.planned, params=params, origins=origins), outcome
        for service in self.services.values():
            yield from service.calls()

    def _params(self, parameters: Mapping[str, Any]) -> Params:
        if not parameters:
            return self.params
        own = {name: getattr(self.params, name) for name in self.params.model_fields_set}
        layers = Layered()
        for name, value in {**own, **parameters}.items():
            layers.add("Python", "call", self.spec.name, name, value)
        return layers.resolve(self.spec.name, type(self.params))[0]


def opened(files: Files, data: Ramp | Product, stack: ExitStack) -> References:
    """Open reference files for an exposure; they are closed with the stack."""
    found: dict[str, Reference] = {}
    for name, path in files.items():
        if path is not None:
            found[name] = Reference(name, path, data.keywords, data.shape[-2:], data.stripes)
            stack.callback(found[name].close)
    return References(found, none=[name for name, path in files.items() if path is None])


def services(
    steps: Iterable[PlannedStep],
    files: Callable[[PlannedStep], Files],
    threads: int,
    strip: int,
    workspace: Workspace,
) -> dict[str, Service]:
    """Make what a step of a plan may call; `files` gives the reference files of each."""
    return {
        step.spec.name: Service(
            step.spec,
            step.params,
            files(step),
            threads,
            strip,
            workspace,
            services(step.calls, files, threads, strip, workspace),
            step,
        )
        for step in steps
    }
