"""What will be done to an exposure: decided from headers and documents, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import exposures, parametersources, stepfiles
from heliodor.declare import ModeSpec, RefNeed
from heliodor.documents.apply import options
from heliodor.documents.facts import facts
from heliodor.documents.nodes import MAIN, Document
from heliodor.documents.shipped import for_exposure
from heliodor.documents.walk import walk, with_options
from heliodor.errors import (
    ExposureError,
    HeliodorError,
    NotYetError,
    UsageError,
    did_you_mean,
)
from heliodor.exposures import SIZES
from heliodor.fitsopen import compressed
from heliodor.layers import Layered
from heliodor.memory import Memory, predict
from heliodor.parametersources import Wanted
from heliodor.placing import Placer
from heliodor.plans import Plan, PlannedNode, PlannedStep, Request
from heliodor.plugins import Registry, registry
from heliodor.products.names import product_name
from heliodor.reachable import (
    holding,
    left_out,
    loads,
    made_before,
    needs_of,
    reachable,
    switches,
    taken_references,
    wanted,
)
from heliodor.references import locked
from heliodor.references.selectors import Answer, Found, NotApplicable, select_all

if TYPE_CHECKING:
    from heliodor.builds.history import Profile, Reproduction
    from heliodor.exposures import Exposure


def plan(path: str | Path, request: Request | None = None) -> Plan:
    """Decide what will be done to an exposure.

    Parameters
    ----------
    path : raw exposure
    request : parameters, edits, references; nothing but defaults if None

    Raises
    ------
    heliodor.errors.ExposureError
        The file is not a usable exposure.
    heliodor.errors.UsageError
        The request names something that does not exist, or a value that is not allowed.
    """
    request = request or Request()
    locked.refuse_additions(request)
    exposure = exposures.look(path)
    plugins = registry()
    try:
        mode = plugins.recognise(exposure.keywords)
    except HeliodorError as error:
        raise type(error)(f"{path}: {error}") from error
    if not request.pipelines:
        exposures.check_ramp(exposure, mode.layout.ramp)
    return _Planner(plugins, exposure, mode, request).plan()


class _Planner:
    """Goes through a pipeline once; holds what its nodes share."""

    def __init__(self, plugins: Registry, exposure: Exposure, mode: ModeSpec, request: Request):
        self.plugins = plugins
        self.exposure = exposure
        self.mode = mode
        self.request = request
        self.layers, given = _asked(request)
        stage = exposures.STAGES.get(exposure.level, 1)
        about = facts(
            exposure.keywords,
            stage=stage,
            shape=exposure.sizes,
            mode={"name": mode.name},
            option=given,
        )
        owner = plugins.owner(mode).distribution
        self.profile = _profile(plugins, request.build, {owner, *mode.providers})
        self.pipeline = for_exposure(plugins, mode, stage, about, request.pipelines, self.profile)
        self.takes = self.pipeline.document.in_.get(MAIN, MAIN)
        if self.takes in (MAIN, *exposures.RAMP_LEVELS):
            exposures.check_ramp(exposure, mode.layout.ramp)
        elif exposure.level != self.takes:
            raise ExposureError(
                f"{exposure.path}: is of level {exposure.level}; "
                f"{self.pipeline.document.name} takes {self.takes}."
            )
        self.beside = _beside(exposure, self.pipeline.document)
        usual = self.profile.build.context if self.profile else ""
        self.sources = replace(request.sources(exposure.path), usual_context=usual)
        self.files = parametersources.for_pipeline(
            self.pipeline.document,
            mode.pipelines.get(stage, ""),
            plugins,
            exposure.keywords,
            Wanted(self.sources, request.parameter_files, request.parameter_references),
        )
        document = parametersources.with_options(self.pipeline.document, self.files)
        self.pipeline = replace(self.pipeline, document=document)
        self.facts = with_options(document, about)
        _check_options(given, options(document))
        self.trusted = {owner, *mode.providers, self.pipeline.distribution}

    def plan(self) -> Plan:
        placer = Placer(
            self.plugins,
            self.exposure,
            self.facts,
            frozenset(self.trusted),
            self.takes,
            self.layers,
            self.files,
            self.request.out,
        )
        nodes = placer.nodes(walk(self.pipeline.document, self.facts))
        if self.profile is not None:
            self.profile.refuse_absent(self.layers.given, placer.names, self.pipeline.bare)
        self.layers.check(placer.names)
        nodes = reachable(self._with_references(nodes), self.beside)
        stepfiles.refuse_shared_keywords([node for node in nodes if isinstance(node, PlannedStep)])
        nodes = self._spending(nodes)
        nints, ngroups, ny, nx = (self.exposure.sizes.get(name, 1) for name in SIZES)
        memory = predict(
            (nints, ngroups, ny, nx),
            loads(nodes),
            zeroframe=bool(self.exposure.keywords.get("ZEROFRAM")),
            options=switches(nodes),
            joined=bool(self.exposure.keywords.get("SSTR_NST")),
            exposures=self.request.together,
            images=0 if self.exposure.level in exposures.RAMP_LEVELS else len(self.exposure.planes),
        )
        given = sum(each.in_memory for each in self.beside.values())
        memory = replace(memory, planes=memory.planes + given * self.request.together)
        self._check_limit(memory, nodes)
        return Plan(
            self.exposure, self.mode, self.pipeline, tuple(nodes), self.facts, memory, self.request,
            self.files, self._reproduction(nodes), self.beside, locked.remarks(self.sources.lock),
            self.sources,
        )  # fmt: skip

    def _reproduction(self, nodes: list[PlannedNode]) -> Reproduction | None:
        if self.profile is None:
            return None
        from heliodor.builds.history import Reproduction, sentences

        running = [node for node in nodes if isinstance(node, PlannedStep) and node.runs]
        by = {step.spec.name: step.offer.plugin.distribution for step in running}
        chosen = [answer for step in running for answer in step.references.values()]
        contexts = {each.context for each in chosen if isinstance(each, Found) and each.context}
        lacking = (
            *sentences(self.profile, not self.pipeline.distribution, contexts),
            *self.profile.lacking(self.pipeline.bare, self.facts, by, self.trusted),
        )
        return Reproduction(self.profile.build, lacking)

    def _spending(self, nodes: list[PlannedNode]) -> list[PlannedNode]:
        """Mark the step that may put its results into the ramp's memory, if there is one."""
        users = [node for node in nodes if MAIN in node.uses and getattr(node, "runs", True)]
        last = users[-1] if users else None
        if not isinstance(last, PlannedStep) or last.alone or last.calls:
            return nodes
        made = [output for output in last.spec.makes if wanted(output, last.params)]
        ngroups = self.exposure.sizes.get("ngroups", 0)
        fits = any(output.in_place and output.planes <= ngroups for output in made)
        if not fits or any(output.option for output in made):
            return nodes
        return [replace(node, in_place=True) if node is last else node for node in nodes]

    def _check_limit(self, memory: Memory, nodes: list[PlannedNode]) -> None:
        limit = self.request.max_memory
        if limit is None or memory.peak <= limit:
            return
        if held := holding(nodes):
            raise UsageError(
                f"{self.exposure.path}: {', '.join(held)} would hold the whole exposure in memory, "
                f"which takes more than --max-memory {limit / 1e9:.2f}G allows. Leave it out "
                f"(--skip), or allow {memory.peak / 1e9:.2f}G."
            )
        if memory.least > limit:
            raise UsageError(
                f"{self.exposure.path}: --max-memory {limit / 1e9:.2f}G is too little: steps and "
                f"references of this exposure take {memory.least / 1e9:.2f} GB even with it on "
                "scratch."
            )
        if compressed(self.exposure.path):
            raise UsageError(
                f"{self.exposure.path}: a compressed file is read as a whole, which takes more "
                "than --max-memory allows. Unpack it first."
            )

    def _with_references(self, nodes: list[PlannedNode]) -> list[PlannedNode]:
        """Ask for all types at once; a step whose reference does not apply is left out."""
        taken = taken_references(self.pipeline.document, nodes, self.plugins.transforms, self.facts)
        made = made_before(nodes, taken)
        needs: dict[str, RefNeed] = {}
        for node, own in zip(nodes, made, strict=True):
            for need in needs_of(node, self.exposure.keywords):
                if need.type not in own:
                    needs.setdefault(need.type, need)
        overrides = parametersources.overrides(self.request.references, self.files)
        self.sources = replace(self.sources, overrides=overrides)
        wanted, keywords = tuple(needs.values()), self.exposure.keywords
        answers = select_all(self.plugins.selectors, wanted, keywords, self.sources)
        for each in taken:
            answer = answers.get(each.type)
            if each.by and isinstance(answer, Found):
                answers[each.type] = replace(answer, by=self.plugins.transforms[each.by])
        return [
            self._given(node, {**answers, **own})
            if isinstance(node, PlannedStep) and node.runs
            else node
            for node, own in zip(nodes, made, strict=True)
        ]

    def _given(self, step: PlannedStep, answers: Mapping[str, Answer]) -> PlannedStep:
        keywords = self.exposure.keywords
        needs = [need for need in step.spec.refs if need.asked(keywords, step.params)]
        step = replace(
            step,
            references={need.type: answers[need.type] for need in needs},
            wrappers=tuple(
                self._given(each, answers) if each.runs else each for each in step.wrappers
            ),
            calls=tuple(self._given(each, answers) for each in step.calls),
        )
        for need in needs:
            answer = answers[need.type]
            if isinstance(answer, NotApplicable) and not need.optional:
                return left_out(step, f"no {need.type} reference applies: {answer.why}")
        for called in step.calls:
            if not called.runs:
                return left_out(step, f"{called.label} cannot be done: {called.reason}")
        return step


