"""What of a plan can be done, and what is at work at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from heliodor.declare import Output
from heliodor.documents.nodes import MAIN
from heliodor.memory import Load
from heliodor.plans import PlannedCopy, PlannedNode, PlannedStep

if TYPE_CHECKING:
    from heliodor.params import Params


def left_out(step: PlannedStep, reason: str) -> PlannedStep:
    """Leave a step out, and with it those that wrap it."""
    because = f"{step.label} is left out"
    wrappers = tuple(replace(each, runs=False, reason=because) for each in step.wrappers)
    return replace(step, runs=False, reason=reason, wrappers=wrappers)


def reachable(nodes: list[PlannedNode]) -> list[PlannedNode]:
    """Leave out what works on a product that no running step makes."""
    made = {MAIN}
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
