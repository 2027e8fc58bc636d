"""What will be done to an exposure, as records: what was asked for, and what was decided."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from heliodor.declare import ModeSpec, RefNeed, StepSpec
from heliodor.documents.conditions import Condition
from heliodor.documents.nodes import MAIN, OnError
from heliodor.documents.shipped import Chosen
from heliodor.engine import STRIP
from heliodor.errors import ReferenceError
from heliodor.layers import Given, Origin
from heliodor.memory import RESERVE, ROOM, Memory
from heliodor.parameterfiles import ParameterFile
from heliodor.passes import convoys, share
from heliodor.plugins import Offer
from heliodor.references.selectors import Answer, Found, Made, Sources, Unknown
from heliodor.scratch import Scratch
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.builds.history import Reproduction
    from heliodor.exposures import Exposure
    from heliodor.params import Params


@dataclass(frozen=True)
class Request:
    """What a user asks for, beside the exposure.

    Attributes
    ----------
    parameters : ``{"jump.rejection_threshold": "5"}``; a name without a step is an option of the
        pipeline (``save_calibrated_ramp``)
    pipelines : files of edits, or one whole pipeline
    skip : steps to leave out
    references : reference file by type; ``N/A`` for none
    folders : searched for reference files
    out : folder for products
    threads : pieces worked on at once; all cores by default
    strip : rows in a piece; the result depends on neither
    max_memory : the process may hold [bytes]; what is larger is worked on in files; None: no limit
    scratch : folder for those files; the products' one if None
    parameter_files : of the `jwst` package, in the order in which they count
    parameter_references : whether those that the archive gives to operations count (``pars-*``)
    layer : who asks, of `heliodor.layers.LAYERS`
    together : exposures that are in memory at a time, because steps look at all of them
    build : name of the operational build to follow; None: none
    context : version of the rules by which references are chosen, of sources that have such; empty:
        the build's, or else their own
    online : whether what planning itself needs may be fetched, such as parameter references
    locked : file that alone says which references and parameter files are used; None: none
    not_for_science : whether missing references of made-up exposures may be made up as well
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    pipelines: tuple[Path, ...] = ()
    skip: tuple[str, ...] = ()
    references: Mapping[str, str | Path] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    out: Path = Path()
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    strip: int = STRIP
    max_memory: int | None = None
    scratch: Path | None = None
    parameter_files: tuple[Path, ...] = ()
    parameter_references: bool = True
    layer: str = "command line"
    together: int = 1
    build: str | None = None
    context: str = ""
    online: bool = False
    locked: Path | None = None
    not_for_science: bool = False

    def sources(self, exposure: Path) -> Sources:
        """Give what it says about references, for an exposure."""
        return Sources(
            self.references,
            self.folders,
            exposure,
            self.context,
            online=self.online,
            lock=self.locked,
            not_for_science=self.not_for_science,
        )


