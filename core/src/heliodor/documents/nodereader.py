"""Reads the nodes of a pipeline document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from heliodor.documents import fields
from heliodor.documents.conditions import ALWAYS, Condition, Test
from heliodor.documents.nodes import (
    AsideNode,
    Branch,
    ChooseNode,
    EachNode,
    Layer,
    Node,
    OnError,
    PipelineNode,
    RepeatNode,
    SaveNode,
    Setting,
    StepNode,
)
from heliodor.documents.yaml import Items, Place, Table
from heliodor.errors import did_you_mean

_STEP_KEYS = ("set", "when", "use", "of", "to", "save", "as", "enabled", "on_error")
_KINDS = ("each", "choose", "aside", "repeat", "pipeline", "save")


class NodeReader:
    """Reads nodes; remembers the layer of their parameters, and the folder of users' files."""

    def __init__(self, layer: Layer, folder: Path | None = None):
        self.layer = layer
        self.folder = folder

    def nodes(self, value: Any, place: Place) -> tuple[Node, ...]:
        """Read a list of nodes."""
        if not isinstance(value, Items) or not value:
            raise place.error("here stands a list of nodes, with at least one.")
        return tuple(
            self.node(item, where) for item, where in zip(value, value.places, strict=True)
        )

    def node(self, value: Any, place: Place) -> Node:
        """Read one node."""
        if isinstance(value, str):
            return self.step(value, None, place)
        if not isinstance(value, Table) or not value:
            raise place.error(f"{value!r} is no node; write a step's name or a mapping.")
        for kind in _KINDS:
            if kind in value:
                return getattr(self, f"_{kind}")(value, value.place)
        if len(value) > 1:
            keys = ", ".join(f"'{key}'" for key in value)
            raise value.place.error(
                f"a node is one step or begins with {', '.join(_KINDS)}; here are {keys}. "
                "What belongs to a step is indented under its name."
            )
        ((step, options),) = value.items()
        return self.step(step, options, value.at(step))

    def step(self, step: Any, options: Any, place: Place) -> StepNode:
        """Read a step and what stands under its name."""
        step = fields.step_reference(step, place, self.folder)
        options = Table(place) if options is None else options
        if not isinstance(options, Table):
            raise place.error(f"under '{step}' stands a mapping, such as {{set: {{...}}}}.")
        fields.check_keys(options, _STEP_KEYS, f"the step '{step}' (parameters go under 'set')")

        def get(key: str, reader: Any, default: Any) -> Any:
            return reader(options[key], options.at(key)) if key in options else default

        settings = get("set", self.settings, ())
        return StepNode(
            step=step,
            label=get("as", lambda v, p: fields.name(v, p, "a label"), fields.label_of(step)),
            place=place,
            settings=settings + get("enabled", self._enabled, ()),
            when=fields.condition(options),
            use=get("use", lambda v, p: fields.text(v, p, "'use'"), None),
            of=get("of", lambda v, p: fields.ports(v, p, "a port"), {}),
            to=get("to", lambda v, p: fields.ports(v, p, "a port"), {}),
            save=get("save", fields.suffix, None),
            on_error=get("on_error", _on_error, "fail"),
        )

    def settings(self, value: Any, place: Place, when: Condition = ALWAYS) -> tuple[Setting, ...]:
        """Read parameters and their values."""
        return fields.settings(value, place, self.layer, when, self.folder)

    def _enabled(self, value: Any, place: Place) -> tuple[Setting, ...]:
        if not isinstance(value, bool):
            raise place.error(f"'enabled' is true or false, not {value!r}.")
        return (Setting("skip", not value, place, self.layer),)

    def _choose(self, table: Table, place: Place) -> ChooseNode:
        fields.check_keys(table, ("choose", "as"), "a choice")
        value, where = table["choose"], table.at("choose")
        if not isinstance(value, Items) or not value:
            raise where.error("under 'choose' stands a list of {when, do} and {otherwise}.")
        branches = tuple(
            self._branch(item, place, number)
            for number, (item, place) in enumerate(zip(value, value.places, strict=True), 1)
        )
        for branch in branches[:-1]:
            if branch.when is ALWAYS:
                raise branch.place.error("'otherwise' comes last; nothing after it can be chosen.")
        return ChooseNode(_label(table, "choose"), branches, place)

    def _branch(self, table: Any, place: Place, number: int) -> Branch:
        if isinstance(table, Table) and "otherwise" in table:
            fields.check_keys(table, ("otherwise", "as"), "a branch with 'otherwise'")
            do = self.nodes(table["otherwise"], table.at("otherwise"))
            return Branch(_label(table, "otherwise"), ALWAYS, do, place)
        if not isinstance(table, Table) or not {"when", "do"} <= table.keys():
            raise place.error("a branch has 'when' and 'do', or 'otherwise'.")
        fields.check_keys(table, ("when", "do", "as"), "a branch")
        when = fields.condition(table)
        do = self.nodes(table["do"], table.at("do"))
        return Branch(_label(table, _branch_label(when, number)), when, do, place)

    def _each(self, table: Table, place: Place) -> EachNode:
        fields.check_keys(table, ("each", "do", "gather", "name", "as"), "'each'")
        if "do" not in table:
            raise place.error("'each' needs 'do', the list of nodes.")
        over, where = table["each"], table.at("each")
        loop = fields.names(over, where, "port") if isinstance(over, Items) else ()
        selector = None if loop else fields.text(over, where, "a selector")
        gather: Mapping[str, str] = {}
        if "gather" in table:
            gather = fields.ports(table["gather"], table.at("gather"), "a joiner")
            if not isinstance(table["gather"], Table):
                gather = {joiner: joiner for joiner in gather.values()}
        return EachNode(
            label=_label(table, selector or "+".join(loop)),
            ports=loop,
            selector=selector,
            do=self.nodes(table["do"], table.at("do")),
            place=place,
            gather=gather,
            name=fields.text(table["name"], table.at("name"), "a name")
            if "name" in table
            else None,
        )

    def _aside(self, table: Table, place: Place) -> AsideNode:
        fields.check_keys(table, ("aside", "as"), "'aside'")
        return AsideNode(
            _label(table, "aside"), self.nodes(table["aside"], table.at("aside")), place
        )

    def _repeat(self, table: Table, place: Place) -> RepeatNode:
        fields.check_keys(table, ("repeat", "as"), "'repeat'")
        inside, times = repeated(table)
        do = self.nodes(inside["do"], inside.at("do"))
        return RepeatNode(_label(table, "repeat"), times, do, place)

    def _pipeline(self, table: Table, place: Place) -> PipelineNode:
        fields.check_keys(table, ("pipeline", "when", "as"), "'pipeline'")
        name = fields.name(table["pipeline"], table.at("pipeline"), "a pipeline's name")
        return PipelineNode(_label(table, name), name, place, fields.condition(table))

    def _save(self, table: Table, place: Place) -> SaveNode:
        fields.check_keys(table, ("save", "of", "when", "as"), "'save'")
        suffix = fields.suffix(table["save"], table.at("save"))
        of = fields.name(table["of"], table.at("of"), "a port") if "of" in table else None
        return SaveNode(_label(table, f"save:{suffix}"), suffix, place, of, fields.condition(table))


def repeated(table: Table) -> tuple[Table, int]:
    """Read what stands under ``repeat``, and how often it is done."""
    inside, where = table["repeat"], table.at("repeat")
    if not isinstance(inside, Table) or not {"times", "do"} <= inside.keys():
        raise where.error("'repeat' has 'times' and 'do'.")
    fields.check_keys(inside, ("times", "do"), "'repeat'")
    times = inside["times"]
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise inside.at("times").error(f"'times' is a whole number from 1, not {times!r}.")
    return inside, times


def _label(table: Table, default: str) -> str:
    return fields.name(table["as"], table.at("as"), "a label") if "as" in table else default


def _branch_label(when: Condition, number: int) -> str:
    """Call a branch by the one value it asks for, or by its number."""
    if isinstance(when, Test) and when.relation == "in" and len(when.values) == 1:
        return str(when.values[0]).lower()
    return str(number)


def _on_error(value: Any, place: Place) -> str:
    if value not in get_args(OnError):
        raise place.error(did_you_mean(str(value), get_args(OnError), "value of 'on_error'"))
    return value
