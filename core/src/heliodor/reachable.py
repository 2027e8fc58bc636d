"""What flows where in a plan, what of it can be done, and what is at work at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from heliodor.declare import Keywords, Output, RefNeed, StepSpec, TransformSpec
from heliodor.documents.conditions import UNDECIDED, Facts
from heliodor.documents.nodes import MAIN, Document, TakeReference
from heliodor.documents.walk import StepUse
from heliodor.errors import did_you_mean
from heliodor.memory import Load
from heliodor.plans import PlannedCopy, PlannedNode, PlannedStep
from heliodor.references.selectors import Answer, Made

if TYPE_CHECKING:
    from heliodor.params import Params


def left_out(step: PlannedStep, reason: str) -> PlannedStep:
    """Leave a step out, and with it those that wrap it."""
    because = f"{step.label} is left out"
    wrappers = tuple(replace(each, runs=False, reason=because) for each in step.wrappers)
    return replace(step, runs=False, reason=reason, wrappers=wrappers)


def reachable(nodes: list[PlannedNode], given: Collection[str] = ()) -> list[PlannedNode]:
    """Leave out what works on a product that is neither given nor made by a running step."""
    made = {MAIN, *given}
    kept: list[PlannedNode] = []
    for node in nodes:
        if not isinstance(node, PlannedStep):
            if node.port in made:
                kept.append(node)
            if isinstance(node, PlannedCopy):
                made |= {node.to} if node.port in made else set()
            continue
        missing = sorted(node.uses - made)
        if missing:
            reason = node.reason or f"there will be no {', no '.join(missing)}"
            kept.append(left_out(node, reason))
            continue
        kept.append(node)
        for step in (*node.wrappers, node):
            if step.runs:
                asked = (out for out in step.spec.makes if wanted(out, step.params))
                made.update(step.to.get(out.name, out.name) for out in asked)
    return [_with_planes(node, kept) if isinstance(node, PlannedCopy) else node for node in kept]


def _with_planes(copy: PlannedCopy, nodes: list[PlannedNode]) -> PlannedCopy:
    """Name the planes that steps on a copy change."""
    written: set[str] = set()
    for node in nodes:
        if isinstance(node, PlannedStep) and node.runs and node.port == copy.to:
            written.update(*(step.spec.writes for step in (node, *node.wrappers)))
    return replace(copy, planes=tuple(sorted(written)))


def loads(nodes: list[PlannedNode]) -> Iterator[Load]:
    """Say what is at work at one time; rounds after the second are like that one."""
    copies: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        if isinstance(node, PlannedCopy):
            copies[node.to] = node.planes
        if not isinstance(node, PlannedStep) or not node.runs or node.round > 2:
            continue
        steps = (node, *node.wrappers)
        called = [each for step in steps for each in step.all_calls]
        held = [*copies.get(node.port, ()), *(plane for c in called for plane in c.spec.writes)]
        if node.on_error == "skip":
            held += node.spec.writes
        others = [*node.wrappers, *called]
        yield Load(node.spec, tuple(each.spec for each in others), tuple(held), node.in_place)


def holding(nodes: list[PlannedNode]) -> list[str]:
    """Name the steps that hold a whole ramp in memory."""
    return [
        step.label
        for node in nodes
        if isinstance(node, PlannedStep) and node.runs
        for step in (node, *node.wrappers, *node.all_calls)
        if step.runs and step.spec.in_memory and step.on_ramp
    ]


def switches(nodes: list[PlannedNode]) -> dict[str, bool]:
    """Say which optional products are asked for."""
    return {
        f"{step.spec.name}.{output.option}": wanted(output, step.params)
        for node in nodes
        if isinstance(node, PlannedStep) and node.runs
        for step in (node, *node.wrappers, *node.all_calls)
        for output in step.spec.makes
    }


def wanted(output: Output, params: Params) -> bool:
    """Whether a product is made with these parameters."""
    return not output.option or bool(getattr(params, output.option))


def made_before(nodes: list[PlannedNode], taken: list[TakeReference]) -> list[dict[str, Answer]]:
    """Say for each node which references earlier steps of the run make."""
    filled: set[str] = set()
    found: list[dict[str, Answer]] = []
    for node in nodes:
        found.append({each.type: Made(each.port) for each in taken if each.port in filled})
        if isinstance(node, PlannedStep):
            filled.update(node.to.get(out.name, out.name) for out in node.spec.makes)
    return found


def outputs(use: StepUse, spec: StepSpec) -> Mapping[str, str]:
    """Give the port of each product; a port without a product's name is for the only one."""
    if MAIN not in use.to:
        return use.to
    if len(spec.makes) != 1:
        made = ", ".join(output.name for output in spec.makes) or "nothing"
        raise use.place.error(f"{use.label} makes {made}; write 'to: {{PRODUCT: PORT}}'.")
    return {spec.makes[0].name: use.to[MAIN]}


def inputs(use: StepUse, spec: StepSpec) -> Mapping[str, str]:
    """Give the port of each earlier product that a step reads; by default the one of its name."""
    for name in use.inputs:
        if name not in spec.reads:
            raise use.place.error(did_you_mean(name, spec.reads, f"input of {use.label}"))
    return {name: use.inputs.get(name, name) for name in spec.reads}


def needs_of(node: PlannedNode, keywords: Keywords) -> Iterator[RefNeed]:
    """Give the references that a node needs, with those that wrap it or that it calls."""
    if not isinstance(node, PlannedStep) or not node.runs:
        return
    for step in (node, *(wrapper for wrapper in node.wrappers if wrapper.runs)):
        for each in (step, *step.all_calls):
            yield from (need for need in each.spec.refs if need.asked(keywords, each.params))


def taken_references(
    document: Document,
    nodes: list[PlannedNode],
    known: Mapping[str, TransformSpec],
    facts: Facts,
) -> list[TakeReference]:
    """Give what a pipeline says about the references of this exposure, if all of it has a meaning.

    Parameters
    ----------
    document : the pipeline
    nodes : of the plan
    known : transforms by name
    facts : about the exposure
    """
    steps = [node for node in nodes if isinstance(node, PlannedStep)]
    types = {
        need.type
        for node in steps
        for step in (node, *node.wrappers, *node.all_calls)
        for need in step.spec.refs
    }
    taken = []
    for each in document.references:
        if each.type not in types:
            raise each.place.error(did_you_mean(each.type, types, "reference type here"))
        if each.by and each.by not in known:
            raise each.place.error(did_you_mean(each.by, known, "transform"))
        if each.by and each.type not in known[each.by].types:
            allowed = known[each.by].types
            raise each.place.error(did_you_mean(each.type, allowed, f"type for {each.by}"))
        truth = each.when.evaluate(facts)
        if truth is UNDECIDED:
            raise each.place.error("references cannot depend on what is decided at run.")
        if truth:
            taken.append(each)
    return taken
