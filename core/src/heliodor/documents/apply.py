"""Applies a user's edits to a pipeline; gives a new document and leaves the old as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from heliodor.documents.addresses import find
from heliodor.documents.conditions import ALWAYS, All, Condition, Not
from heliodor.documents.edits import OPTION
from heliodor.documents.nodes import (
    AsideNode,
    Branch,
    ChooseNode,
    Document,
    EachNode,
    Edit,
    Insert,
    Move,
    Node,
    Path,
    PipelineNode,
    Remove,
    Repeat,
    RepeatNode,
    Replace,
    SaveNode,
    Set,
    StepNode,
    TakeReference,
    Wrap,
    labelled,
)
from heliodor.documents.parse import check, filled
from heliodor.documents.yaml import Place
from heliodor.errors import PipelineError, did_you_mean


def apply(document: Document, *files: Document, ports: Collection[str] = ()) -> Document:
    """Apply edits files in order.

    Parameters
    ----------
    document : a pipeline
    *files : documents with ``extends`` and ``edits``; each sees what those before it made
    ports : that other documents of this exposure have filled

    Returns
    -------
    the edited pipeline; its ``edits`` are those that were applied

    Raises
    ------
    PipelineError
        with file and line of the edit that cannot be applied
    """
    known = {*ports, *filled(document)}  # also those that nothing fills any more
    for file in files:
        document = _apply(document, file, known)
        known |= filled(document)
    return document


def _apply(document: Document, file: Document, ports: set[str]) -> Document:
    if file.extends is None:
        raise file.place.error("this is a whole pipeline, not an edits file: it lacks 'extends'.")
    if file.extends not in (document.name, document.extends):
        raise file.place.error(f"these are edits of {file.extends}, not of {document.name}.")
    edited = dataclasses.replace(document, options=document.options + file.options)
    for edit in file.edits:
        edited = dataclasses.replace(_one(edited, edit), edits=(*edited.edits, edit))
    check(edited, ports)
    return dataclasses.replace(
        edited,
        name=file.name or document.name,
        title=file.title or document.title,
        for_=_both(document.for_, file.for_),
        extends=document.extends or document.name,
    )


def _one(document: Document, edit: Edit) -> Document:
    match edit:
        case Insert():
            return _put(document, edit.nodes, edit.side, edit.target, edit.place)
        case Replace():
            return _replace(document, edit)
        case Move():
            return _move(document, edit)
        case Remove():
            gone = [find(document, target, edit.place)[1] for target in edit.targets]
            return changed(document, {id(node): () for node in gone})
        case Set():
            return _set(document, edit)
        case Wrap():
            return _wrap(document, edit)
        case Repeat():
            return _repeat(document, edit)
        case TakeReference():
            return dataclasses.replace(document, references=(*document.references, edit))


def _put(
    document: Document, nodes: tuple[Node, ...], side: str, target: str, place: Place
) -> Document:
    path, beside = find(document, target, place)
    for around, node in labelled(document.steps):
        if around == path[:-1] and isinstance(node, StepNode):
            raise place.error(f"'{target}' wraps '{node.label}'; name that one instead.")
    _refuse_twice(document, nodes, path[:-1])
    both = (*nodes, beside) if side == "before" else (beside, *nodes)
    return changed(document, {id(beside): both})


def _refuse_twice(document: Document, nodes: tuple[Node, ...], around: Path) -> None:
    """Refuse a label that a neighbour has, and say where that one is from."""
    for node in nodes:
        for path, other in labelled(document.steps):
            if path == (*around, node.label) and isinstance(node, StepNode | SaveNode):
                raise node.place.error(
                    f"there is already '{node.label}' here, from {other.place}; "
                    "name this one with 'as'."
                )


def _replace(document: Document, edit: Replace) -> Document:
    found = [find(document, target, edit.place, StepNode) for target in edit.targets]
    lists = {path[:-1] for path, _ in found}
    if len(lists) > 1:
        raise edit.place.error("the replaced steps stand in different places of the pipeline.")
    old = {id(node) for _, node in found}
    order: list[Any] = [node for _, node in labelled(document.steps) if id(node) in old]
    last = order[-1]
    by = dataclasses.replace(
        edit.by,
        of=edit.by.of or last.of,
        to=edit.by.to or last.to,
        save=edit.by.save or last.save,
        wrappers=edit.by.wrappers or last.wrappers,
    )
    if edit.when != ALWAYS:
        _refuse_twice(document, (by,), lists.pop())
        by = dataclasses.replace(by, when=_both(edit.when, by.when))
        other = Not(edit.when)
        kept = {
            id(node): (dataclasses.replace(node, when=_both(node.when, other)),) for node in order
        }
        return changed(document, {**kept, id(last): (*kept[id(last)], by)})
    gone = tuple(name for node in order for name in (*node.replaces, node.step))
    without = changed(document, {id(node): () for node in order[:-1]})
    if by.label != last.label:
        _refuse_twice(without, (by,), lists.pop())
    return changed(without, {id(last): (dataclasses.replace(by, replaces=gone),)})


def _move(document: Document, edit: Move) -> Document:
    path, node = find(document, edit.node, edit.place)
    around, _ = find(document, edit.target, edit.place)
    if around[: len(path)] == path:
        raise edit.place.error(f"'{edit.node}' cannot be moved beside itself or into itself.")
    without = changed(document, {id(node): ()})
    return _put(without, (node,), edit.side, edit.target, edit.place)


def _wrap(document: Document, edit: Wrap) -> Document:
    path, node = find(document, edit.target, edit.place, StepNode)
    _refuse_twice(document, (edit.by,), path)
    wrapped = dataclasses.replace(node, wrappers=(edit.by, *node.wrappers))
    return changed(document, {id(node): (wrapped,)})


def _repeat(document: Document, edit: Repeat) -> Document:
    labels = {node.label for _, node in labelled(document.steps)}
    do: list[Node] = []
    found: dict[int, Path] = {}  # the list in which each stands that is in the pipeline
    for address, new in edit.do:
        if new is None or address in labels:
            path, node = find(document, address, edit.place)
            found[id(node)] = path[:-1]
            do.append(node)
        else:
            do.append(new)
    if not found:
        names = [address for address, _ in edit.do if address]
        nearest = did_you_mean(names[0], labels, "node labelled") if names else "There is none."
        raise edit.place.error(f"none of these is in the pipeline. {nearest}")
    if len(set(found.values())) > 1:
        raise edit.place.error("the repeated steps stand in different places of the pipeline.")
    order = [id(node) for _, node in labelled(document.steps) if id(node) in found]
    loop = RepeatNode(edit.label, edit.times, tuple(do), edit.place)
    return changed(document, {**dict.fromkeys(order, ()), order[-1]: (loop,)})


def _set(document: Document, edit: Set) -> Document:
    for address, setting in edit.settings:
        if address == OPTION:
            known = {*options(document)}
            if setting.param not in known:
                raise setting.place.error(
                    did_you_mean(setting.param, known, f"option of {document.name}")
                )
            document = dataclasses.replace(document, options=(*document.options, setting))
            continue
        node, called = _whose(document, address, setting.place)
        param = f"{called}.{setting.param}" if called else setting.param
        own = dataclasses.replace(setting, param=param)
        more = dataclasses.replace(node, settings=(*node.settings, own))
        document = changed(document, {id(node): (more,)})
    return document


def _whose(document: Document, address: str, place: Place) -> tuple[StepNode, str]:
    """Find the step that an address means, or that calls the one it means: ``draft/ramp_fit``."""
    try:
        return find(document, address, place, StepNode)[1], ""
    except PipelineError:
        caller, slash, called = address.rpartition("/")
        while slash:
            with suppress(PipelineError):
                return find(document, caller, place, StepNode)[1], called
            caller, slash, inner = caller.rpartition("/")
            called = f"{inner}/{called}"
        raise


def options(document: Document) -> tuple[str, ...]:
    """Give the pipeline's own options: those it sets and those its conditions ask for."""
    asked = {
        test.fact.removeprefix(f"{OPTION}.")
        for _, node in labelled(document.steps)
        for test in getattr(node, "when", ALWAYS).tests()
        if test.fact.startswith(f"{OPTION}.")
    }
    return tuple(sorted(asked | {setting.param for setting in document.options}))


