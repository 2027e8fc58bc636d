"""Goes through a pipeline for one exposure and says what is to be done, what not, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from heliodor.documents.conditions import (
    ALWAYS,
    UNDECIDED,
    All,
    Condition,
    Facts,
    Not,
    Truth,
)
from heliodor.documents.edits import OPTION
from heliodor.documents.nodes import (
    MAIN,
    AsideNode,
    ChooseNode,
    Document,
    EachNode,
    Node,
    OnError,
    Path,
    PipelineNode,
    RepeatNode,
    SaveNode,
    Setting,
    StepNode,
    labelled,
)
from heliodor.documents.yaml import Place
from heliodor.errors import NotYetError


@dataclass(frozen=True, slots=True)
class StepUse:
    """A step in its place.

    Attributes
    ----------
    label, path : its label, and with those around it
    step : operational name, or where a user's function is
    runs : whether it is done: True, False, or `UNDECIDED` before the run
    condition : all that is asked for it, also by what is around it; for asking again at run
    reason : why it is left out, or what decides at run; empty when it is done
    settings : parameters the documents give for this exposure; a later one counts
    port : what it works on; in a loop over ports, each of these in turn
    inputs : ports that it reads besides, by its name for them
    to : port that each of its products goes to, by product
    use, on_error, replaces, place : as in `heliodor.documents.nodes.StepNode`
    each : ports it is done for, one after the other; empty: once
    round : of the repetition it is in, from 1; 0: of none
    wrappers : steps that have something to do before and after it, the outermost first
    """

    label: str
    path: str
    step: str
    runs: Truth
    condition: Condition
    reason: str
    settings: tuple[Setting, ...]
    port: str
    inputs: Mapping[str, str]
    to: Mapping[str, str]
    use: str | None
    on_error: OnError
    replaces: tuple[str, ...]
    each: tuple[str, ...]
    round: int
    wrappers: tuple[StepUse, ...]
    place: Place

    @property
    def enabled(self) -> bool:
        """Whether the documents leave it switched on; layers above them may say otherwise."""
        skip = [setting.value for setting in self.settings if setting.param == "skip"]
        return not skip or str(skip[-1]).lower() not in _TRUE


@dataclass(frozen=True, slots=True)
class CopyUse:
    """A port that is copied, for steps that go aside.

    Attributes
    ----------
    port, to : the port, and that of the copy
    runs, condition : as in `StepUse`
    """

    port: str
    to: str
    runs: Truth
    condition: Condition


@dataclass(frozen=True, slots=True)
class SaveUse:
    """A product to be written.

    Attributes
    ----------
    suffix : of its file name
    port : what is written
    runs, condition, reason : as in `StepUse`
    after : the step that carries this `save`, or empty
    """

    suffix: str
    port: str
    runs: Truth
    condition: Condition
    reason: str
    after: str
    place: Place


Use: TypeAlias = StepUse | SaveUse | CopyUse

_TRUE = ("true", "yes", "on", "t", "y", "1", "1.0")
"""What pydantic takes for true; here without importing it."""


def walk(document: Document, facts: Facts) -> Iterator[Use]:
    """Go through a pipeline in order.

    Parameters
    ----------
    document : a pipeline, with its edits applied
    facts : what is known about the exposure, as `heliodor.documents.facts.facts` gives it;
        options of the command line in it count more than those of the documents

    Yields
    ------
    StepUse, SaveUse and CopyUse, also for what is left out

    Raises
    ------
    PipelineError
        for a parameter whose condition cannot be decided before the run
    NotYetError
        for loops over a selector, which stages 2 and 3 use
    """
    yield from _Walk(with_options(document, facts)).nodes(document.steps, _Where())


def with_options(document: Document, facts: Facts) -> Facts:
    """Add the options that a document sets to what is known; those that are known stay."""
    chosen = {
        f"{OPTION}.{setting.param}".lower(): setting.value
        for setting in _decided(document.options, facts)
    }
    return {**chosen, **facts}


@dataclass(frozen=True, slots=True)
class _Where:
    """What is around a node.

    Attributes
    ----------
    path : labels
    when : condition of all of it
    each : ports of the loop
    ports : those that have another name here, because they are copies
    round, rounds : of the repetition
    """

    path: Path = ()
    when: Condition = ALWAYS
    each: tuple[str, ...] = ()
    ports: Mapping[str, str] = dataclasses.field(default_factory=dict)
    round: int = 0
    rounds: int = 0

    def inside(self, label: str, **changes: Any) -> _Where:
        """Go into a node."""
        return dataclasses.replace(self, path=(*self.path, label), **changes)

    def port(self, name: str) -> str:
        """Give the name that a port has for the run."""
        return self.ports.get(name, name)


class _Walk:
    """One walk; the facts do not change on the way."""

    def __init__(self, facts: Facts):
        self.facts = facts

    def nodes(self, nodes: tuple[Node, ...], where: _Where) -> Iterator[Use]:
        """Go through nodes."""
        for node in nodes:
            here = where.inside(node.label)
            match node:
                case StepNode():
                    yield from self.step(node, here)
                case SaveNode():
                    saved = dataclasses.replace(here, when=_and(where.when, node.when))
                    yield from self.saves(node.suffix, node.of, saved, "", node.place)
                case ChooseNode():
                    yield from self.choose(node, here)
                case EachNode(ports=ports, selector=None) if not where.each and not node.gather:
                    yield from self.nodes(node.do, dataclasses.replace(here, each=ports))
                case EachNode():
                    raise NotYetError(
                        f"{node.place}: 'each' over a selector, inside another 'each' or with "
                        "'gather' cannot be planned yet."
                    )
                case AsideNode():
                    yield from self.aside(node, here)
                case RepeatNode(times=times):
                    for number in range(1, times + 1):
                        inside = dataclasses.replace(here, round=number, rounds=times)
                        yield from self.nodes(node.do, inside)
                case PipelineNode():
                    inside = dataclasses.replace(here, when=_and(where.when, node.when))
                    yield from self.nodes(node.do, inside)

    def step(self, node: StepNode, where: _Where) -> Iterator[Use]:
        use = self.use(node, where)
        yield use
        if node.save:
            port = next(iter(node.to.values()), None) or node.of.get(MAIN)
            saved = dataclasses.replace(where, when=use.condition)
            yield from self.saves(node.save, port, saved, node.label, node.place)

    def use(self, node: StepNode, where: _Where) -> StepUse:
        when = _and(where.when, node.when)
        runs, reason = self.verdict(when)
        inside = dataclasses.replace(where, when=when)
        return StepUse(
            label=node.label,
            path="/".join(where.path),
            step=node.step,
            runs=runs,
            condition=when,
            reason=reason,
            settings=_decided(node.settings, self.facts),
            port=where.port(node.of.get(MAIN, MAIN)),
            inputs={name: where.port(port) for name, port in node.of.items() if name != MAIN},
            to={name: where.port(port) for name, port in node.to.items()},
            use=node.use,
            on_error=node.on_error,
            replaces=node.replaces,
            each=() if MAIN in node.of else tuple(map(where.port, where.each)),
            round=where.round,
            wrappers=tuple(self.use(each, inside.inside(each.label)) for each in node.wrappers),
            place=node.place,
        )

    def choose(self, node: ChooseNode, where: _Where) -> Iterator[Use]:
        """Go through all branches; each is done if its condition is true and none before was."""
        before: tuple[Condition, ...] = ()
        for branch in node.branches:
            own = All((*(Not(condition) for condition in before), branch.when))
            inside = where.inside(branch.label, when=_and(where.when, own))
            yield from self.nodes(branch.do, inside)
            before = (*before, branch.when)

    def aside(self, node: AsideNode, where: _Where) -> Iterator[Use]:
        """Go aside with copies of what is worked on there; what is made there stays there."""
        steps = [inner for _, inner in labelled(node.do) if isinstance(inner, StepNode)]
        loops = [inner for _, inner in labelled(node.do) if isinstance(inner, EachNode)]
        made = {port for step in steps for port in step.to.values()}
        worked_on = {step.of.get(MAIN, MAIN) for step in steps}
        worked_on.update(port for loop in loops for port in loop.ports)
        here = "/".join(where.path)
        own = {port: f"{here}/{port}" for port in sorted(worked_on | made)}
        runs, _ = self.verdict(where.when)
        for port in sorted(worked_on - made):
            yield CopyUse(where.port(port), own[port], runs, where.when)
        inside = dataclasses.replace(where, ports={**where.ports, **own})
        yield from self.nodes(node.do, inside)

    def saves(
        self, suffix: str, port: str | None, where: _Where, after: str, place: Place
    ) -> Iterator[SaveUse]:
        """Write `port` once, or else every port of the loop; of a repetition, the last round."""
        if where.round < where.rounds:
            return
        runs, reason = self.verdict(where.when)
        for written in (port or MAIN,) if port or not where.each else where.each:
            name = suffix.replace("{port}", written)
            yield SaveUse(name, where.port(written), runs, where.when, reason, after, place)

    def verdict(self, condition: Condition) -> tuple[Truth, str]:
        truth = condition.evaluate(self.facts)
        if truth is True:
            return True, ""
        if truth is False:
            return False, condition.because(self.facts)
        return UNDECIDED, f"decided at run: {condition.describe()}"


def _decided(settings: tuple[Setting, ...], facts: Facts) -> tuple[Setting, ...]:
    """Keep the settings that are meant for this exposure."""
    kept = []
    for setting in settings:
        truth = setting.when.evaluate(facts)
        if truth is UNDECIDED:
            raise setting.place.error(
                f"'{setting.param}' cannot depend on what is decided at run: "
                f"{setting.when.describe()}."
            )
        if truth:
            kept.append(dataclasses.replace(setting, when=ALWAYS))
    return tuple(kept)


def _and(*conditions: Condition) -> Condition:
    """Join conditions, leaving out those that are always true."""
    parts: list[Any] = []
    for condition in conditions:
        parts.extend(condition.parts if isinstance(condition, All) else [condition])
    return parts[0] if len(parts) == 1 else All(tuple(parts))
