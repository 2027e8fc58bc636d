"""What a function on arrays says by its signature, when it is a step."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from heliodor.declare import Look, StepSpec
from heliodor.errors import PluginError, did_you_mean
from heliodor.params import Params, parameter

AXES = {"data": "igyx", "groupdq": "igyx", "zeroframe": "iyx", "pixeldq": "yx"}
"""Planes of a ramp, and their axes: integrations, groups, rows, columns."""

PRODUCT_PLANES = ("data", "err", "dq", "var_poisson", "var_rnoise", "var_flat")
"""Planes of a product of slopes."""

BESIDE = ("keywords", "piece", "log")
"""What else a function may ask for by name."""


def where(function: Any) -> str:
    """Say where a function or a class stands: ``my_steps.py:12``."""
    if code := getattr(inspect.unwrap(function), "__code__", None):
        return f"{Path(code.co_filename).name}:{code.co_firstlineno}"
    return function.__module__


@dataclass(frozen=True)
class Asked:
    """One positional argument of a function.

    Attributes
    ----------
    name : of a plane, of what is in `BESIDE`, or of a reference type
    needed : False if it has a default
    opened : it wants the open reference file, not its image
    """

    name: str
    needed: bool = True
    opened: bool = False


class Signature:
    """What a function asks for: arrays by position, parameters by keyword."""

    def __init__(self, function: Callable[..., Any]):
        from heliodor.references.files import Reference

        self.function = function
        try:
            hints = get_type_hints(function, include_extras=True)
        except Exception as error:
            raise self.error(f"its annotations: {type(error).__name__}: {error}") from error
        self.hints = hints
        arguments = inspect.signature(function).parameters.values()
        for each in arguments:
            if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
                raise self.error(f"'{each}': every argument has a name, arrays come first")
        self.keyword_only = [each for each in arguments if each.kind is each.KEYWORD_ONLY]
        self.asked = tuple(
            Asked(
                each.name,
                each.default is each.empty,
                Reference in (hints.get(each.name), *get_args(hints.get(each.name))),
            )
            for each in arguments
            if each.kind is not each.KEYWORD_ONLY
        )

    def error(self, message: str) -> PluginError:
        """Make the error that says something about the function."""
        return PluginError(f"{where(self.function)}: {self.function.__name__}: {message}")

    @property
    def references(self) -> list[str]:
        """Reference types that it asks for."""
        known = {*AXES, *PRODUCT_PLANES, *BESIDE}
        return [each.name for each in self.asked if each.name not in known]

    def optional(self, name: str) -> bool:
        """Whether it can do without an argument."""
        return not next(each for each in self.asked if each.name == name).needed

    def takes(self) -> Literal["ramp", "image"] | None:
        """Whether it is about ramps or products; None if its arguments do not say."""
        names = {each.name for each in self.asked if each.needed}
        of_ramps, of_products = names & {*AXES} - {"data"}, names & {*PRODUCT_PLANES} - {"data"}
        if of_ramps and of_products:
            raise self.error(
                f"{', '.join(sorted(of_ramps))} are of ramps, "
                f"{', '.join(sorted(of_products))} of products: no exposure has both"
            )
        return "ramp" if of_ramps else "image" if of_products else None

    def planes(self, takes: str | None) -> tuple[str, ...]:
        """Planes that it is given."""
        known = {"ramp": (*AXES,), "image": PRODUCT_PLANES}.get(
            takes or "", (*AXES, *PRODUCT_PLANES)
        )
        return tuple(each.name for each in self.asked if each.name in known)

    def check(self, spec: StepSpec) -> None:
        """Refuse what the engine could not keep the promise for."""
        if len(spec.phases) != 1:
            raise self.error("a function is one phase; a step of several is a class")
        (phase,) = spec.phases
        if phase.looks not in get_args(Look):
            raise self.error(did_you_mean(str(phase.looks), get_args(Look), "look"))
        if phase.looks == "association":
            raise self.error("what looks at an association is a class, not a function")
        for plane in phase.writes:
            if plane not in (*AXES, *PRODUCT_PLANES):
                raise self.error(did_you_mean(plane, {*AXES, *PRODUCT_PLANES}, "plane to write"))
        if "pixeldq" in phase.writes and phase.looks not in ("pixels", "exposure"):
            raise self.error(
                "pixeldq is shared by all integrations: what writes it looks at pixels or exposure"
            )
        if "zeroframe" in phase.writes and phase.looks == "frame":
            raise self.error("zeroframe is shared by all groups: what writes it looks at frames")

    def params(self) -> type[Params]:
        """Make the model of the keyword-only arguments."""
        from pydantic import create_model

        told = _described(inspect.getdoc(self.function) or "")
        fields: dict[str, Any] = {}
        for each in self.keyword_only:
            name, default = each.name, each.default
            if name in Params.model_fields:
                raise self.error(f"{name} is a parameter of every step; choose another name")
            if default is each.empty:
                raise self.error(f"the parameter {name} has no default")
            hint = self.hints.get(name, Any if default is None else type(default))
            if any(getattr(extra, "description", "") for extra in get_args(hint)[1:]):
                fields[name] = (hint, default)
            else:
                text, unit = told.get(name, ("", ""))
                fields[name] = (hint, parameter(default, text, unit=unit))
        made = create_model(
            "Params", __base__=Params, __module__=self.function.__module__, **fields
        )
        made.__qualname__ = f"{self.function.__qualname__}.Params"
        made.__doc__ = f"Parameters of {self.function.__name__}."
        return made


def _described(doc: str) -> dict[str, tuple[str, str]]:
    """Read text and unit of each argument from a docstring's Parameters.

    Examples
    --------
    >>> lines = ("Flag.", "", "Parameters", "-" * 10, "cut : float [s]", "    What is", "    it.")
    >>> _described(chr(10).join(lines))
    {'cut': ('What is it.', 's')}
    """
    _, _, section = doc.partition("Parameters\n----------\n")
    section = re.split(r"\n[A-Z].*\n-{3,}\n", section)[0]
    found: dict[str, tuple[str, str]] = {}
    for names, kind, text in re.findall(
        r"^(\w[\w, ]*?) *:(.*)\n((?:[ ]+.*\n?|\n)*)", section, re.M
    ):
        unit = re.search(r"\[([^\]]+)\]", kind)
        for name in names.split(","):
            found[name.strip()] = (" ".join(text.split()), unit[1] if unit else "")
    return found
