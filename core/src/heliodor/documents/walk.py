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
    SaveNode,
    Setting,
    StepNode,
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
    of, to, use, on_error, replaces, place : as in `heliodor.documents.nodes.StepNode`
    each : ports it is done for, one after the other; empty: once
    """

    label: str
    path: str
    step: str
    runs: Truth
    condition: Condition
    reason: str
    settings: tuple[Setting, ...]
    of: Mapping[str, str]
    to: Mapping[str, str]
    use: str | None
    on_error: OnError
    replaces: tuple[str, ...]
    each: tuple[str, ...]
    place: Place

    @property
    def enabled(self) -> bool:
        """Whether the documents leave it switched on; layers above them may say otherwise."""
        skip = [setting.value for setting in self.settings if setting.param == "skip"]
        return not skip or str(skip[-1]).lower() not in _TRUE


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


Use: TypeAlias = StepUse | SaveUse

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
    StepUse and SaveUse, also for what is left out

    Raises
    ------
    PipelineError
        for a parameter whose condition cannot be decided before the run
    NotYetError
        for ``aside``, ``pipeline`` and loops over a selector, which stages 2 and 3 use
    """
    yield from _Walk({**option_facts(document, facts), **facts}).nodes(
        document.steps, (), ALWAYS, ()
    )


def option_facts(document: Document, facts: Facts) -> dict[str, Any]:
    """Give what the documents say about the pipeline's own options, as facts."""
    return {
        f"{OPTION}.{setting.param}".lower(): setting.value
        for setting in _decided(document.options, facts)
    }


class _Walk:
    """One walk; the facts do not change on the way."""

    def __init__(self, facts: Facts):
        self.facts = facts

    def nodes(
        self, nodes: tuple[Node, ...], path: Path, when: Condition, each: tuple[str, ...]
    ) -> Iterator[Use]:
        """Go through nodes that stand under `path`, in a loop over `each`, if `when` holds."""
        for node in nodes:
            here = (*path, node.label)
            match node:
                case StepNode():
                    yield from self.step(node, here, _and(when, node.when), each)
                case SaveNode():
                    yield from self.saves(
                        node.suffix, node.of, _and(when, node.when), each, "", node.place
                    )
                case ChooseNode():
                    yield from self.choose(node, here, when, each)
                case EachNode(ports=ports, selector=None) if not each and not node.gather:
                    yield from self.nodes(node.do, here, when, ports)
                case EachNode():
                    raise NotYetError(
                        f"{node.place}: 'each' over a selector, inside another 'each' or with "
                        "'gather' cannot be planned yet."
                    )
                case AsideNode():
                    raise NotYetError(f"{node.place}: 'aside' cannot be planned yet.")
                case PipelineNode():
                    raise NotYetError(f"{node.place}: 'pipeline' cannot be planned yet.")

    def step(
        self, node: StepNode, path: Path, when: Condition, each: tuple[str, ...]
    ) -> Iterator[Use]:
        runs, reason = self.verdict(when)
        yield StepUse(
            label=node.label,
            path="/".join(path),
            step=node.step,
            runs=runs,
            condition=when,
            reason=reason,
            settings=_decided(node.settings, self.facts),
            of=node.of,
            to=node.to,
            use=node.use,
            on_error=node.on_error,
            replaces=node.replaces,
            each=each,
            place=node.place,
        )
        if node.save:
            port = next(iter(node.to.values()), None) or next(iter(node.of.values()), None)
            yield from self.saves(node.save, port, when, each, node.label, node.place)

    def choose(
        self, node: ChooseNode, path: Path, when: Condition, each: tuple[str, ...]
    ) -> Iterator[Use]:
        """Go through all branches; each is done if its condition is true and none before was."""
        before: tuple[Condition, ...] = ()
        for branch in node.branches:
            own = All((*(Not(condition) for condition in before), branch.when))
            yield from self.nodes(branch.do, (*path, branch.label), _and(when, own), each)
            before = (*before, branch.when)

    def saves(
        self,
        suffix: str,
        port: str | None,
        when: Condition,
        each: tuple[str, ...],
        after: str,
        place: Place,
    ) -> Iterator[SaveUse]:
        """Write `port` once, or else every port of the loop."""
        runs, reason = self.verdict(when)
        for written in (port or MAIN,) if port or not each else each:
            name = suffix.replace("{port}", written)
            yield SaveUse(name, written, runs, when, reason, after, place)

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
