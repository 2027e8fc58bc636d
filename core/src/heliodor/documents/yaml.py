"""Reads YAML 1.2 into plain data that remembers its lines.

PyYAML follows YAML 1.1, where ``on``, ``off``, ``no`` and ``NO`` are booleans, ``1e-5`` is text
and ``12:30:00`` is a number in base 60.  Here the core schema of YAML 1.2 decides: only ``true``
and ``false`` are booleans, and what does not look like a number is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from heliodor.errors import PipelineError

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CORE = (
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("null", r"null|Null|NULL|~|"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
"""What plain text means, in this order; anything else is text."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; its text is ``file.yaml:12``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def error(self, message: str) -> PipelineError:
        """Make the error that says `message` about this line."""
        return PipelineError(f"{self}: {message}")


class Table(dict[str, Any]):
    """A mapping that knows where it and each of its keys stand."""

    def __init__(self, place: Place):
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}

    def at(self, key: str) -> Place:
        """Where `key` stands."""
        return self.places.get(key, self.place)


class Items(list[Any]):
    """A list that knows where it and each of its items stand."""

    def __init__(self, place: Place):
        super().__init__()
        self.place = place
        self.places: list[Place] = []


def load(text: str, name: str) -> Any:
    r"""Read a YAML document.

    Parameters
    ----------
    text : the document
    name : of the file, for messages

    Returns
    -------
    Python's str, int, float, bool and None, in `Table` and `Items`

    Raises
    ------
    PipelineError
        if it is not YAML, has a key twice, a key that is not text, or a tag

    Examples
    --------
    >>> table = load("switch: off\ncut: 1e-5", "my.yaml")
    >>> dict(table), str(table.at("cut"))
    ({'switch': 'off', 'cut': 1e-05}, 'my.yaml:2')
    """
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        last = max(1, len(text.splitlines()))
        line = min(mark.line + 1, last) if mark else last
        raise Place(name, line).error(f"not YAML: {what}.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Place(name, line).error(f"not YAML: {error.reason}.") from None
    return _Plain(name).convert(root) if root is not None else None


def placed(value: Any, place: Place) -> Any:
    """Give plain data as if they stood at a place."""
    if isinstance(value, dict):
        table = Table(place)
        table.update({key: placed(item, place) for key, item in value.items()})
        return table
    if isinstance(value, list | tuple):
        items = Items(place)
        items.extend(placed(item, place) for item in value)
        items.places = [place] * len(items)
        return items
    return value


class _Loader(_Base):
    """Composes nodes by the implicit types of the core schema and no others."""

    yaml_implicit_resolvers: ClassVar = {
        None: [
            (f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"))
            for kind, pattern in _CORE
        ]
    }


class _Plain:
    """Turns nodes into plain data."""

    def __init__(self, name: str):
        self.name = name
        self.open: set[int] = set()

    def place(self, node: yaml.Node) -> Place:
        return Place(self.name, node.start_mark.line + 1)

    def convert(self, node: yaml.Node) -> Any:
        if id(node) in self.open:
            raise self.place(node).error("this value contains itself.")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
                return self.table(node)
            if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
                return self.items(node)
            return self.scalar(node)
        finally:
            self.open.discard(id(node))

    def table(self, node: yaml.MappingNode) -> Table:
        table = Table(self.place(node))
        for key_node, value_node in node.value:
            place = self.place(key_node)
            key = self.convert(key_node)
            if not isinstance(key, str):
                raise place.error(f"a key must be text, not {key!r}.")
            if key in table:
                raise place.error(f"'{key}' stands here twice; first at line {table.at(key).line}.")
            table.places[key] = place
            table[key] = self.convert(value_node)
        return table

    def items(self, node: yaml.SequenceNode) -> Items:
        items = Items(self.place(node))
        for item in node.value:
            items.places.append(self.place(item))
            items.append(self.convert(item))
        return items

    def scalar(self, node: yaml.Node) -> Any:
        text = node.value
        try:
            match node.tag.removeprefix("tag:yaml.org,2002:"):
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise self.place(node).error(f"'{text}' is not a number.") from None
        raise self.place(node).error(f"the tag '{node.tag}' has no meaning here.")
