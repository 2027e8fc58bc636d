"""What a pipeline document is made of: seven kinds of node, and edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias

from heliodor.documents.conditions import ALWAYS, Condition
from heliodor.documents.yaml import Place

MAIN = "main"
"""The port that steps work on unless told otherwise."""

OnError = Literal["fail", "skip", "abandon"]
Layer = Literal["mode", "build profile", "parameter reference", "pipeline file", "user file"]
"""Layers a document's parameters may belong to; see `heliodor.layers`.

The documents that plugins ship are of the layer ``mode``: a build or a parameter reference may
say otherwise.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter's value, and who gave it; names of files are relative to `folder`.

    `param` of a step that the step calls has that one's name before it: ``ramp_fit.save_opt``.
    """

    param: str
    value: Any
    place: Place
    layer: Layer = "pipeline file"
    when: Condition = ALWAYS
    folder: FilePath | None = None


@dataclass(frozen=True, slots=True)
class StepNode:
    """A calibration step.

    Attributes
    ----------
    step : operational name, or where a user's function is: ``my_steps.py:destripe`` (with the
        document's folder before it), ``package.module`` or ``package.module:name``, or the name
        of a plugin's `heliodor.declare.Scheme` and what it understands
    label : what edits and parameters call it
    settings : parameters, a later one replaces an earlier one
    when : condition for running it
    use : distribution whose implementation is wanted, or a step of a scheme that stands in for
        it, if not the natural one
    of : what it works on, port by input name; empty: the main line, or the port of its `each`
    to : where its products go, port by output name; empty: it changes what it works on
    save : suffix of the product written after it, or None
    on_error : ``fail`` the exposure, ``skip`` the step, or ``abandon`` the exposure as not usable
    replaces : steps a user put this one in the place of
    wrappers : steps with something to do before and after it, the outermost first
    """

    step: str
    label: str
    place: Place
    settings: tuple[Setting, ...] = ()
    when: Condition = ALWAYS
    use: str | None = None
    of: Mapping[str, str] = field(default_factory=dict)
    to: Mapping[str, str] = field(default_factory=dict)
    save: str | None = None
    on_error: OnError = "fail"
    replaces: tuple[str, ...] = ()
    wrappers: tuple[StepNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """One way of a `ChooseNode`."""

    label: str
    when: Condition
    do: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ChooseNode:
    """The first branch whose condition is true; ``otherwise`` is a last branch that always is."""

    label: str
    branches: tuple[Branch, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class EachNode:
    """Nodes done for each of several ports, or for each part that a named selector gives.

    Attributes
    ----------
    ports : ports one after the other, or empty
    selector : registered name of what splits the main line (``sources``), or None
    do : the nodes
    gather : what is joined again at the end: registered joiner by port
    name : product name of the parts, with ``{product}`` and the selector's fields
    """

    label: str
    ports: tuple[str, ...]
    selector: str | None
    do: tuple[Node, ...]
    place: Place
    gather: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AsideNode:
    """Nodes done on a copy; the main line goes on unchanged."""

    label: str
    do: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class RepeatNode:
    """Nodes done several times in a row: each round goes on with what the last one left."""

    label: str
    times: int
    do: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class PipelineNode:
    """Another pipeline, by name; `do` are its nodes as soon as its document is known."""

    label: str
    pipeline: str
    place: Place
    when: Condition = ALWAYS
    do: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveNode:
    """A product written here; `of` is None for the main line, or the port of its `each`."""

    label: str
    suffix: str
    place: Place
    of: str | None = None
    when: Condition = ALWAYS


Node: TypeAlias = (
    StepNode | ChooseNode | EachNode | AsideNode | RepeatNode | PipelineNode | SaveNode
)


@dataclass(frozen=True, slots=True)
class Insert:
    """New nodes before or after a labelled one."""

    nodes: tuple[Node, ...]
    side: Literal["before", "after"]
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class Replace:
    """One step in the place of one or several; it stands where the last of them stood.

    With a condition they stay, and are done when it is false.
    """

    targets: tuple[str, ...]
    by: StepNode
    place: Place
    when: Condition = ALWAYS


@dataclass(frozen=True, slots=True)
class Move:
    """A node taken to another place."""

    node: str
    side: Literal["before", "after"]
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class Remove:
    """Nodes left out."""

    targets: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Set:
    """Parameters, by address of their step; ``option`` addresses the pipeline's own options."""

    settings: tuple[tuple[str, Setting], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Wrap:
    """A step with something done before and after it."""

    target: str
    by: StepNode
    place: Place


@dataclass(frozen=True, slots=True)
class Repeat:
    """Steps done several times; they stand where the last of those in the pipeline stood.

    Each is a label in the pipeline or a new node; plain text may be either.
    """

    times: int
    do: tuple[tuple[str, Node | None], ...]
    label: str
    place: Place


@dataclass(frozen=True, slots=True)
class TakeReference:
    """References of one type, not taken as they are found.

    Attributes
    ----------
    type : of the reference
    by : name of what changes it, or empty
    port : what is taken instead, as soon as a step has filled it; or empty
    when : exposures it is for
    """

    type: str
    by: str
    port: str
    when: Condition
    place: Place


Edit: TypeAlias = Insert | Replace | Move | Remove | Set | Wrap | Repeat | TakeReference


@dataclass(frozen=True, slots=True)
class Document:
    """A pipeline, or a user's edits of one.

    Attributes
    ----------
    name : ``calwebb_detector1``; of an edits file may be empty, then the pipeline keeps its own
    title : a line for people
    for_ : exposures it is meant for
    in_ : source of each port at the start (``uncal``, ``members.background``)
    options : settings of the pipeline's own options, asked for as ``option.NAME``
    steps : the nodes; empty in an edits file
    extends : name of the pipeline that is edited, or None
    references : how references are taken, other than as they are found
    edits : of an edits file, to be applied; of a pipeline, those that have been
    place : where it begins
    """

    name: str
    place: Place
    title: str = ""
    for_: Condition = ALWAYS
    in_: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Setting, ...] = ()
    steps: tuple[Node, ...] = ()
    extends: str | None = None
    references: tuple[TakeReference, ...] = ()
    edits: tuple[Edit, ...] = ()


Path: TypeAlias = tuple[str, ...]


def children(node: Node | Branch) -> tuple[Node | Branch, ...]:
    """Give the nodes inside a node; the branches of a choice."""
    match node:
        case ChooseNode():
            return node.branches
        case EachNode() | AsideNode() | RepeatNode() | PipelineNode() | Branch():
            return node.do
        case StepNode():
            return node.wrappers
    return ()


def labelled(nodes: tuple[Node | Branch, ...], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Go through all nodes in order, each with the labels that lead to it and its own."""
    for node in nodes:
        here = (*path, node.label)
        yield here, node
        yield from labelled(children(node), here)