def _beside(exposure: Exposure, document: Document) -> dict[str, Exposure]:
    """Find the earlier products that a pipeline begins with, in the folder of the exposure."""
    found = {}
    for port, suffix in document.in_.items():
        if port == MAIN:
            continue
        if "." in suffix:
            raise NotYetError(f"{document.place}: '{suffix}' as input cannot be read yet.")
        path = exposure.path.with_name(product_name(exposure.path, suffix))
        found[port] = exposures.look(path)
    return found


def _profile(plugins: Registry, build: str | None, trusted: set[str]) -> Profile | None:
    if build is None:
        return None
    from heliodor.builds.history import history

    return history(plugins).profile(build, trusted)


def _asked(request: Request) -> tuple[Layered, dict[str, Any]]:
    """Sort the parameters asked for into those of steps and options of the pipeline."""
    layers = Layered()
    layer = request.layer
    parameters, skip = ("-p", "--skip") if layer == "command line" else ("parameters", "skip")
    given: dict[str, Any] = {}
    for name, value in request.parameters.items():
        step, dot, param = name.rpartition(".")
        if dot:
            layers.add(layer, parameters, step, param, value)
        else:
            given[name] = _boolean(name, value)
    for step in request.skip:
        layers.add(layer, skip, step, "skip", True)
    return layers, given


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise UsageError(f"{name} = {value} is not allowed: options are true or false.")
    return text == "true"


def _check_options(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(
                did_you_mean(name, known, "option of the pipeline")
                + " Parameters of steps are written STEP.NAME."
            )
