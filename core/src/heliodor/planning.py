"""What will be done to an exposure: decided from headers and documents, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import exposures, stepfiles
from heliodor.declare import ModeSpec, Output, RefNeed
from heliodor.documents.apply import options
from heliodor.documents.conditions import All
from heliodor.documents.facts import facts
from heliodor.documents.nodes import MAIN
from heliodor.documents.shipped import for_exposure
from heliodor.documents.walk import SaveUse, StepUse, walk
from heliodor.engine import load
from heliodor.errors import HeliodorError, NotYetError, UsageError, did_you_mean
from heliodor.layers import Layered
from heliodor.memory import Memory, predict
from heliodor.plans import Plan, PlannedSave, PlannedStep, Request
from heliodor.plugins import Offer, Registry, registry
from heliodor.products.names import product_name
from heliodor.references.selectors import Answer, NotApplicable, Sources, select_all

if TYPE_CHECKING:
    from heliodor.exposures import Exposure
    from heliodor.params import Params


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
    exposure = exposures.look(path)
    plugins = registry()
    try:
        mode = plugins.recognise(exposure.keywords)
    except HeliodorError as error:
        raise type(error)(f"{path}: {error}") from error
    exposures.check_ramp(exposure, mode.layout.ramp)
    return _Planner(plugins, exposure, mode, request or Request()).plan()


class _Planner:
    """Goes through a pipeline once; holds what its nodes share."""

    def __init__(self, plugins: Registry, exposure: Exposure, mode: ModeSpec, request: Request):
        self.plugins = plugins
        self.exposure = exposure
        self.mode = mode
        self.request = request
        known = dict(zip(("nints", "ngroups", "ny", "nx"), exposure.shape, strict=True))
        self.layers, given = _asked(request)
        self.facts = facts(
            exposure.keywords, stage=1, shape=known, mode={"name": mode.name}, option=given
        )
        self.pipeline = for_exposure(plugins, mode, 1, self.facts, request.pipelines)
        _check_options(given, options(self.pipeline.document))
        owner = plugins.owner(mode).distribution
        self.trusted = {owner, *mode.providers, self.pipeline.distribution}

    def plan(self) -> Plan:
        uses = list(walk(self.pipeline.document, self.facts))
        steps = [use for use in uses if isinstance(use, StepUse)]
        names = {use.label for use in steps} | {use.step for use in steps}
        self.layers.check(names)
        for use in steps:
            self.layers.add_settings(use.label, use.settings)
        nodes: list[PlannedStep | PlannedSave] = []
        for node in self._by_port(uses):
            if isinstance(node, tuple):
                nodes.append(self._step(*node))
            elif node.runs is not False:
                nodes.append(self._save(node))
        nodes = _reachable(self._with_references(nodes))
        _refuse_shared_keywords(nodes)
        running = [node for node in nodes if isinstance(node, PlannedStep) and node.runs]
        switches = {
            f"{node.spec.name}.{output.option}": _wanted(output, node.params)
            for node in running
            for output in node.spec.makes
        }
        memory = predict(
            self.exposure.shape,
            [node.spec for node in running],
            zeroframe=bool(self.exposure.keywords.get("ZEROFRAM")),
            options=switches,
            joined=bool(self.exposure.keywords.get("SSTR_NST")),
        )
        self._check_limit(memory)
        return Plan(
            self.exposure, self.mode, self.pipeline, tuple(nodes), self.facts, memory, self.request
        )

    def _check_limit(self, memory: Memory) -> None:
        limit = self.request.max_memory
        if limit is None or memory.peak <= limit:
            return
        if memory.least > limit:
            raise UsageError(
                f"{self.exposure.path}: --max-memory {limit / 1e9:.2f}G is too little: steps and "
                f"references of this exposure take {memory.least / 1e9:.2f} GB even with it on "
                "scratch."
            )
        if exposures.compressed(self.exposure.path):
            raise UsageError(
                f"{self.exposure.path}: a compressed file is read as a whole, which takes more "
                "than --max-memory allows. Unpack it first."
            )

    def _by_port(self, uses: list[StepUse | SaveUse]) -> list[tuple[StepUse, str] | SaveUse]:
        """Order the nodes of a loop port by port: each product is finished before the next."""
        ordered: list[tuple[StepUse, str] | SaveUse] = []
        loop: list[tuple[StepUse, str] | SaveUse] = []
        ports: tuple[str, ...] = ()

        def close() -> None:
            ordered.extend(sorted(loop, key=lambda each: ports.index(_port(each))))
            loop.clear()

        for use in uses:
            if isinstance(use, StepUse):
                if use.each != ports:
                    close()
                    ports = use.each
                if use.each:
                    loop.extend((use, port) for port in use.each)
                else:
                    ordered.append((use, next(iter(use.of.values()), MAIN)))
            elif use.port in ports:
                loop.append(use)
            else:
                close()
                ports = ()
                ordered.append(use)
        close()
        return ordered

    def _step(self, use: StepUse, port: str) -> PlannedStep:
        _refuse_unwritten(use)
        offer, use = self._offer(use, port)
        params, origins = self.layers.resolve(use.label, load(offer.spec.params), use.step)
        runs, reason = use.runs is not False, use.reason
        if runs and params.skip:
            runs, reason = False, f"skip is true ({origins['skip']})"
        changed = {
            name: origin
            for name, origin in origins.items()
            if origin.layer != "declared default" and name != "skip"
        }
        return PlannedStep(
            label=use.label,
            offer=offer,
            params=params,
            origins=changed,
            port=port,
            to=use.to,
            runs=runs,
            reason=reason,
            condition=use.condition,
            offered=self._offered(offer),
        )

    def _offer(self, use: StepUse, port: str) -> tuple[Offer, StepUse]:
        """Choose who does a step; one from a file may itself say when it is done."""
        if not stepfiles.is_code(use.step):
            keywords = self.exposure.keywords
            return self.plugins.choose(use.step, keywords, self.trusted, use.use), use
        if use.use is not None:
            raise use.place.error(f"'use' is for steps of plugins, not for {use.step}.")
        try:
            offer = stepfiles.find(use.step, self.plugins, ramp=port == MAIN)
        except HeliodorError as error:
            raise type(error)(f"{use.place}: {error}") from error
        on_ramp = port == MAIN and self.facts["stage"] == 1
        if on_ramp != (offer.spec.takes == "ramp"):
            what = "a product: say which with 'of'" if on_ramp else f"ramps, and not on {port}"
            raise use.place.error(f"{use.label} works on {what}.")
        truth = offer.when.evaluate(self.facts)
        condition = All((use.condition, offer.when))
        if use.runs is not False and not offer.spec.applies.accepts(self.exposure.keywords):
            asked = offer.spec.applies.keywords.items()
            reason = ", ".join(f"{name} {' or '.join(values)}" for name, values in asked)
            use = replace(use, runs=False, reason=f"it is for {reason}")
        elif truth is False and use.runs is not False:
            use = replace(use, runs=False, reason=offer.when.because(self.facts))
        elif truth is not True and use.runs is True:
            use = replace(use, runs=truth, reason=f"decided at run: {offer.when.describe()}")
        return offer, replace(use, condition=condition)

    def _offered(self, chosen: Offer) -> tuple[str, ...]:
        """Name strangers whose implementation would have been more specific."""
        if isinstance(chosen, stepfiles.FileOffer):
            return ()
        return tuple(
            offer.plugin.distribution
            for offer in self.plugins.steps[chosen.spec.name]
            if offer is not chosen
            and offer.spec.applies.accepts(self.exposure.keywords)
            and offer.spec.applies.within(chosen.spec.applies)
        )

    def _save(self, use: SaveUse) -> PlannedSave:
        name = product_name(self.exposure.path, use.suffix)
        return PlannedSave(use.port, use.suffix, self.request.out / name, use.condition)

    def _with_references(
        self, nodes: list[PlannedStep | PlannedSave]
    ) -> list[PlannedStep | PlannedSave]:
        """Ask for all types at once; a step whose reference does not apply is left out."""
        keywords = self.exposure.keywords
        needs: dict[str, RefNeed] = {}
        for node in nodes:
            if isinstance(node, PlannedStep) and node.runs:
                for need in node.spec.refs:
                    if need.asked(keywords, node.params):
                        needs.setdefault(need.type, need)
        sources = Sources(self.request.references, self.request.folders, self.exposure.path)
        answers = select_all(self.plugins.selectors, tuple(needs.values()), keywords, sources)
        return [
            self._given(node, answers) if isinstance(node, PlannedStep) and node.runs else node
            for node in nodes
        ]

    def _given(self, step: PlannedStep, answers: Mapping[str, Answer]) -> PlannedStep:
        keywords = self.exposure.keywords
        needs = [need for need in step.spec.refs if need.asked(keywords, step.params)]
        own = {need.type: answers[need.type] for need in needs}
        for need in needs:
            answer = own.get(need.type)
            if isinstance(answer, NotApplicable) and not need.optional:
                reason = f"no {need.type} reference applies: {answer.why}"
                return replace(step, references=own, runs=False, reason=reason)
        return replace(step, references=own)


def _port(node: tuple[StepUse, str] | SaveUse) -> str:
    return node[1] if isinstance(node, tuple) else node.port


def _refuse_unwritten(use: StepUse) -> None:
    if use.on_error != "fail":
        raise NotYetError(
            f"{use.place}: {use.label}: 'on_error: {use.on_error}' is understood, but cannot be "
            "run yet."
        )


def _refuse_shared_keywords(nodes: list[PlannedStep | PlannedSave]) -> None:
    """Refuse a step from a file that would record itself under another's keyword."""
    owners: dict[str, PlannedStep] = {}
    steps = [node for node in nodes if isinstance(node, PlannedStep)]
    for step in sorted(steps, key=lambda step: isinstance(step.offer, stepfiles.FileOffer)):
        other = owners.setdefault(step.spec.status, step)
        if isinstance(step.offer, stepfiles.FileOffer) and other.spec.name != step.spec.name:
            raise UsageError(
                f"{step.offer.plugin}: {step.label} and {other.label} would both be recorded as "
                f"{step.spec.status}; give yours another, such as @step(status='S_MINE')."
            )


def _reachable(nodes: list[PlannedStep | PlannedSave]) -> list[PlannedStep | PlannedSave]:
    """Leave out what works on a product that no running step makes."""
    made = {MAIN}
    kept: list[PlannedStep | PlannedSave] = []
    for node in nodes:
        if isinstance(node, PlannedSave):
            if node.port in made:
                kept.append(node)
            continue
        if node.port not in made:
            reason = node.reason or f"there will be no {node.port}"
            kept.append(replace(node, runs=False, reason=reason))
            continue
        kept.append(node)
        if node.runs:
            asked = (out for out in node.spec.makes if _wanted(out, node.params))
            made.update(node.to.get(out.name, out.name) for out in asked)
    return kept


def _wanted(output: Output, params: Params) -> bool:
    return not output.option or bool(getattr(params, output.option))


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
