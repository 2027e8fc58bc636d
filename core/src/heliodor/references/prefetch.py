"""Bringing reference files that are not there yet: all of a run together, before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.engine import load
from heliodor.errors import HeliodorError, NotFetched, PluginError, ReferenceError
from heliodor.observers import Observer
from heliodor.plugins import registry
from heliodor.references.selectors import Answer, Found

if TYPE_CHECKING:
    from heliodor.plans import Plan

NAMED = 3
"""How many of those who need a file are named in a message."""


def for_plans(plans: Iterable[Plan], observer: Observer) -> None:
    """Fetch all that exposures need, each file once.

    Exposures that lack a reference that nobody has are passed over: they will not be run.

    Parameters
    ----------
    plans : of all exposures of a run
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.ReferenceError
        A file cannot be fetched; the message names it, its type, and who needs it.
    """
    files: dict[Path, Found] = {}
    users: dict[Path, list[str]] = {}
    for plan in plans:
        if plan.missing:
            continue
        for name, found in plan.absent:
            files.setdefault(found.path, found)
            user = f"{name} for {plan.exposure.path}"
            if user not in users.setdefault(found.path, []):
                users[found.path].append(user)
    fetch(files.values(), users, observer)


def for_planning(answers: Mapping[str, Answer], user: str, *, online: bool) -> None:
    """Fetch files without which a plan cannot be made, or say that they are not there.

    Parameters
    ----------
    answers : of reference sources, by type
    user : who needs them, for messages
    online : whether they may be fetched

    Raises
    ------
    heliodor.errors.ReferenceError
        as `for_plans`; they may not be fetched
    """
    files = _absent(answers)
    if files and not online:
        listed = ", ".join(f"{found.path.name} ({name})" for name, found in files.items())
        raise ReferenceError(
            f"{user}: the parameters depend on {listed}, not fetched yet. `heliodor run` fetches "
            "what it needs, `plan --online` what a plan depends on; --no-pars leaves these out."
        )
    for_one(answers, user)


def for_one(answers: Mapping[str, Answer], user: str) -> None:
    """Fetch what is not there yet of the files of one step or exposure; see `for_plans`."""
    files = _absent(answers)
    users = {found.path: [f"{name} for {user}"] for name, found in files.items()}
    fetch(files.values(), users, Observer())


def _absent(answers: Mapping[str, Answer]) -> dict[str, Found]:
    return {
        name: answer
        for name, answer in answers.items()
        if isinstance(answer, Found) and answer.absent
    }


def fetch(files: Iterable[Found], users: Mapping[Path, list[str]], observer: Observer) -> None:
    """Have files fetched by those who know how.

    Parameters
    ----------
    files : that are not there
    users : by file, what each is needed for
    observer : is told how it goes on

    Raises
    ------
    heliodor.errors.ReferenceError
        as `for_plans`
    """
    by: dict[str, list[Found]] = {}
    for found in sorted(files, key=lambda found: found.path):
        by.setdefault(found.fetch, []).append(found)
    absent = by.pop("", [])
    reasons = {found.path: f"{found.path} is not there ({found.why})" for found in absent}
    others = []
    for impl, group in by.items():
        try:
            load(impl)(tuple(group), observer)
        except NotFetched as error:
            reasons |= error.reasons
        except HeliodorError as error:
            others.append(str(error))
            reasons |= dict.fromkeys((found.path for found in group), "")
        except Exception as error:
            blamed = registry().blame(impl)
            raise PluginError(
                f"{impl} of {blamed} failed: {type(error).__name__}: {error}"
            ) from error
        for found in group:
            if found.absent:
                reasons.setdefault(found.path, "it is still not there")
    if reasons:
        lines = ["reference files could not be fetched; nothing was begun.", *others]
        for path, why in reasons.items():
            more = f" and {len(users[path]) - NAMED} more" if len(users[path]) > NAMED else ""
            needed = ", ".join(users[path][:NAMED]) + more
            lines.append(f"{path.name}, {needed}" + (f": {why}" if why else ""))
        raise ReferenceError("\n".join(lines))
