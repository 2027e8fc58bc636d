"""Reads the edits in a user's file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from heliodor.documents import fields
from heliodor.documents.conditions import ALWAYS
from heliodor.documents.nodereader import NodeReader, repeated
from heliodor.documents.nodes import (
    Edit,
    Insert,
    Move,
    Node,
    PipelineNode,
    Remove,
    Repeat,
    Replace,
    SaveNode,
    Set,
    Setting,
    StepNode,
    TakeReference,
    Wrap,
)
from heliodor.documents.yaml import Items, Place, Table

OPTION = "option"
"""The address of the pipeline's own options in ``set``."""


def parse_edits(value: Any, place: Place, nodes: NodeReader) -> tuple[Edit, ...]:
    """Read the list under ``edits:``.

    Parameters
    ----------
    value : as `heliodor.documents.yaml.load` gives it
    place : where it stands
    nodes : reads the nodes that edits bring
    """
    if not isinstance(value, Items):
        raise place.error("'edits' is a list.")
    return tuple(_edit(item, where, nodes) for item, where in zip(value, value.places, strict=True))


def _edit(value: Any, place: Place, nodes: NodeReader) -> Edit:
    kinds = [kind for kind in _READERS if isinstance(value, Table) and kind in value]
    # `set` also belongs to an insert: the parameters of what is inserted
    kind = next((kind for kind in kinds if kind != "set" or len(kinds) == 1), None)
    if kind is None:
        raise place.error(f"an edit begins with one of {', '.join(_READERS)}.")
    return _READERS[kind](value, place, nodes)


def _insert(table: Table, place: Place, nodes: NodeReader) -> Insert:
    fields.check_keys(table, ("insert", "before", "after", "when", "set", "as"), "'insert'")
    side, target = _side(table, place)
    value, where = table["insert"], table.at("insert")
    if isinstance(value, Items):
        for key in ("when", "set", "as"):
            if key in table:
                raise table.at(key).error(f"'{key}' is for one node; write it under each of them.")
        return Insert(nodes.nodes(value, where), side, target, place)
    return Insert((_dressed(nodes.node(value, where), table, nodes),), side, target, place)


def _dressed(node: Node, table: Table, nodes: NodeReader) -> Node:
    """Give an inserted node the ``when``, ``set`` and ``as`` that stand beside it."""
    if "when" in table:
        if not isinstance(node, StepNode | PipelineNode | SaveNode) or node.when is not ALWAYS:
            raise table.at("when").error("write the condition inside the inserted node.")
        node = dataclasses.replace(node, when=fields.condition(table))
    if "set" in table:
        if not isinstance(node, StepNode):
            raise table.at("set").error("only a step has parameters.")
        more = nodes.settings(table["set"], table.at("set"))
        node = dataclasses.replace(node, settings=node.settings + more)
    if "as" in table:
        node = dataclasses.replace(node, label=fields.name(table["as"], table.at("as"), "a label"))
    return node


def _replace(table: Table, place: Place, nodes: NodeReader) -> Replace:
    fields.check_keys(table, ("replace", "by", "when"), "'replace'")
    by = _by(table, place, nodes)
    return Replace(_targets(table, "replace"), by, place, fields.condition(table))


def _move(table: Table, place: Place, nodes: NodeReader) -> Move:
    fields.check_keys(table, ("move", "before", "after"), "'move'")
    side, target = _side(table, place)
    return Move(fields.text(table["move"], table.at("move"), "a label"), side, target, place)


def _remove(table: Table, place: Place, nodes: NodeReader) -> Remove:
    fields.check_keys(table, ("remove",), "'remove'")
    return Remove(_targets(table, "remove"), place)


def _set(table: Table, place: Place, nodes: NodeReader) -> Set:
    fields.check_keys(table, ("set", "when"), "'set'")
    when, where = fields.condition(table), table.at("set")
    found: list[tuple[str, Setting]] = []
    values = table["set"]
    if not isinstance(values, Table) or not values:
        raise where.error("'set' is a mapping, such as {jump.rejection_threshold: 5.0}.")
    for key, value in values.items():
        if isinstance(value, Table):
            inside = nodes.settings(value, values.at(key), when)
            found.extend((key, setting) for setting in inside)
            continue
        address, dot, param = key.rpartition(".")
        if not dot or not address or not param:
            raise values.at(key).error(f"'{key}' lacks the step; write STEP.PARAMETER.")
        setting = Setting(
            param, fields.plain(value), values.at(key), nodes.layer, when, nodes.folder
        )
        found.append((address, setting))
    return Set(tuple(found), place)


def _wrap(table: Table, place: Place, nodes: NodeReader) -> Wrap:
    fields.check_keys(table, ("wrap", "with"), "'wrap'")
    target = fields.text(table["wrap"], table.at("wrap"), "a label")
    return Wrap(target, _by(table, place, nodes, "with"), place)


def _repeat(table: Table, place: Place, nodes: NodeReader) -> Repeat:
    fields.check_keys(table, ("repeat", "as"), "'repeat'")
    inside, times = repeated(table)
    value, where = inside["do"], inside.at("do")
    items = value if isinstance(value, Items) else Items(where)
    if not items:
        raise where.error("here stands a list of labels and new steps, with at least one.")
    do = []
    for item, at in zip(items, items.places, strict=True):
        address = item if isinstance(item, str) else ""
        # text that cannot be a step can still be a path of labels
        new = nodes.node(item, at) if not address or fields.is_step(address) else None
        do.append((address, new))
    label = fields.name(table["as"], table.at("as"), "a label") if "as" in table else "repeat"
    return Repeat(times, tuple(do), label, place)


def _reference(table: Table, place: Place, nodes: NodeReader) -> TakeReference:
    fields.check_keys(table, ("reference", "by", "from", "when"), "'reference'")
    if ("by" in table) == ("from" in table):
        raise place.error("say 'by' what it is changed, or 'from' which port it is taken.")
    key = "by" if "by" in table else "from"
    name = fields.name(table[key], table.at(key), "a port" if key == "from" else "a transform")
    return TakeReference(
        type=fields.name(table["reference"], table.at("reference"), "a reference type"),
        by=name if key == "by" else "",
        port=name if key == "from" else "",
        when=fields.condition(table),
        place=place,
    )


def _by(table: Table, place: Place, nodes: NodeReader, key: str = "by") -> StepNode:
    if key not in table:
        raise place.error(f"'{key}' is missing: the step to take.")
    node = nodes.node(table[key], table.at(key))
    if not isinstance(node, StepNode):
        raise table.at(key).error("only a step can stand here.")
    return node


def _targets(table: Table, key: str) -> tuple[str, ...]:
    targets = fields.names(table[key], table.at(key), "label")
    if len(set(targets)) < len(targets):
        raise table.at(key).error("a label stands here twice.")
    return targets


def _side(table: Table, place: Place) -> tuple[Literal["before", "after"], str]:
    if ("before" in table) == ("after" in table):
        raise place.error("say 'before' or 'after', one of them.")
    side: Literal["before", "after"] = "before" if "before" in table else "after"
    return side, fields.text(table[side], table.at(side), "a label")


_READERS: dict[str, Callable[[Table, Place, NodeReader], Edit]] = {
    "insert": _insert,
    "replace": _replace,
    "move": _move,
    "remove": _remove,
    "set": _set,
    "wrap": _wrap,
    "repeat": _repeat,
    "reference": _reference,
}
