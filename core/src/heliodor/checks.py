"""What is looked at before a plugin's records are taken, so that trouble stays with the plugin."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import metadata
from types import ModuleType
from typing import Any

from heliodor import cli
from heliodor.declare import Command, ModeSpec, ReferenceType, StepSpec
from heliodor.errors import PluginError


def marked(module: ModuleType, hooks: Iterable[str]) -> None:
    """Refuse a hook without its mark: pluggy would pass over it without a word."""
    for name in hooks:
        function = getattr(module, name, None)
        if function is not None and not hasattr(function, "heliodor_impl"):
            raise PluginError(f"{name} is not marked with @hookimpl of heliodor.hookspecs")


def record(given: Any) -> None:
    """Refuse a record that would fail later, for others than its plugin."""
    match given:
        case StepSpec():
            if not re.fullmatch(r"[A-Z0-9_-]{1,8}", given.status):
                raise PluginError(
                    f"step {given.name}: status keyword {given.status!r} must be 1 to 8 capital "
                    "letters, digits, _ or -"
                )
            looks = {phase.looks == "association" for phase in given.phases}
            if looks and looks != {given.scope != "exposure"}:
                raise PluginError(
                    f"step {given.name}: all phases look at association if the scope is more than "
                    f"one exposure, and none otherwise; the scope is {given.scope}"
                )
            given.applies.accepts({})
        case ModeSpec():
            given.match.accepts({})
            given.pipelines.items()
        case ReferenceType():
            given.applies.accepts({})
        case Command() if given.name in cli.COMMANDS:
            raise PluginError(f"the command {given.name} is Heliodor's own; choose another name")


def core(needs: Iterable[str]) -> None:
    """Refuse a plugin that asks, by its dependencies, for another version of the core.

    Parameters
    ----------
    needs : dependencies, as its metadata say: ``heliodor>=0.1,<0.2``
    """
    for text in needs:
        found = re.match(r"heliodor(?![\w.-])(?:\[.*?\])?([^;]*)", text, re.IGNORECASE)
        if found and not allows(found[1], _version()):
            asked = found[1].strip(" ()")
            raise PluginError(
                f"it asks for heliodor {asked}, and this is {_version()}: upgrade one of them"
            )


def allows(asked: str, version: str) -> bool:
    """Whether a version is within bounds.

    Examples
    --------
    >>> allows(">=0.1,<0.2", "0.1.7"), allows(">=0.2", "0.1.7"), allows("~=0.1.3", "0.2")
    (True, False, False)
    """
    for relation, text in re.findall(r"(>=|<=|==|!=|~=|<|>)\s*([\w.*]+)", asked):
        want, have = _release(text), _release(version)
        have += (0,) * (len(want) - len(have))
        known, full = have[: len(want)], want + (0,) * (len(have) - len(want))
        within = {
            ">=": have >= full, "<=": have <= full, ">": have > full, "<": have < full,
            "==": known == want, "!=": known != want,
            "~=": have >= full and known[:-1] == want[:-1],
        }  # fmt: skip
        if not within[relation]:
            return False
    return True


@functools.cache
def _version() -> str:
    return metadata.version("heliodor")


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))
