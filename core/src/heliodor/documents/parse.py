"""Reads pipeline documents and the edits of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from heliodor.documents import fields
from heliodor.documents.conditions import ALWAYS
from heliodor.documents.edits import parse_edits
from heliodor.documents.nodereader import NodeReader
from heliodor.documents.nodes import (
    MAIN,
    Document,
    EachNode,
    Layer,
    PipelineNode,
    SaveNode,
    StepNode,
    labelled,
)
from heliodor.documents.when import parse_condition
from heliodor.documents.yaml import Place, Table, load
from heliodor.errors import PipelineError, did_you_mean

_PIPELINE_KEYS = ("name", "title", "for", "in", "options", "steps")
_EDITS_KEYS = ("name", "title", "for", "options", "extends", "edits")


def read(path: str | Path, layer: Layer = "pipeline file") -> Document:
    """Read a pipeline document or an edits file; see `parse`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: is not UTF-8 text (byte {error.start}).") from error
    return parse(text, path.name, layer, path.resolve().parent)


def parse(
    text: str, file: str, layer: Layer = "pipeline file", folder: Path | None = None
) -> Document:
    """Parse the text of a pipeline document or an edits file.

    Parameters
    ----------
    text : YAML
    file : name of the file, for messages and for the origin of parameters
    layer : the layer its parameters belong to
    folder : where steps written as ``my_steps.py:function`` are looked for

    Raises
    ------
    PipelineError
        with file and line, for whatever has no meaning
    """
    table = load(text, file)
    top = Place(file, 1)
    if not isinstance(table, Table):
        raise top.error("a pipeline document is a mapping with 'name' and 'steps', or 'extends'.")
    is_edits = "extends" in table
    fields.check_keys(
        table,
        _EDITS_KEYS if is_edits else _PIPELINE_KEYS,
        "an edits file" if is_edits else "a pipeline document",
    )
    for key in () if is_edits else ("name", "steps"):
        if key not in table:
            raise top.error(f"a pipeline document needs '{key}'; one that edits has 'extends'.")

    def get(key: str, reader: Any, default: Any) -> Any:
        return reader(table[key], table.at(key)) if key in table else default

    nodes = NodeReader(layer, folder)
    document = Document(
        name=get("name", lambda v, p: fields.name(v, p, "a pipeline's name"), ""),
        place=top,
        title=get("title", lambda v, p: fields.text(v, p, "a title"), ""),
        for_=get("for", parse_condition, ALWAYS),
        in_=get("in", _sources, {MAIN: "main"}),
        options=get("options", lambda v, p: fields.settings(v, p, layer), ()),
        steps=get("steps", nodes.nodes, ()),
        extends=get("extends", lambda v, p: fields.name(v, p, "a pipeline's name"), None),
        edits=get("edits", lambda v, p: parse_edits(v, p, nodes), ()),
    )
    if not is_edits:
        check(document)
    return document


def check(document: Document, known_ports: Iterable[str] = ()) -> None:
    """Refuse what only the whole shows: a label twice in one place, a port that nothing fills.

    Parameters
    ----------
    document : a pipeline
    known_ports : ports that are allowed although no step of this document fills them
    """
    seen: dict[tuple[str, ...], Any] = {}
    looped = {
        id(inner)
        for _, each in labelled(document.steps)
        if isinstance(each, EachNode) and each.ports
        for _, inner in labelled(each.do)
    }
    available = {MAIN, *document.in_, *known_ports} | filled(document)
    # what a pipeline fills is known as soon as its document is
    complete = not any(
        isinstance(node, PipelineNode) and not node.do for _, node in labelled(document.steps)
    )
    for path, node in labelled(document.steps):
        if isinstance(node, StepNode | SaveNode):
            if path in seen:
                raise node.place.error(
                    f"there is already '{'/'.join(path)}', from {seen[path].place}; "
                    "name this one with 'as'."
                )
            seen[path] = node
            written = node.save if isinstance(node, StepNode) else node.suffix
            if written and "{port}" in written and id(node) not in looped:
                raise node.place.error("'{port}' has a meaning only inside 'each: [ports]'.")
        for port in _asked(node):
            if complete and port not in available:
                raise node.place.error(did_you_mean(port, available, "port"))


def filled(document: Document) -> set[str]:
    """Give the ports that nodes of a document fill."""
    ports: set[str] = set()
    for _, node in labelled(document.steps):
        if isinstance(node, StepNode):
            ports.update(node.to.values())
        elif isinstance(node, EachNode):
            ports.update(node.gather)
    return ports


def _asked(node: Any) -> tuple[str, ...]:
    match node:
        case StepNode():
            return tuple(node.of.values())
        case SaveNode(of=str() as port):
            return (port,)
        case EachNode():
            return node.ports
    return ()


def _sources(value: Any, place: Place) -> Mapping[str, str]:
    if not isinstance(value, Table):
        return {MAIN: fields.text(value, place, "an input")}
    return {
        fields.name(port, value.at(port), "a port"): fields.text(item, value.at(port), "an input")
        for port, item in value.items()
    }