def changed(document: Document, changes: Mapping[int, tuple[Node, ...]]) -> Document:
    """Put other nodes in the place of some, which are named by their ``id``."""
    return dataclasses.replace(document, steps=_rebuilt(document.steps, changes))


def _rebuilt(nodes: tuple[Any, ...], changes: Mapping[int, tuple[Node, ...]]) -> tuple[Any, ...]:
    result: list[Any] = []
    for node in nodes:
        if id(node) in changes:
            result.extend(changes[id(node)])
            continue
        match node:
            case EachNode() | AsideNode() | RepeatNode() | PipelineNode() | Branch():
                do = _rebuilt(node.do, changes)
                # a branch without nodes is still a choice; a loop without nodes is nothing
                if do or isinstance(node, Branch | PipelineNode):
                    result.append(dataclasses.replace(node, do=do))
            case ChooseNode():
                branches = _rebuilt(node.branches, changes)
                result.append(dataclasses.replace(node, branches=branches))
            case StepNode() if node.wrappers:
                wrappers = _rebuilt(node.wrappers, changes)
                result.append(dataclasses.replace(node, wrappers=wrappers))
            case _:
                result.append(node)
    return tuple(result)


def _both(first: Condition, second: Condition) -> Condition:
    parts = tuple(part for part in (first, second) if part != ALWAYS)
    return parts[0] if len(parts) == 1 else All(parts)
