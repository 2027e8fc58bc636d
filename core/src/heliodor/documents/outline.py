"""A pipeline as lines of text, for people: to read it, and to compare it with another."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from heliodor.documents.conditions import ALWAYS, Condition
from heliodor.documents.nodes import (
    AsideNode,
    Branch,
    ChooseNode,
    Document,
    EachNode,
    PipelineNode,
    RepeatNode,
    SaveNode,
    Setting,
    StepNode,
    children,
)

INDENT = "    "


def outline(document: Document) -> list[str]:
    r"""Write a pipeline as lines: a node each, and under it what belongs to it.

    Examples
    --------
    >>> from heliodor.documents.parse import parse
    >>> text = "name: mine\nsteps: [jump: {set: {minimum_groups: 4}}, {save: x, when: {stage: 1}}]"
    >>> print("\n".join(outline(parse(text, "mine.yaml"))))
    jump
        minimum_groups = 4
    save x
        when stage is 1
    """
    lines = [f"for {document.for_.describe()}"] if document.for_ != ALWAYS else []
    lines += [f"option {line}" for line in _settings(document.options)]
    for node in document.steps:
        lines += _lines(node)
    return lines


def difference(before: Document, after: Document) -> list[str]:
    """Compare a pipeline with what edits made of it; the lines of a unified diff of outlines."""
    files = dict.fromkeys(edit.place.file for edit in after.edits)
    name = f"{after.name} with {', '.join(files)}" if files else after.name
    return list(
        difflib.unified_diff(outline(before), outline(after), before.name, name, lineterm="")
    )


def _lines(node: Any) -> Iterator[str]:
    yield _title(node)
    for line in _details(node):
        yield INDENT + line
    inner = () if isinstance(node, StepNode) else children(node)
    for child in inner:
        for line in _lines(child):
            yield INDENT + line


def _title(node: Any) -> str:
    match node:
        case StepNode():
            return node.label if node.label == node.step else f"{node.label} ({node.step})"
        case SaveNode():
            return f"save {node.suffix}" + (f" of {node.of}" if node.of else "")
        case EachNode():
            return f"each {node.selector or ', '.join(node.ports)}"
        case RepeatNode():
            return f"repeat {node.times} times" + _named(node.label, "repeat")
        case AsideNode():
            return "aside" + _named(node.label, "aside")
        case PipelineNode():
            return f"pipeline {node.pipeline}" + _named(node.label, node.pipeline)
        case ChooseNode():
            return "choose" + _named(node.label, "choose")
        case Branch(when=when) if when == ALWAYS:
            return "otherwise"
        case Branch():
            return f"branch {node.label}"
    raise TypeError(f"{node!r} is no node")


def _named(label: str, usual: str) -> str:
    return "" if label == usual else f" ({label})"


def _details(node: Any) -> Iterator[str]:
    if isinstance(node, StepNode):
        yield from _settings(node.settings)
        for word, ports in (("of", node.of), ("to", node.to)):
            if ports:
                yield f"{word} " + ", ".join(f"{name}: {port}" for name, port in ports.items())
        if node.use:
            yield f"use {node.use}"
        if node.save:
            yield f"save {node.save}"
        if node.on_error != "fail":
            yield f"on_error {node.on_error}"
        if node.replaces:
            yield f"replaces {', '.join(node.replaces)}"
        for wrapper in node.wrappers:
            for number, line in enumerate(_lines(wrapper)):
                yield line if number else f"wrapped by {line}"
    if isinstance(node, EachNode) and node.gather:
        yield "gather " + ", ".join(f"{port}: {joiner}" for port, joiner in node.gather.items())
    when: Condition = getattr(node, "when", ALWAYS)
    if when != ALWAYS:
        yield f"when {when.describe()}"


def _settings(settings: tuple[Setting, ...]) -> list[str]:
    """Write parameters; of several values for the same exposures, the last."""
    chosen: dict[tuple[str, Condition], Any] = {}
    for setting in settings:
        chosen.pop((setting.param, setting.when), None)
        chosen[setting.param, setting.when] = setting.value
    return [
        f"{param} = {_shown(value)}" + ("" if when == ALWAYS else f" when {when.describe()}")
        for (param, when), value in chosen.items()
    ]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