@dataclass(frozen=True)
class PlannedStep:
    """A step as it will be run, or why it will not be.

    Attributes
    ----------
    label : what documents and parameters call it
    offer : the implementation and who offers it
    params : its parameters
    origins : where each parameter that is not a declared default comes from
    port : what it works on (``main`` is the ramp)
    to : port that each of its products goes to, by product
    runs : False if it is left out
    reason : why it is left out, or what decides at run
    condition : asked again when its turn comes, with what is known by then
    references : what was found of the types it needs
    offered : more specific implementations of strangers, taken only by ``use:``
    inputs : ports that it reads besides, by its name for them
    on_error : what becomes of the exposure if it fails
    round : of the repetition it is in, from 1; 0: of none
    wrappers : steps with something to do before and after it, the outermost first
    calls : steps that it may call
    in_place : it may put results into the ramp's memory: nothing needs the ramp after it
    path : its label with those around it
    said : all that any layer said about its parameters, the weakest first
    """

    label: str
    offer: Offer
    params: Params
    origins: Mapping[str, Origin]
    port: str
    to: Mapping[str, str]
    runs: bool
    reason: str
    condition: Condition
    references: Mapping[str, Answer] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    on_error: OnError = "fail"
    round: int = 0
    wrappers: tuple[PlannedStep, ...] = ()
    calls: tuple[PlannedStep, ...] = ()
    in_place: bool = False
    path: str = ""
    said: tuple[Given, ...] = ()

    @property
    def title(self) -> str:
        """Its label, with what tells it from others of that label."""
        of = "" if self.port == MAIN else f" of {self.port}"
        return f"{self.label}{of}" + (f", round {self.round}" if self.round else "")

    @property
    def all_calls(self) -> Iterator[PlannedStep]:
        """Steps that it may call, and those that these may call."""
        for step in self.calls:
            yield step
            yield from step.all_calls

    @property
    def uses(self) -> frozenset[str]:
        """Ports without which it cannot be done."""
        inside = (step.uses for step in (*self.wrappers, *self.calls))
        made = (answer.port for answer in self.references.values() if isinstance(answer, Made))
        return frozenset({self.port, *self.inputs.values(), *made}).union(*inside)

    @property
    def alone(self) -> bool:
        """Whether it must not go through the ramp together with others."""
        return bool(self.wrappers or self.inputs) or self.on_error != "fail" or self.joint

    @property
    def joint(self) -> bool:
        """Whether it looks at several exposures."""
        return self.spec.scope != "exposure"

    @property
    def spec(self) -> StepSpec:
        """What the implementation declares."""
        return self.offer.spec

    @property
    def on_ramp(self) -> bool:
        """Whether it works on the ramp, and not on a product."""
        return self.port == MAIN and self.spec.takes == "ramp"

    @property
    def files(self) -> dict[str, Path]:
        """Reference file by type."""
        return {
            name: answer.path
            for name, answer in self.references.items()
            if isinstance(answer, Found)
        }


@dataclass(frozen=True)
class PlannedSave:
    """A product that will be written.

    Attributes
    ----------
    port : what is written
    suffix : of its name
    path : where
    condition : asked again when its turn comes
    """

    port: str
    suffix: str
    path: Path
    condition: Condition

    @property
    def uses(self) -> frozenset[str]:
        """Ports without which it cannot be done."""
        return frozenset({self.port})


@dataclass(frozen=True)
class PlannedCopy:
    """A copy on which steps work aside.

    Attributes
    ----------
    port, to : what is copied, and the port of the copy
    planes : of a ramp, those that these steps change; the others are shared
    condition : asked again when its turn comes
    """

    port: str
    to: str
    planes: tuple[str, ...]
    condition: Condition

    @property
    def uses(self) -> frozenset[str]:
        """Ports without which it cannot be done."""
        return frozenset({self.port})


PlannedNode: TypeAlias = PlannedStep | PlannedSave | PlannedCopy


