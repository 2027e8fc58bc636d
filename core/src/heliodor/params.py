"""Parameters of a step: pydantic models with unit, range and meaning in one place."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.fields import FieldInfo

File = Path
"""Annotation of a parameter that names a file: it must be there, a name in a document is relative
to the document, and the receipt holds its hash."""


def parameter(default: Any, description: str, *, unit: str = "", **limits: Any) -> Any:
    """Declare one parameter.

    Parameters
    ----------
    default : the operational default
    description : one sentence, for help, docs and errors
    unit : such as ``sigma``, ``s``, ``DN``; empty when there is none
    **limits : pydantic's ``gt``, ``ge``, ``lt``, ``le``, ``max_length`` ...
    """
    extra: Any = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Params(BaseModel):
    """Base of every step's parameters.

    Unknown names are refused.  Text from a command line or an older parameter file is understood
    by the type that is wanted: ``"None"`` is None where None is allowed, ``"true"`` is True,
    ``"1,2"`` is a list, a choice may be written in any case.  What would change its meaning is
    refused: true for a number, 4.5 for a whole number, NaN for anything.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        allow_inf_nan=True,
        coerce_numbers_to_str=True,
    )

    skip: bool = parameter(False, "Leave this step out.")

    @field_validator("*", mode="wrap")
    @classmethod
    def _read(cls, value: Any, validate: Callable[[Any], Any], info: Any) -> Any:
        result = validate(wanted(cls.model_fields[info.field_name]).plain(value))
        if isinstance(result, Path) and not result.is_file():
            raise ValueError("There is no such file.")
        numbers = result if isinstance(result, list | tuple) else [result]
        if any(isinstance(number, float) and math.isnan(number) for number in numbers):
            raise ValueError("NaN is not a number.")
        return result


class Wanted:
    """What kinds of value an annotation takes.

    Attributes
    ----------
    none : whether None is allowed
    choices : allowed values, when they are listed
    kinds : of ``bool``, ``int``, ``float``, ``str`` and ``list``
    item : what the items of a list are, or None
    """

    def __init__(self, annotation: Any):
        self.none = False
        self.choices: tuple[Any, ...] = ()
        self.kinds: tuple[type, ...] = ()
        self.item: Wanted | None = None
        self._add(annotation)

    def _add(self, annotation: Any) -> None:
        origin = get_origin(annotation)
        if annotation is None or annotation is type(None):
            self.none = True
        elif origin in (Union, types.UnionType):
            for part in get_args(annotation):
                self._add(part)
        elif origin is Literal:
            values = get_args(annotation)
            self.none |= None in values
            self.choices += tuple(value for value in values if value is not None)
        elif origin in (list, tuple) or annotation in (list, tuple):
            self.kinds += (list,)
            self.item = Wanted((get_args(annotation) or (str,))[0])
        elif isinstance(annotation, type):
            self.kinds += (annotation,)

    def plain(self, value: Any) -> Any:
        """Read text, and NumPy's scalars, as what is wanted; leave the rest to pydantic."""
        if getattr(value, "shape", None) == ():
            value = value.item()
        if isinstance(value, str):
            value = value.strip()
        for choice in self.choices if value is not None else ():
            if str(choice).lower() == str(value).lower():
                return choice
        if self.none and isinstance(value, str) and value.lower() in ("none", "null", ""):
            return None
        if isinstance(value, bool) and {int, float} & {*self.kinds} and bool not in self.kinds:
            raise ValueError("true and false are not numbers.")
        if list in self.kinds and self.item is not None:
            return self._items(value, self.item)
        return value

    def located(self, value: Any, folder: Path | None) -> Any:
        """Look for a file in a folder, if that is what is wanted."""
        if folder is None or File not in self.kinds or not isinstance(value, str):
            return value
        return value if self.none and self.plain(value) is None else folder / value

    @staticmethod
    def _items(value: Any, item: Wanted) -> Any:
        if isinstance(value, str):
            parts = value.strip("[]()").split(",")
            return [item.plain(part) for part in parts if part.strip()]
        if isinstance(value, int | float):
            return [item.plain(value)]
        return [item.plain(part) for part in value] if isinstance(value, list | tuple) else value

    def __str__(self) -> str:
        """Say what is wanted: ``a number``, ``'fft' or 'median'``."""
        said = [repr(choice) for choice in self.choices]
        for kind in self.kinds:
            if kind is list:
                said.append(f"a list (each {self.item})")
            else:
                said.append(_KINDS.get(kind, f"a {kind.__name__}"))
        if self.none:
            said.append("None")
        return " or ".join(said)


_wanted = cache(Wanted)


def wanted(field: FieldInfo) -> Wanted:
    """Give what kinds of value a parameter takes."""
    annotation: Any = field.annotation
    return _wanted(annotation)


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    File: "a file that is there",
}

_LIMITS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "multiple_of": "a multiple of {}",
    "pattern": "like {}",
}


def unit(field: FieldInfo) -> str:
    """Give the unit of a parameter; empty when there is none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def allowed(field: FieldInfo) -> str:
    """Say what values a parameter takes.

    Examples
    --------
    >>> class JumpParams(Params):
    ...     rejection_threshold: float = parameter(4.0, "Cut.", unit="sigma", ge=0)
    >>> allowed(JumpParams.model_fields["rejection_threshold"])
    'a number, at least 0 [sigma]'
    """
    said = [str(wanted(field))]
    sizes: dict[str, Any] = {}
    for limit in field.metadata:
        for name in ("ge", "gt", "le", "lt", "multiple_of", "pattern"):
            bound = getattr(limit, name, None)
            if bound is not None:
                said.append(_LIMITS[name].format(bound))
        for name in ("min_length", "max_length"):
            if getattr(limit, name, None) is not None:
                sizes[name] = getattr(limit, name)
    if sizes:
        low, high = sizes.get("min_length"), sizes.get("max_length")
        count = f"{low}" if low == high else f"{low or 0} to {high if high is not None else 'many'}"
        said.append(f"{count} of them")
    in_unit = f" [{unit(field)}]" if unit(field) else ""
    return ", ".join(said) + in_unit
