"""Small readers of what stands in a document; each says file and line when it is not so."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from heliodor.documents.conditions import ALWAYS, Condition
from heliodor.documents.nodes import MAIN, Layer, Setting
from heliodor.documents.when import parse_condition
from heliodor.documents.yaml import Items, Place, Table
from heliodor.errors import did_you_mean

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_STEP = re.compile(r"[a-z][a-z0-9_]*")
_FILE = re.compile(r"[^:\s]+\.py:[A-Za-z_]\w*")
_SCHEME = re.compile(r"[a-z][a-z0-9_]*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:[A-Za-z_]\w*)?")


def check_keys(table: Table, allowed: Collection[str], what: str) -> None:
    """Refuse keys that have no meaning in `what`."""
    for key in table:
        if key not in allowed:
            raise table.at(key).error(did_you_mean(key, allowed, f"key of {what}"))


def text(value: Any, place: Place, what: str) -> str:
    """Read text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise place.error(f"{what} is text, not {value!r}.")
    return value.strip()


def name(value: Any, place: Place, what: str) -> str:
    """Read a name: letters, digits, ``_`` and ``-``."""
    value = text(value, place, what)
    if not _NAME.fullmatch(value):
        raise place.error(f"{what} is made of letters, digits, _ and -, not '{value}'.")
    return value


def names(value: Any, place: Place, what: str) -> tuple[str, ...]:
    """Read one text or a list of them."""
    items = value if isinstance(value, Items) else [value]
    if not items:
        raise place.error(f"the list of {what}s is empty.")
    return tuple(text(item, place, what) for item in items)


def is_step(text: str) -> bool:
    """Whether text can be a step's name, or say where a user's function is."""
    return any(pattern.fullmatch(text) for pattern in (_STEP, _FILE, _SCHEME, _MODULE))


def step_reference(value: Any, place: Place, folder: Path | None = None) -> str:
    """Read a step's name, or where a user's function is; a file is looked for in `folder`."""
    value = text(value, place, "a step")
    if not is_step(value):
        raise place.error(
            f"'{value}' is no step; write a name in lower case (ramp_fit), my_steps.py:function, "
            "package.module, package.module:name or scheme:name (stpipe:jwst.jump.JumpStep)."
        )
    return str(folder / value) if folder and _FILE.fullmatch(value) else value


def label_of(step: str) -> str:
    """Give the label of a step that has no ``as``.

    Examples
    --------
    >>> label_of("jump"), label_of("my_steps.py:destripe"), label_of("package.module")
    ('jump', 'destripe', 'module')
    >>> label_of("stpipe:jwst.jump.JumpStep")
    'JumpStep'
    """
    return step.rpartition(":")[2].rpartition(".")[2]


def suffix(value: Any, place: Place) -> str:
    """Read a product's suffix; ``{port}`` stands for the port of the `each` around it."""
    value = text(value, place, "a suffix")
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(value) if field is not None}
    except ValueError:
        fields = {value}
    if fields - {"port"} or not re.fullmatch(r"[A-Za-z0-9_-]+", value.replace("{port}", "x")):
        raise place.error(
            f"'{value}' is no suffix; it is made of letters, digits, _ and -, or is '{{port}}'."
        )
    return value


def ports(value: Any, place: Place, what: str) -> Mapping[str, str]:
    """Read one port, or ports by name."""
    if not isinstance(value, Table):
        return {MAIN: name(value, place, what)}
    return {key: name(port, value.at(key), what) for key, port in value.items()}


def condition(table: Table) -> Condition:
    """Read the ``when`` of a node."""
    return parse_condition(table["when"], table.at("when")) if "when" in table else ALWAYS


def settings(
    value: Any,
    place: Place,
    layer: Layer,
    when: Condition = ALWAYS,
    folder: Path | None = None,
) -> tuple[Setting, ...]:
    """Read parameters and their values; `folder` is that of the document."""
    if not isinstance(value, Table):
        raise place.error("'set' is a mapping of parameters to values.")
    return tuple(
        Setting(param, plain(item), value.at(param), layer, when, folder)
        for param, item in value.items()
    )


def plain(value: Any) -> Any:
    """Forget the places inside a value."""
    if isinstance(value, Table):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Items):
        return [plain(item) for item in value]
    return value
