"""What a parameter is, and who has said what about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heliodor.documents.apply import options
from heliodor.documents.conditions import ALWAYS
from heliodor.documents.edits import OPTION
from heliodor.documents.nodes import Document, StepNode, labelled
from heliodor.documents.shipped import all_documents
from heliodor.documents.walk import with_options
from heliodor.engine import load
from heliodor.errors import UsageError, did_you_mean
from heliodor.layers import LAYERS
from heliodor.plugins import Offer, Registry, registry
from heliodor.receipt import plain

if TYPE_CHECKING:
    from heliodor.params import Params
    from heliodor.plans import Plan, PlannedStep

DEFAULT = LAYERS[0]


@dataclass(frozen=True, slots=True)
class Say:
    """What one place says about a parameter.

    Attributes
    ----------
    layer : of `heliodor.layers.LAYERS`
    where : place in it, for people
    value : that it gives
    verdict : ``counts``, ``overruled``, or why it is not for this exposure; without an exposure,
        for which it is
    """

    layer: str
    where: str
    value: Any
    verdict: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A parameter of one implementation of a step.

    Attributes
    ----------
    step, parameter : label of the step, or ``option`` for those of the pipeline; and the name
    distribution : that offers the step, or the pipeline
    description, allowed, unit : meaning and range
    default : declared
    value : for the exposure; without one, the default
    said : by whom, the weakest first
    """

    step: str
    parameter: str
    distribution: str
    description: str
    allowed: str
    unit: str
    default: Any
    value: Any
    said: tuple[Say, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        data = {name: getattr(self, name) for name in self.__slots__ if name != "said"}
        said = [{name: getattr(say, name) for name in Say.__slots__} for say in self.said]
        return plain({**data, "said": said})


def explain(name: str, plan: Plan | None = None) -> list[Explanation]:
    """Say what a parameter is, and who has said what about it.

    Parameters
    ----------
    name : ``STEP.PARAMETER``; ``STEP`` for all of a step; ``option.NAME`` for the pipeline's own
    plan : of an exposure; without one, all implementations of the step are explained

    Returns
    -------
    one for each parameter, and without an exposure for each implementation

    Raises
    ------
    UsageError
        There is no such step or parameter; the message names the nearest.
    """
    step, _, param = name.partition(".")
    if plan is None and step == OPTION:
        raise UsageError("an option belongs to a pipeline: give the file of an exposure.")
    found = _anywhere(registry(), step) if plan is None else _planned(plan, step)
    if not param:
        return found
    named = [each for each in found if each.parameter == param]
    if not named:
        what = "option of the pipeline" if step == OPTION else f"parameter of {step}"
        raise UsageError(did_you_mean(param, {each.parameter for each in found}, what))
    return named


def _planned(plan: Plan, step: str) -> list[Explanation]:
    """Explain all parameters of a step for an exposure."""
    if step == OPTION:
        return list(_options(plan))
    chosen = next((each for each in plan.steps if step in (each.label, each.spec.name)), None)
    if chosen is None:
        known = {each.label for each in plan.steps}
        raise UsageError(did_you_mean(step, known, f"step in {plan.pipeline.document.name}"))
    return [
        _explanation(
            chosen.label,
            name,
            type(chosen.params),
            chosen.offer,
            getattr(chosen.params, name),
            tuple(_for_exposure(plan, chosen, name)),
        )
        for name in type(chosen.params).model_fields
    ]


def _for_exposure(plan: Plan, step: PlannedStep, param: str) -> Iterator[Say]:
    given = [each for each in step.said if each.param == param]
    model = type(step.params)
    verdict = "overruled" if given else "counts"
    yield Say(DEFAULT, _place(model), model.model_fields[param].default, verdict)
    others = [
        Say(
            setting.layer,
            str(setting.place),
            setting.value,
            f"not for this exposure: {setting.when.because(plan.facts)}",
        )
        for node in _nodes(plan.pipeline.document, step.label)
        for setting in node.settings
        if setting.param == param and setting.when.evaluate(plan.facts) is not True
    ]
    said = others + [
        Say(
            each.origin.layer,
            each.origin.where,
            each.value,
            "counts" if each is given[-1] else "overruled",
        )
        for each in given
    ]
    yield from sorted(said, key=lambda say: LAYERS.index(say.layer))


def _options(plan: Plan) -> Iterator[Explanation]:
    """Explain the pipeline's own options for an exposure."""
    document = plan.pipeline.document
    for name in options(document):
        fact = f"{OPTION}.{name}".lower()
        said = [
            Say(setting.layer, str(setting.place), setting.value, "overruled")
            for setting in document.options
            if setting.param == name
        ]
        if name in plan.request.parameters:
            said.append(Say(plan.request.layer, "", plan.request.parameters[name], ""))
        if said:
            said[-1] = Say(said[-1].layer, said[-1].where, said[-1].value, "counts")
        value = with_options(document, plan.facts).get(fact)
        yield Explanation(
            OPTION,
            name,
            plan.pipeline.distribution,
            f"Option of {document.name}.",
            "true or false",
            "",
            None,
            value,
            tuple(said),
        )


def _anywhere(plugins: Registry, step: str) -> list[Explanation]:
    """Explain all parameters of a step whatever the exposure, for each implementation."""
    explained = []
    for offer in plugins.offers(step):
        model = load(offer.spec.params)
        for name, field in model.model_fields.items():
            said = [Say(DEFAULT, _place(model), field.default, "")]
            said += _shipped(plugins, step, name)
            explained.append(_explanation(step, name, model, offer, field.default, tuple(said)))
    return explained


def _shipped(plugins: Registry, step: str, param: str) -> Iterator[Say]:
    """Give what the pipelines that are installed say about a step's parameter."""
    for shipped in all_documents(plugins):
        for node in _nodes(shipped.document, step):
            for setting in node.settings:
                if setting.param == param:
                    asked = [
                        each.describe()
                        for each in (shipped.document.for_, setting.when)
                        if each != ALWAYS
                    ]
                    yield Say(
                        setting.layer,
                        f"{setting.place} of {shipped.distribution}",
                        setting.value,
                        f"for {' and '.join(asked)}" if asked else "",
                    )


def _nodes(document: Document, name: str) -> Iterator[StepNode]:
    for _, node in labelled(document.steps):
        if isinstance(node, StepNode) and name in (node.label, node.step):
            yield node


def _explanation(
    label: str, param: str, model: type[Params], offer: Offer, value: Any, said: tuple[Say, ...]
) -> Explanation:
    from heliodor.params import allowed, unit

    field = model.model_fields[param]
    return Explanation(
        step=label,
        parameter=param,
        distribution=offer.plugin.distribution,
        description=field.description or "",
        allowed=allowed(field),
        unit=unit(field),
        default=field.default,
        value=value,
        said=said,
    )


def _place(model: type[Params]) -> str:
    return f"{model.__module__}.{model.__qualname__}"
