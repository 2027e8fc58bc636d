"""Reads what stpipe writes about a parameter: ``float(default=4.0, min=0)``.

The notation is that of ConfigObj's validation; its calls look like Python's.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Literal

from heliodor.errors import PluginError
from heliodor.params import File, parameter

TYPES: dict[str, Any] = {
    "integer": int,
    "float": float,
    "boolean": bool,
    "string": str,
    "input_file": File,
    "output_file": str,
    "is_string_or_datamodel": str,
    "int_list": list[int],
    "float_list": list[float],
    "bool_list": list[bool],
    "string_list": list[str],
}
"""By the name of the check; every other ``list`` or ``tuple`` may hold numbers and text."""

_MIXED = list[int | float | str]
_TRUE = ("true", "yes", "on", "1")


@dataclass(frozen=True, slots=True)
class Check:
    """A check as it is written.

    Attributes
    ----------
    kind : its name (``float``)
    values : its arguments without a name
    named : those with one (``default``, ``min``, ``max``)
    """

    kind: str
    values: tuple[Any, ...]
    named: dict[str, Any]


def parse(text: str) -> Check:
    """Read a check.

    Examples
    --------
    >>> parse("option('fft', median, default=median)")
    Check(kind='option', values=('fft', 'median'), named={'default': 'median'})
    """
    text = text.strip().rstrip(",")
    try:
        node = ast.parse(text, mode="eval").body
        if isinstance(node, ast.Name):
            return Check(node.id, (), {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            values = tuple(_value(value, text) for value in node.args)
            named = {str(each.arg): _value(each.value, text) for each in node.keywords}
            return Check(node.func.id, values, named)
    except SyntaxError:
        pass
    raise PluginError(f"'{text}' is no check that stpipe would understand.")


def _value(node: ast.expr, text: str) -> Any:
    """Read a literal; a word without quotes is text."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "list":
        return [_value(item, text) for item in node.args]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.get_source_segment(text, node)


def field(text: str, comment: str) -> tuple[Any, Any]:
    """Make a parameter of a check and the comment behind it.

    Parameters
    ----------
    text : the check
    comment : its description

    Returns
    -------
    type and field, as `pydantic.create_model` takes them.  Without a default the parameter may be
    left open; the foreign step then says that it wants it.
    """
    check = parse(text)
    annotation = _annotation(check)
    default = _converted(annotation, check.named.get("default"))
    low, high = (_bound(check, name, place) for place, name in enumerate(("min", "max")))
    sized = annotation is str or isinstance(default, list) or check.kind not in TYPES
    names = ("min_length", "max_length") if sized or "list" in check.kind else ("ge", "le")
    limits = {
        name: bound for name, bound in zip(names, (low, high), strict=True) if bound is not None
    }
    if default is None:
        annotation = annotation | None
    description = comment.strip().lstrip("#").strip() or "Its author says nothing about it."
    return annotation, parameter(default, description, **limits)


def _annotation(check: Check) -> Any:
    if check.kind == "option":
        return Literal[tuple(str(value) for value in check.values)]
    if check.kind in TYPES:
        return TYPES[check.kind]
    return _MIXED if "list" in check.kind or check.kind == "tuple" else str


def _bound(check: Check, name: str, place: int) -> Any:
    if check.kind == "option":
        return None
    given = check.values[place] if len(check.values) > place else None
    return check.named.get(name, given)


def _converted(annotation: Any, default: Any) -> Any:
    """Give a default the type of its parameter; a notation without quotes says it as text."""
    if default is None:
        return None
    if annotation is bool:
        return default if isinstance(default, bool) else str(default).lower() in _TRUE
    if annotation in (int, float, File):
        return annotation(default)
    return default if isinstance(default, list) else str(default)
