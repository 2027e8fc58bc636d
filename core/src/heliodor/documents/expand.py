"""Puts the nodes of other pipelines where a document names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from heliodor.documents.apply import changed
from heliodor.documents.nodes import Document, PipelineNode, labelled
from heliodor.documents.parse import check

Find = Callable[[PipelineNode], Document | None]
"""Gives the document that a node names, or None if it is not for this exposure."""


def expand(document: Document, find: Find) -> Document:
    """Put the nodes of other pipelines where a document names them.

    Their steps then have labels that begin with the node's, and their options are the document's.

    Parameters
    ----------
    document : a pipeline
    find : gives the documents that it names

    Raises
    ------
    PipelineError
        if pipelines contain each other
    """
    whole = _expand(document, find, (document.name,))
    if whole is not document:
        check(whole)
    return whole


def _expand(document: Document, find: Find, above: tuple[str, ...]) -> Document:
    for _, node in labelled(document.steps):
        if not isinstance(node, PipelineNode) or node.do:
            continue
        if node.pipeline in above:
            chain = " contains ".join((*above, node.pipeline))
            raise node.place.error(f"{chain}: this would never end.")
        found = find(node)
        if found is None:
            continue
        inner = _expand(found, find, (*above, node.pipeline))
        filled = dataclasses.replace(node, do=inner.steps)
        document = dataclasses.replace(
            changed(document, {id(node): (filled,)}), options=(*inner.options, *document.options)
        )
    return document
