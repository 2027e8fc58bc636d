"""Finds the node that a label, or a path of labels, means."""

from __future__ import annotations

from typing import Any

from heliodor.documents.conditions import ALWAYS
from heliodor.documents.nodes import (
    Branch,
    Document,
    Path,
    Remove,
    Replace,
    labelled,
)
from heliodor.documents.yaml import Place
from heliodor.errors import did_you_mean


def find(
    document: Document, address: str, place: Place, kind: type[Any] | None = None
) -> tuple[Path, Any]:
    """Find the one node that is meant.

    Parameters
    ----------
    document : a pipeline
    address : a label, with as many of the labels around it as are needed to say which:
        ``jump``, ``msa/photom``, ``spec2/photom``
    place : of the edit that asks, for the message
    kind : look only at nodes of this class

    Returns
    -------
    its labels from the outside in, and the node

    Raises
    ------
    PipelineError
        if nothing has that label, saying what is nearest and who took it away; if several
        nodes have it, listing them
    """
    wanted = tuple(address.split("/"))
    named = [
        (path, node)
        for path, node in labelled(document.steps)
        if not isinstance(node, Branch) and (kind is None or isinstance(node, kind))
    ]
    tops = {document.name, document.name.removeprefix("calwebb_")}
    matches = [(path, node) for path, node in named if _means(wanted, path, tops)]
    whole = [
        (path, node)
        for path, node in matches
        if path == wanted[1:] or (len(wanted) > 1 and path == wanted)
    ]
    if len(matches) == 1 or len(whole) == 1:
        return (whole or matches)[0]
    if matches:
        top = min(tops, key=len)
        could = ", ".join("/".join((top, *path)) for path, _ in matches)
        raise place.error(f"'{address}' could mean {could}; write more of the path.")
    gone = _taken_away(document, wanted[-1])
    if gone:
        raise place.error(f"There is no '{address}' any more: {gone}.")
    known = {path[-1] if len(wanted) == 1 else "/".join(path) for path, _ in named}
    what = "step labelled" if kind else "node labelled"
    raise place.error(did_you_mean(address, known, what))


def _means(wanted: Path, path: Path, tops: set[str]) -> bool:
    """Whether the labels asked for occur in `path` in order, ending where it ends."""
    if wanted[-1] != path[-1]:
        return False
    around = list(wanted[:-1])
    if around and around[0] in tops:
        around.pop(0)
    outer = iter(path[:-1])
    return all(label in outer for label in around)


def _taken_away(document: Document, label: str) -> str:
    """Say which of the edits so far removed or replaced a label."""
    for edit in reversed(document.edits):
        match edit:
            case Remove(targets=targets) if label in _last(targets):
                return f"removed at {edit.place}"
            case Replace(targets=targets, when=when) if when == ALWAYS and label in _last(targets):
                return f"replaced by '{edit.by.label}' at {edit.place}"
    return ""


def _last(targets: tuple[str, ...]) -> set[str]:
    return {target.rpartition("/")[2] for target in targets}