@dataclass(frozen=True)
class Plan:
    """Everything that will be done to one exposure.

    Attributes
    ----------
    exposure : its file, known by headers
    mode : of the instrument
    pipeline : the document, with the user's edits applied
    nodes : steps, saves and copies in order
    facts : what conditions are asked with
    memory : what it will take
    request : what the user asked for
    parameter_files : that gave parameters, the weakest first
    build : the build that is followed, and what of it is not reproduced
    beside : earlier products of the exposure that are read with it, by port
    remarks : what else one who looks at the results might want to know
    sources : where references were looked for
    """

    exposure: Exposure
    mode: ModeSpec
    pipeline: Chosen
    nodes: tuple[PlannedNode, ...]
    facts: Mapping[str, Any]
    memory: Memory
    request: Request
    parameter_files: tuple[ParameterFile, ...] = ()
    build: Reproduction | None = None
    beside: Mapping[str, Exposure] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    sources: Sources = field(default_factory=Sources)

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps, those left out included; a step follows those that wrap it."""
        nodes = (node for node in self.nodes if isinstance(node, PlannedStep))
        return tuple(step for node in nodes for step in (*node.wrappers, node))

    @property
    def saves(self) -> tuple[PlannedSave, ...]:
        """The products."""
        return tuple(node for node in self.nodes if isinstance(node, PlannedSave))

    @property
    def missing(self) -> tuple[tuple[PlannedStep, RefNeed, Unknown], ...]:
        """References that a step cannot do without and that were not found."""
        return tuple(
            (step, need, answer)
            for user in self.steps
            if user.runs
            for step in (user, *user.all_calls)
            for need in step.spec.refs
            if isinstance(answer := step.references.get(need.type), Unknown) and not need.optional
        )

    @property
    def contexts(self) -> tuple[str, ...]:
        """Versions of the rules that chose its references; none if no source has such."""
        found = (answer for answer in self.references.values() if isinstance(answer, Found))
        return tuple(sorted({each.context for each in found} - {""}))

    @property
    def absent(self) -> tuple[tuple[str, Found], ...]:
        """Types and files of references that are not there: a run fetches them first, or fails."""
        return tuple(
            (name, answer)
            for user in self.steps
            if user.runs
            for step in (user, *user.all_calls)
            for name, answer in step.references.items()
            if isinstance(answer, Found) and answer.absent
        )

    @property
    def lacking(self) -> list[str]:
        """Types of references without which it cannot be carried out, and that nobody can give."""
        unknown = [need.type for _, need, _ in self.missing]
        return unknown + [name for name, found in self.absent if not found.fetch]

    @property
    def references(self) -> dict[str, Answer]:
        """What sources answered for each type that its steps need, or those that they call."""
        asked = (user for step in self.steps for user in (step, *step.all_calls))
        return {
            name: answer
            for user in asked
            for name, answer in user.references.items()
            if not isinstance(answer, Made)
        }

    @property
    def caveat(self) -> str:
        """Why what is made is not for science; empty: it is."""
        found = (answer for answer in self.references.values() if isinstance(answer, Found))
        return "; ".join(dict.fromkeys(each.caveat for each in found if each.caveat))

    def check_references(self) -> None:
        """Refuse to go on without references that steps cannot do without.

        Raises
        ------
        heliodor.errors.ReferenceError
            Some are missing; the message says what they were looked for by.
        """
        if not self.missing:
            return
        keywords = self.exposure.keywords
        lines: dict[str, str] = {}
        for step, need, answer in self.missing:
            looked = ", ".join(f"{key}={keywords.get(key)}" for key in ("INSTRUME", *need.keys))
            lines.setdefault(
                need.type, f"{need.type} for {looked} (needed by {step.label}): {answer.why}"
            )
        raise ReferenceError(
            f"{self.exposure.path}: reference files are missing.\n"
            + "\n".join(lines.values())
            + "\nGive a folder with --references DIR, or a file with --ref TYPE=FILE."
        )

    @property
    def scopes(self) -> frozenset[str]:
        """How far its steps look: ``exposure``, ``segments``, ``association``."""
        return frozenset(step.spec.scope for step in self.steps if step.runs)

    @property
    def on_scratch(self) -> bool:
        """Whether the ramp is worked on in a file, because memory is limited."""
        limit = self.request.max_memory
        return limit is not None and self.memory.peak > limit

    def workspace(self) -> Workspace:
        """Give the place for large arrays."""
        request = self.request
        if self.on_scratch and request.max_memory is not None:
            folder = request.scratch or request.out
            return Scratch(folder, request.max_memory, request.threads)
        return MEMORY

    @property
    def room(self) -> int:
        """Memory for rows being worked on, with the ramp on scratch [bytes]."""
        limit = self.request.max_memory or 0
        return max(limit - self.memory.fixed - RESERVE, ROOM)

    @property
    def groups(self) -> tuple[tuple[PlannedNode, ...], ...]:
        """Nodes that are carried out together; in memory, each by itself."""
        groups: list[list[PlannedNode]] = []
        specs: list[StepSpec] = []  # of the last group's steps that run
        for node in self.nodes:
            more = [node.spec] if isinstance(node, PlannedStep) and node.runs else []
            if self._joins(node) and specs and len(convoys([*specs, *more])) == 1:
                groups[-1].append(node)
                specs += more
            else:
                groups.append([node])
                specs = more if self._joins(node) else []
        return tuple(tuple(group) for group in groups)

    def _joins(self, node: PlannedNode) -> bool:
        """Whether others may join a node: a step on a ramp on scratch, sure to run or not to."""
        if not self.on_scratch or not isinstance(node, PlannedStep) or not node.on_ramp:
            return False
        if node.alone:
            return False
        return not node.runs or node.condition.evaluate(self.facts) is True

    @property
    def passes(self) -> tuple[tuple[str, ...], ...]:
        """Traversals of the ramp in order: the phases that share each, as ``step.phase``."""
        nints, threads = self.exposure.shape[0], self.request.threads
        found: list[tuple[str, ...]] = []
        for group in self.groups:
            nodes = (node for node in group if isinstance(node, PlannedStep))
            steps = [step for node in nodes for step in _halves(node) if step.runs and step.on_ramp]
            specs = [step.spec for step in steps]
            if self.on_scratch:
                divided = [one.work for one in share(specs, nints, threads)]
            else:
                divided = [((0, phase),) for spec in specs for phase in spec.phases]
            found += [
                tuple(f"{steps[owner].label}.{phase.name}" for owner, phase in work)
                for work in divided
            ]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as plain data."""
        return {
            "input": str(self.exposure.path),
            "mode": self.mode.name,
            "pipeline": self.pipeline.document.name,
            "build": self.build.as_data() if self.build else None,
            "shape": list(self.exposure.shape),
            "contexts": list(self.contexts),
            "parameter_files": [
                {"file": str(file.path), "found": file.why, "left_out": list(file.left_out)}
                for file in self.parameter_files
            ],
            "steps": [_step_data(step) for step in self.steps],
            "products": {save.suffix: str(save.path) for save in self.saves},
            "fetch": {str(found.path): found.size for _, found in self.absent if found.fetch},
            "missing": self.lacking,
            "caveat": self.caveat,
            "remarks": list(self.remarks),
            "passes": [list(names) for names in self.passes],
            "memory": {**self.memory.to_dict(), "on_scratch": self.on_scratch},
        }


