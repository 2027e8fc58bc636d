"""What plugins may count on is written down, and does not change by the way.

`public.txt` beside this file is what `surface` gives.  A line that changes or goes breaks plugins
of others: docs/plugins.md says how that is done.  New lines are added with what they name:
``python core/tests/test_public.py > core/tests/public.txt``.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SURFACE = Path(__file__).with_name("public.txt")
PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"

MODULES = {
    "heliodor": ("lock", "modes", "plan", "run", "run_all", "run_step", "steps", "sync"),
    "heliodor.hookspecs": None,
    "heliodor.declare": None,
    "heliodor.step": ("Member", "Members", "Piece", "References", "Skipped", "Step", "step"),
    "heliodor.params": ("Params", "parameter"),
    "heliodor.data": ("Keywords", "PLAIN", "Product", "Ramp"),
    "heliodor.bits": ("GROUP", "PIXEL"),
    "heliodor.kernels": ("helper", "kernel"),
    "heliodor.references.files": ("Reference", "RowReader"),
    "heliodor.references.selectors": ("Found", "NotApplicable", "Selector", "Sources", "Unknown"),
    "heliodor.workspace": ("Workspace",),
    "heliodor.receipt": ("read",),
    "heliodor.errors": None,
    "heliodor.testing": (
        "check_pieces", "check_scratch", "conformance", "made_up_image", "made_up_ramp",
        "make_ramp", "make_reference", "run_step", "simulated",
    ),
}  # fmt: skip
"""Stable modules; None: all that they define."""


def surface() -> Iterator[str]:
    """Give a line for every name, attribute and argument that is stable."""
    for module_name, names in MODULES.items():
        module = importlib.import_module(module_name)
        own = [
            name
            for name, thing in vars(module).items()
            if getattr(thing, "__module__", "") == module_name and not name.startswith("_")
        ]
        for name in sorted(own) if names is None else names:
            yield from described(f"{module_name}.{name}", getattr(module, name))


def described(name: str, thing: Any) -> Iterator[str]:
    """Give the lines of one function, class or value."""
    if inspect.isfunction(thing):
        yield f"{name}{arguments(thing)}"
        return
    if not isinstance(thing, type):
        yield name
        return
    yield f"{name}" + (f" exits with {thing.exit_code}" if hasattr(thing, "exit_code") else "")
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield f"{name}.{field.name}" + ("" if needed(field) else " (optional)")
    for attribute, value in vars(thing).items():
        if attribute.startswith("_") or attribute == "model_config":
            continue
        if inspect.isfunction(value):
            yield f"{name}.{attribute}{arguments(value)}"
        elif isinstance(value, property):
            yield f"{name}.{attribute}"


def arguments(function: Any) -> str:
    """Give names and kinds of arguments; ``=`` stands for any default."""
    said = []
    for each in inspect.signature(function).parameters.values():
        mark = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        keyword = "keyword " if each.kind is each.KEYWORD_ONLY else ""
        said.append(f"{keyword}{mark}{each.name}{'' if each.default is each.empty else '='}")
    return f"({', '.join(said)})"


def needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def test_the_public_surface_is_as_written_down():
    now, then = list(surface()), SURFACE.read_text().splitlines()
    gone = [line for line in then if line not in now]
    new = [line for line in now if line not in then]
    assert not gone, "a change that breaks plugins, see docs/plugins.md"
    assert not new, "write it down: python core/tests/test_public.py > core/tests/public.txt"


def test_the_page_names_every_stable_module():
    table = PAGE.read_text().partition("## What is stable")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(heliodor[\w.]*)`", table, re.MULTILINE)) == {*MODULES}


def test_the_page_names_every_hook():
    from heliodor import hookspecs

    text = PAGE.with_name("hooks.md").read_text()
    for name, thing in vars(hookspecs).items():
        if inspect.isfunction(thing) and thing.__module__ == hookspecs.__name__:
            assert f"### `{name}(" in text


if __name__ == "__main__":
    print(*surface(), sep="\n")
