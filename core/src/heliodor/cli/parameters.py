"""``heliodor explain | schema``: what parameters are, for people and for editors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.cli.run import add_options, request
from heliodor.cli.tables import console, print_json, print_table, verbatim
from heliodor.errors import UsageError
from heliodor.plugins import registry

if TYPE_CHECKING:
    from heliodor.explaining import Explanation


def configure_explain(parser: argparse.ArgumentParser) -> None:
    """``heliodor explain STEP.PARAMETER [FILE]``."""
    parser.add_argument(
        "name",
        metavar="STEP.PARAMETER",
        help="such as jump.rejection_threshold; a step alone for all it has; option.NAME for an "
        "option of the pipeline",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="raw exposure (_uncal.fits)"
    )
    add_options(parser)
    parser.set_defaults(run=_explain, out=Path(), threads=None, scratch=None, max_memory=None)


def _explain(arguments: argparse.Namespace) -> int:
    from heliodor.explaining import explain
    from heliodor.planning import plan

    names = ("parameter", "pipeline", "skip", "references", "ref", "pars")
    if arguments.file is None and any(getattr(arguments, name) for name in names):
        raise UsageError("what counts depends on the exposure: give its file.")
    planned = plan(arguments.file, request(arguments)) if arguments.file else None
    explained = explain(arguments.name, planned)
    if arguments.json:
        print_json([each.to_dict() for each in explained])
        return 0
    for each in explained:
        _show(each, known=arguments.file is not None)
    return 0


def _show(each: Explanation, known: bool) -> None:
    value = f" = [bold]{verbatim(repr(each.value))}[/]" if known else ""
    unit = f" {each.unit}" if known and each.unit and each.value is not None else ""
    console().print(f"[bold]{each.step}.{each.parameter}[/]{value}{unit}")
    console().print(verbatim(each.description))
    console().print(f"takes {verbatim(each.allowed)}; of {each.distribution}")
    print_table(
        ("layer", "says", "", "where"),
        (
            (say.layer, verbatim(repr(say.value)), _coloured(say.verdict), verbatim(say.where))
            for say in each.said
        ),
    )


def _coloured(verdict: str) -> str:
    if verdict == "counts":
        return "[green]counts[/]"
    return f"[dim]{verbatim(verdict)}[/]" if verdict else ""


def configure_schema(parser: argparse.ArgumentParser) -> None:
    """``heliodor schema pipeline | step NAME``."""
    parser.add_argument(
        "kind",
        choices=("pipeline", "step"),
        help="pipelines and edits with all steps there are, or the parameters of one step",
    )
    parser.add_argument("name", nargs="?", help="of the step")
    parser.set_defaults(run=_schema)


def _schema(arguments: argparse.Namespace) -> int:
    from heliodor.schema import pipeline_schema, step_schema

    if (arguments.kind == "step") != (arguments.name is not None):
        raise UsageError("write `heliodor schema step NAME`, or `heliodor schema pipeline`.")
    if arguments.kind == "step":
        print_json(step_schema(registry(), arguments.name))
    else:
        print_json(pipeline_schema(registry()))
    return 0
