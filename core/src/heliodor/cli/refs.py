"""``heliodor refs``: the references of exposures, explained, checked, compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.cli.run import add_options, request
from heliodor.cli.tables import console, print_error, print_json, print_table, verbatim
from heliodor.errors import HeliodorError, UsageError

if TYPE_CHECKING:
    from heliodor.cli.main import Parser
    from heliodor.plans import Plan
    from heliodor.references.checking import Report
    from heliodor.references.explained import Explained
    from heliodor.references.selectors import Considered

SHOWN = 3
"""Files not chosen that a table shows for each type; --json and --type give all."""


def configure(parser: Parser) -> None:
    """``heliodor refs FILE ... | check FILE ... | diff A B FILE ... | index DIR ...``."""
    parser.usage = (
        "heliodor refs [options] FILE [FILE ...]\n"
        "       heliodor refs check [options] FILE [FILE ...]\n"
        "       heliodor refs diff [options] CONTEXT CONTEXT FILE [FILE ...]\n"
        "       heliodor refs index DIR [DIR ...]"
    )
    parser.intermixed = True
    parser.add_argument(
        "words",
        nargs="+",
        metavar="FILE",
        help="exposures, to explain their references; after 'check', reference files, or exposures "
        "whose references are checked; after 'diff', two contexts and exposures; after 'index', "
        "folders (./check is a file of that name)",
    )
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="TYPE",
        help="only references of this type, with all files that were looked at",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="fetch what the choice depends on: rules, parameter references",
    )
    add_options(parser)
    parser.set_defaults(run=_run, out=Path(), threads=None, scratch=None, max_memory=None)


def _run(arguments: argparse.Namespace) -> int:
    first, *rest = arguments.words
    actions: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
        "check": _check,
        "diff": _diff,
        "index": _index,
    }
    if first not in actions:
        return _explain(arguments, arguments.words)
    if len(rest) < (3 if first == "diff" else 1):
        raise UsageError(f"something is missing after '{first}'.\n{arguments.parser.usage}")
    return actions[first](arguments, rest)


# ------------------------------------------------------------------ heliodor refs FILE


def _explain(arguments: argparse.Namespace, files: list[str]) -> int:
    from heliodor.planning import plan
    from heliodor.references.explained import explain

    wanted = replace(request(arguments), online=arguments.online)
    found = []
    for path in files:
        planned = plan(path, wanted)
        found.append((planned, explain(planned, arguments.type)))
    if arguments.json:
        print_json([_about(planned, explained) for planned, explained in found])
    else:
        for planned, explained in found:
            _show(planned, explained, everything=bool(arguments.type))
    return 4 if any(each.missing for _, explained in found for each in explained) else 0


def _about(planned: Plan, explained: list[Explained]) -> dict[str, Any]:
    return {
        "input": str(planned.exposure.path),
        "mode": planned.mode.name,
        "pipeline": planned.pipeline.document.name,
        "references": [each.to_dict() for each in explained],
    }


def _show(planned: Plan, explained: list[Explained], *, everything: bool) -> None:
    console().print(
        f"[bold]{verbatim(planned.exposure.path.name)}[/]  {planned.mode.title}; "
        f"pipeline [bold]{planned.pipeline.document.name}[/]",
        soft_wrap=True,
    )
    print_table(
        ("type", "file", "from", "rule, and what was not chosen"),
        (
            (
                "\n".join((f"[bold]{each.type}[/]", *(f"[dim]{name}[/]" for name in each.steps))),
                _file(each),
                "\n".join((each.selector, *([f"[dim]{each.context}[/]"] if each.context else []))),
                "\n".join(_reasons(each, everything=everything)),
            )
            for each in explained
        ),
    )


def _file(each: Explained) -> str:
    name = verbatim(each.file)
    match type(each.answer).__name__:
        case "Found":
            return f"[green]{name}[/]"
        case "Unknown":
            return "[bold red]missing[/]" if each.missing else "[yellow]none[/]"
    return f"[yellow]{name}[/]"


def _reasons(each: Explained, *, everything: bool) -> Iterator[str]:
    found = each.asked[-1] if each.selector else None
    chosen = [c for c in found.considered if c.chosen] if found else []
    if not each.selector and each.asked:
        yield from (f"{s.selector}: {verbatim(s.why)}" for s in each.asked if not s.considered)
    else:
        yield verbatim(chosen[0].why if chosen else each.answer.why)
    others = [(s.selector, c) for s in each.asked for c in s.considered if not c.chosen]
    shown = others if everything else others[:SHOWN]
    yield from (_other(selector, considered) for selector, considered in shown)
    if len(shown) < len(others):
        yield f"[dim]and {len(others) - len(shown)} more: --type {each.type}[/]"


def _other(selector: str, considered: Considered) -> str:
    return f"[dim]{selector}: not {verbatim(considered.name)}: {verbatim(considered.why)}[/]"


# ------------------------------------------------------------------ heliodor refs index


def _index(arguments: argparse.Namespace, folders: list[str]) -> int:
    import time

    from heliodor.references import index, stored

    done: list[dict[str, Any]] = []
    for folder in folders:
        start = time.perf_counter()
        built = index.build(Path(folder))
        seconds = time.perf_counter() - start
        done.append(
            {
                "index": str(Path(folder, stored.NAME)),
                "files": len(built.states),
                "unreadable": [str(Path(folder, row.name)) for row in built.rows],
                "seconds": round(seconds, 3),
            }
        )
    if arguments.json:
        print_json(done)
        return 0
    for each in done:
        console().print(
            f"[bold green]wrote[/] {verbatim(each['index'])}: {each['files']:,} files "
            f"[dim]in {each['seconds']:.2f} s[/]",
            soft_wrap=True,
        )
        for path in each["unreadable"]:
            console().print(f"[yellow]cannot be read:[/] {verbatim(path)}", soft_wrap=True)
    return 0


# ------------------------------------------------------------------ heliodor refs diff


def _diff(arguments: argparse.Namespace, words: list[str]) -> int:
    from heliodor.planning import plan
    from heliodor.references.explained import chosen

    one, other, *files = words
    # parameter references are compared by name: their files need not be at hand
    wanted = replace(request(arguments), parameter_references=False, online=arguments.online)
    found = []
    for path in files:
        before, after = (
            chosen(plan(path, replace(wanted, context=context))) for context in (one, other)
        )
        names = [name for name in {**before, **after} if _wanted(name, arguments.type)]
        changed = {
            name: (before.get(name, "none"), after.get(name, "none"))
            for name in names
            if before.get(name, "none") != after.get(name, "none")
        }
        found.append((path, changed))
    if arguments.json:
        print_json(
            [
                {
                    "input": path,
                    "changed": {name: {one: a, other: b} for name, (a, b) in changed.items()},
                }
                for path, changed in found
            ]
        )
        return 0
    rows = [
        (f"[bold]{verbatim(Path(path).name)}[/]", name, verbatim(a), f"[green]{verbatim(b)}[/]")
        for path, changed in found
        for name, (a, b) in changed.items()
    ]
    if rows:
        print_table(("exposure", "type", verbatim(one), verbatim(other)), rows)
    changing = sum(bool(changed) for _, changed in found)
    console().print(f"{changing} of {len(found)} exposures change")
    return 0


def _wanted(name: str, types: list[str]) -> bool:
    return not types or name in types


# ------------------------------------------------------------------ heliodor refs check


def _check(arguments: argparse.Namespace, files: list[str]) -> int:
    from heliodor.references.checking import Expected, check, is_reference

    reports: list[Report] = []
    failed: list[HeliodorError] = []
    for path in map(Path, files):
        if is_reference(path):
            reports.append(check(path, Expected(*arguments.type[:1])))
            continue
        try:
            reports += _of_exposure(path, arguments)
        except HeliodorError as error:
            failed.append(error)
            print_error(error)
    if arguments.json:
        print_json([report.to_dict() for report in reports])
    else:
        _show_reports(reports)
    return failed[0].exit_code if failed else 4 if any(r.refused for r in reports) else 0


def _of_exposure(path: Path, arguments: argparse.Namespace) -> list[Report]:
    """Check all references of an exposure, each once."""
    from heliodor.planning import plan
    from heliodor.references.checking import Expected, Report, check
    from heliodor.references.contents import Finding
    from heliodor.references.explained import explain
    from heliodor.references.selectors import Found

    planned = plan(path, replace(request(arguments), online=arguments.online))
    reports = []
    for each in explain(planned, arguments.type):
        if isinstance(each.answer, Found) and each.answer.fetch and each.answer.absent:
            why = Finding("not here yet: a run fetches it")
            reports.append(Report(each.answer.path, each.type, findings=(why,)))
        elif isinstance(each.answer, Found):
            reports.append(check(each.answer.path, Expected(each.type, planned.exposure)))
        elif each.missing:
            why = Finding(f"missing: {each.answer.why}")
            reports.append(Report(path, each.type, findings=(why,)))
    return reports


def _show_reports(reports: list[Report]) -> None:
    print_table(
        ("file", "", "is", "holds, and what was found"),
        (
            (
                f"[bold]{verbatim(report.path.name)}[/]",
                "[bold red]refused[/]" if report.refused else "[green]good[/]",
                verbatim(f"{report.type} {report.instrument}".strip()),
                "\n".join(
                    [
                        *([f"[dim]{verbatim(', '.join(report.held))}[/]"] if report.held else []),
                        *(f"[red]{verbatim(finding)}[/]" for finding in report.refused),
                        *(
                            f"[yellow]{verbatim(finding)}[/]"
                            for finding in report.findings
                            if not finding.refused
                        ),
                    ]
                ),
            )
            for report in reports
        ),
    )
    refused = sum(bool(report.refused) for report in reports)
    console().print(f"{len(reports) - refused} of {len(reports)} files can be used")
