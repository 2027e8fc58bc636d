"""Which references an exposure gets, who chose them, and what else was looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from heliodor import parametersources
from heliodor.errors import UsageError, did_you_mean
from heliodor.plugins import registry
from heliodor.references.selectors import (
    Answer,
    Considered,
    Found,
    Made,
    NotApplicable,
    Sources,
    Unknown,
    ask,
    select_all,
)

if TYPE_CHECKING:
    from heliodor.declare import RefNeed
    from heliodor.plans import Plan, PlannedStep


@dataclass(frozen=True)
class Source:
    """A source that was asked for one type.

    Attributes
    ----------
    selector : its name
    why : what it said
    considered : files it looked at, the nearest first
    """

    selector: str
    why: str
    considered: tuple[Considered, ...] = ()


@dataclass(frozen=True)
class Explained:
    """The reference of one type.

    Attributes
    ----------
    type : of the reference
    steps : that read it
    needed : a step cannot do without it
    answer : what was found
    asked : sources in order; the last one gave the answer, unless it is unknown
    """

    type: str
    steps: tuple[str, ...]
    needed: bool
    answer: Answer
    asked: tuple[Source, ...] = ()

    @property
    def file(self) -> str:
        """Name of the file, or what there is instead."""
        match self.answer:
            case Found(path=path):
                return path.name
            case Made(port=port):
                return f"{port} of this run"
            case NotApplicable():
                return "N/A"
        return "none"

    @property
    def selector(self) -> str:
        """The source that answered; empty if none did."""
        answered = isinstance(self.answer, Found | NotApplicable)
        return self.asked[-1].selector if answered and self.asked else ""

    @property
    def context(self) -> str:
        """Version of the rules that chose the file; empty if there are none."""
        return self.answer.context if isinstance(self.answer, Found) else ""

    @property
    def missing(self) -> bool:
        """Whether a step that will be run lacks it, and nobody can bring it."""
        found = self.answer if isinstance(self.answer, Found) else None
        lost = found is not None and found.absent and not found.fetch
        return self.needed and (lost or isinstance(self.answer, Unknown))

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        found = self.answer if isinstance(self.answer, Found) else None
        return {
            "type": self.type,
            "steps": list(self.steps),
            "needed": self.needed,
            "answer": type(self.answer).__name__,
            "file": str(found.path) if found else None,
            "selector": self.selector or None,
            "why": self.answer.why,
            "context": self.context,
            "changed_by": found.by.name if found and found.by else None,
            "asked": [
                {
                    "selector": source.selector,
                    "why": source.why,
                    "considered": [
                        {"file": each.name, "chosen": each.chosen, "why": each.why}
                        for each in source.considered
                    ],
                }
                for source in self.asked
            ],
        }


def explain(planned: Plan, types: Collection[str] = ()) -> list[Explained]:
    """Explain the references of an exposure.

    Parameters
    ----------
    planned : its plan
    types : reference types to explain; without, all that are needed, and the parameter references
        that were found

    Raises
    ------
    UsageError
        A type is none that the pipeline knows.
    """
    asking = list(_asking(planned))
    parameters = _parameter_types(planned)
    answers = {need.type: (need, answer) for _, need, answer in asking}
    for name in types:
        if name not in answers and name not in parameters:
            raise UsageError(did_you_mean(name, {*answers, *parameters}, "reference type here"))
    open_needs = [need for need, answer in answers.values() if not isinstance(answer, Made)]
    sources = _sources(planned, open_needs, planned.sources)
    explained = [
        Explained(
            name,
            tuple(dict.fromkeys(step.label for step, need, _ in asking if need.type == name)),
            any(need.type == name and not need.optional and step.runs for step, need, _ in asking),
            answer,
            sources.get(name, ()),
        )
        for name, (_, answer) in answers.items()
    ]
    explained += _parameters(planned, parameters, types)
    return [each for each in explained if not types or each.type in types]


def chosen(planned: Plan) -> dict[str, str]:
    """Give the file, or what there is instead, by type; of parameter references those found."""
    answers = {need.type: answer for _, need, answer in _asking(planned)}
    needs = tuple(map(parametersources.need, _parameter_types(planned)))
    sources = replace(planned.sources, overrides={})
    found = select_all(registry().selectors, needs, planned.exposure.keywords, sources)
    answers |= {name: each for name, each in found.items() if isinstance(each, Found)}
    return {name: Explained(name, (), False, each).file for name, each in answers.items()}


def _parameter_types(planned: Plan) -> tuple[str, ...]:
    steps = [step.spec.name for step in planned.steps]
    return parametersources.types_of(steps, planned.pipeline.document.name)


def _asking(planned: Plan) -> Iterator[tuple[PlannedStep, RefNeed, Answer]]:
    """Give each step with each reference it asks for, and the answer."""
    for user in planned.steps:
        for step in (user, *user.all_calls):
            for need in step.spec.refs:
                if need.type in step.references:
                    yield step, need, step.references[need.type]


def _sources(
    planned: Plan, needs: Iterable[RefNeed], sources: Sources
) -> dict[str, tuple[Source, ...]]:
    """Ask all sources again, and each what it considered."""
    keywords, needs = planned.exposure.keywords, tuple(needs)
    asked = ask(registry().selectors, needs, keywords, sources)
    return {
        need.type: tuple(
            Source(one.spec.name, one.answer.why, one.considered(need, keywords))
            for one in asked[need.type]
        )
        for need in needs
    }


def _parameters(
    planned: Plan, known: Collection[str], types: Collection[str]
) -> Iterator[Explained]:
    """Explain parameter references: those that were found, or that are asked for."""
    found = dict(file.reference for file in planned.parameter_files if file.reference)
    needs = [parametersources.need(name) for name in known if name in found or name in types]
    given = {name: file for name, file in planned.request.references.items() if name in known}
    sources = _sources(planned, needs, replace(planned.sources, overrides=given))
    for name, asked in sources.items():
        yield Explained(name, (), False, found.get(name, Unknown(asked[-1].why)), asked)
