"""A step tried on arrays, without a plan; what `heliodor.testing` runs and compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.engine import Outcome, Task, load
from heliodor.services import Service
from heliodor.step import Member, Members, References
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.declare import StepSpec
    from heliodor.references.files import Reference

Exposures: TypeAlias = "Ramp | Product | Sequence[Ramp | Product]"
"""What a step works on: one exposure, or those that it looks at together."""

Inputs: TypeAlias = "Mapping[str, Any] | Sequence[Mapping[str, Any]]"
"""Earlier products by name; of several exposures, one mapping for each."""


def each_of(exposure: Exposures) -> list[Ramp | Product]:
    """Give one exposure, or several, as a list."""
    return [exposure] if isinstance(exposure, Ramp | Product) else list(exposure)


@dataclass(frozen=True)
class Trial:
    """A step and all that it is given beside its exposure; see `tried`.

    Attributes
    ----------
    spec : the step
    parameters : of the step
    files : its reference files, for each exposure
    inputs : earlier products that it reads
    calls : declarations of steps that it calls; of others, what is installed
    """

    spec: StepSpec
    parameters: Mapping[str, Any]
    files: Sequence[Mapping[str, Reference]]
    inputs: Inputs = field(default_factory=dict)
    calls: Sequence[StepSpec] = ()

    def run(
        self, exposure: Exposures, threads: int, strip: int, workspace: Workspace = MEMORY
    ) -> Outcome:
        """Run the step, in place; one that wraps others, around nothing."""
        task = self.task(exposure, threads, strip, workspace)
        task.begin()
        if task.begun:
            for _ in self.halves(task):
                task.work(strip)
        return self.ended(task)

    def halves(self, task: Task) -> Iterator[None]:
        """Bring the task to what it does before another step, and to what it does after that."""
        yield
        if self.spec.wraps:
            task.after = True
            yield

    def task(self, exposure: Exposures, threads: int, strip: int, workspace: Workspace) -> Task:
        """Make the step ready, with the steps that it calls."""
        files, inputs = self.files[0], self.inputs
        data: Ramp | Product | Members
        if isinstance(exposure, Ramp | Product):
            data = exposure
        else:
            given = [inputs] * len(exposure) if isinstance(inputs, Mapping) else inputs
            data = Members(
                Member(f"exposure_{number}", one, its, References(opened), {})
                for number, (one, its, opened) in enumerate(
                    zip(exposure, given, self.files, strict=True), 1
                )
            )
            inputs = {}
        assert isinstance(inputs, Mapping)
        params = load(self.spec.params)(**self.parameters)
        called = self._services(self.spec, each_of(exposure)[0], threads, strip, workspace)
        return Task(self.spec, data, params, files, threads, workspace, inputs, called)

    def ended(self, task: Task) -> Outcome:
        """Let a step finish; what it makes for a second exposure is ``exposure_2/NAME``."""
        outcome = task.end()
        if isinstance(task.data, Members):
            first, *others = task.data
            outcome.products |= first.products
            for member in others:
                made = member.products.items()
                outcome.products |= {f"{member.name}/{name}": product for name, product in made}
        return outcome

    def called(self, exposure: Ramp | Product, spec: StepSpec | None = None) -> list[StepSpec]:
        """Give the steps that it calls, and those that these call."""
        found: list[StepSpec] = []
        for name in (spec or self.spec).calls:
            one = self._declared(name, exposure)
            found += [one, *self.called(exposure, one)]
        return found

    def _declared(self, name: str, exposure: Ramp | Product) -> StepSpec:
        from heliodor.plugins import registry

        given = {spec.name: spec for spec in self.calls}
        return given.get(name) or registry().choose(name, exposure.keywords, ()).spec

    def _services(
        self,
        spec: StepSpec,
        exposure: Ramp | Product,
        threads: int,
        strip: int,
        workspace: Workspace,
    ) -> dict[str, Service]:
        declared = [self._declared(name, exposure) for name in spec.calls]
        return {
            one.name: Service(
                one,
                load(one.params)(),
                {name: file.path for name, file in self.files[0].items()},
                threads,
                strip,
                workspace,
                self._services(one, exposure, threads, strip, workspace),
            )
            for one in declared
        }


@contextmanager
def tried(
    spec: StepSpec,
    exposure: Exposures,
    references: Mapping[str, Any] | None,
    parameters: Mapping[str, Any],
    inputs: Inputs | None = None,
    calls: Iterable[StepSpec] = (),
) -> Iterator[Trial]:
    """Open reference files; those made here last as long as the context.

    Parameters
    ----------
    spec, parameters : the step
    exposure : what it will work on, or copies of it
    references : by type: open, a path, an array, or arrays by extension
    inputs, calls : as of `Trial`
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(one, references or {})) for one in each_of(exposure)]
        yield Trial(spec, parameters, files, inputs or {}, tuple(calls))


@contextmanager
def _opened(
    exposure: Ramp | Product, references: Mapping[str, Any]
) -> Iterator[dict[str, Reference]]:
    from heliodor.references.files import Reference
    from heliodor.testing import make_reference

    with TemporaryDirectory() as folder, ExitStack() as stack:
        opened: dict[str, Reference] = {}
        for type, given in references.items():
            if isinstance(given, Reference):
                opened[type] = given
                continue
            if isinstance(given, str | Path):
                reference = Reference(
                    type, given, exposure.keywords, exposure.shape[-2:], exposure.stripes
                )
            else:
                extensions = given if isinstance(given, Mapping) else {"SCI": np.asarray(given)}
                reference = make_reference(folder, type, exposure, **extensions)
            stack.callback(reference.close)
            opened[type] = reference
        yield opened


def planes_of(exposure: Ramp | Product) -> dict[str, np.ndarray]:
    """Give the arrays of an exposure by name."""
    if isinstance(exposure, Product):
        return dict(exposure.planes)
    names = ("data", "groupdq", "pixeldq", "zeroframe")
    arrays = {name: getattr(exposure, name) for name in names}
    return {
        name: array for name, array in {**arrays, **exposure.extra}.items() if array is not None
    }
