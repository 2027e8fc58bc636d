"""``heliodor builds | whatsnew``: the builds of the operational pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from heliodor.cli.tables import console, print_json, print_table, verbatim
from heliodor.errors import UsageError
from heliodor.plugins import registry

if TYPE_CHECKING:
    from heliodor.builds.history import History
    from heliodor.builds.records import Build, Change

STATUS = {"Development": "magenta", "Candidate": "yellow", "Operations": "bold green"}
"""Colours; what is archived has none."""

HERE = {
    "both": "[green]either[/]",
    "new": "[green]the later[/]",
    "missing": "[yellow]not yet[/]",
    "neutral": "[dim]no result[/]",
}
"""Marks of what Heliodor makes of a change."""

LEGEND = (
    "Heliodor does [green]either[/]: as after the change, and as before with --build; "
    "[green]the later[/]: only as after it; [yellow]not yet[/]: neither; "
    "[dim]no result[/] depends on it"
)


def configure_builds(parser: argparse.ArgumentParser) -> None:
    """``heliodor builds [NAME]``."""
    parser.add_argument("name", nargs="?", help="describe this build, such as 9.3")
    parser.set_defaults(run=_builds)


def _builds(arguments: argparse.Namespace) -> int:
    history = _history()
    if arguments.name:
        return _describe(history, history.find(arguments.name), arguments.json)
    if arguments.json:
        print_json([facts(build) for build in history.builds.values()])
        return 0
    print_table(
        ("build", "jwst", "status", "SDP_VER", "candidate", "operations", "CRDS"),
        (
            (
                f"[bold]{build.name}[/]",
                build.jwst,
                _status(build),
                build.sdp,
                build.candidate,
                build.operations,
                build.context.removesuffix(".pmap"),
            )
            for build in history.builds.values()
        ),
    )
    console().print(
        "[bold green]Operations[/] is recommended. `heliodor builds NAME` describes a build, "
        "`heliodor run --build NAME` follows it."
    )
    return 0


def _describe(history: History, build: Build, as_json: bool) -> int:
    profile = history.profile(build.name)
    if as_json:
        print_json(
            facts(build)
            | {
                "unrecorded": list(profile.unrecorded),
                "later_changes": [change_facts(change) for change in profile.changes],
            }
        )
        return 0
    console().print(
        f"build [bold]{build.name}[/]: jwst {build.jwst}, {_status(build)}, "
        f"SDP {build.sdp or 'unknown'}, {build.context or 'CRDS context unknown'}"
    )
    for name, text in _details(build):
        console().print(f"{name}: {verbatim(text)}")
    for text in profile.unrecorded:
        console().print(f"[yellow]{verbatim(text)}[/]")
    there = [change for change in profile.changes if change.here in ("both", "new")]
    console().print("changes since then that concern steps of Heliodor, the latest first:")
    _print_changes(there)
    rest = len(profile.changes) - len(there)
    console().print(
        f"{rest} more concern steps that are not there yet, or no result: "
        f"`heliodor whatsnew {build.name} {next(iter(history.builds))}` lists them"
    )
    return 0


def configure_whatsnew(parser: argparse.ArgumentParser) -> None:
    """``heliodor whatsnew OLDER [NEWER]``."""
    parser.add_argument("older", help="a build, such as 9.3; alone: what is new in it")
    parser.add_argument("newer", nargs="?", help="a later build, such as 11.1")
    parser.set_defaults(run=_whatsnew)


def _whatsnew(arguments: argparse.Namespace) -> int:
    history = _history()
    older = history.find(arguments.older)
    if arguments.newer:
        newer = history.find(arguments.newer)
    else:
        newer, older = older, _older(history, older)
    changes = history.between(older, newer)
    unrecorded = list(history.unrecorded(older))
    if arguments.json:
        print_json(
            {
                "from": facts(older),
                "to": facts(newer),
                "unrecorded": unrecorded,
                "changes": [change_facts(change) for change in changes],
            }
        )
        return 0
    console().print(
        f"from build [bold]{older.name}[/] (jwst {older.jwst}, {older.context}) to "
        f"[bold]{newer.name}[/] (jwst {newer.jwst}, {newer.context})"
    )
    if newer.affects:
        console().print(f"{newer.name} affects most: {verbatim(', '.join(newer.affects))}")
    for text in unrecorded:
        console().print(f"[yellow]{verbatim(text)}[/]")
    _print_changes(changes)
    console().print(f"{len(changes)} changes")
    return 0


def _older(history: History, build: Build) -> Build:
    found = history.before(build)
    if found is None:
        raise UsageError(f"{build.name} is the first build on record: name two, the older first")
    return found


def facts(build: Build) -> dict[str, Any]:
    """Describe a build as plain data."""
    return asdict(build) | {"crds_context": build.context}


def change_facts(change: Change) -> dict[str, Any]:
    """Describe a change as plain data."""
    return {
        "jwst": change.jwst or None,
        "kind": change.kind,
        "step": change.step,
        "what": change.what,
        "for": change.when.describe(),
        "heliodor": change.here,
        "rows": list(change.rows),
        "from": str(change.place),
    }


def _print_changes(changes: Iterable[Change]) -> None:
    print_table(
        ("jwst", "step", "kind", "what changed", "Heliodor"),
        (
            (
                change.jwst or "[dim]none[/]",
                f"[bold]{change.step}[/]",
                change.kind,
                " ".join((verbatim(change.what), *(f"[dim]{row}[/]" for row in change.rows))),
                HERE[change.here],
            )
            for change in changes
        ),
    )
    console().print(LEGEND)


def _details(build: Build) -> list[tuple[str, str]]:
    """Say what a build has beyond what the table of all shows."""
    needs = ", ".join(f"{name}=={number}" for name, number in build.needs.items())
    page = ", ".join(f"{name} {text}" for name, text in build.page.items())
    details = (
        ("candidate", build.candidate),
        ("operations", build.operations),
        ("releases of jwst", ", ".join(build.releases)),
        ("affects most", ", ".join(build.affects)),
        ("needs", needs),
        (
            "CRDS context",
            "" if build.crds_fixed else "changed within it, see CRDS_CTX of a product",
        ),
        ("the observatory's page in January 2025", page),
    )
    return [(name, text) for name, text in details if text]


def _status(build: Build) -> str:
    colour = STATUS.get(build.status)
    return f"[{colour}]{build.status}[/]" if colour else build.status


def _history() -> History:
    from heliodor.builds.history import history

    return history(registry())