def _reference_data(answer: Answer) -> str:
    if isinstance(answer, Found):
        return str(answer.path) + (f", changed by {answer.by.name}" if answer.by else "")
    return f"port {answer.port}" if isinstance(answer, Made) else answer.why


def _halves(step: PlannedStep) -> Iterator[PlannedStep]:
    """Give a step between the halves of those that wrap it."""
    for after in (False, True):
        for wrapper in step.wrappers if not after else reversed(step.wrappers):
            phases = tuple(phase for phase in wrapper.spec.phases if phase.after == after)
            spec = replace(wrapper.spec, phases=phases)
            yield replace(wrapper, offer=replace(wrapper.offer, spec=spec))
        if not after:
            yield step


def _step_data(step: PlannedStep) -> dict[str, Any]:
    return {
        "label": step.label,
        "name": step.spec.name,
        "distribution": step.offer.plugin.distribution,
        "port": step.port,
        "runs": step.runs,
        "reason": step.reason,
        "parameters": {
            name: {"value": getattr(step.params, name), "origin": str(origin)}
            for name, origin in step.origins.items()
        },
        "references": {name: _reference_data(answer) for name, answer in step.references.items()},
        "inputs": dict(step.inputs),
        "scope": step.spec.scope,
        "wraps": step.spec.wraps,
        "on_error": step.on_error,
        "round": step.round,
        "calls": [_step_data(called) for called in step.calls],
        "phases": {phase.name: phase.looks for phase in step.spec.phases},
    }
