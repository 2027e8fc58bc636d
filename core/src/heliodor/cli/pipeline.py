"""``heliodor pipeline show``: a pipeline with edits, whole or against what it was."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.cli.tables import print_json
from heliodor.errors import PipelineError, UsageError, did_you_mean

if TYPE_CHECKING:
    from heliodor.documents.nodes import Document


def configure(parser: argparse.ArgumentParser) -> None:
    """``heliodor pipeline show NAME|FILE [FILE ...] [--diff]``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print a pipeline as it is with edits")
    show.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a pipeline's name, or its file; then files of edits, in order",
    )
    show.add_argument("--diff", action="store_true", help="only what the edits change")
    show.add_argument(
        "--from",
        dest="source",
        metavar="DISTRIBUTION",
        help="only of this one, where several ship a pipeline of that name",
    )
    # not to be given before the action alone
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    parser.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> int:
    from heliodor.documents.outline import difference, outline

    shown = []
    for source, parent, edited in _edited(arguments.names, arguments.source):
        lines = difference(parent, edited) if arguments.diff else outline(edited)
        shown.append((source, edited.name, lines))
    if arguments.json:
        keys = ("from", "name", "lines")
        print_json([dict(zip(keys, each, strict=True)) for each in shown])
        return 0
    for source, name, lines in shown:
        print(f"# {name} of {source}")
        print("\n".join(lines) if lines else "# no difference")
    return 0


def _edited(names: list[str], source: str | None) -> list[tuple[str, Document, Document]]:
    """Give every pipeline that is meant: where it is from, as it was, and with the edits."""
    from heliodor.documents.apply import apply
    from heliodor.documents.parse import read

    first, *files = names
    parents: list[tuple[str, Document]] = []
    edits = [read(file, "user file") for file in files]
    if not Path(first).suffix:
        parents = _shipped(first, source)
    else:
        document = read(first, "user file")
        if document.extends is None:
            parents = [(first, document)]
        else:
            parents = _shipped(document.extends, source)
            edits.insert(0, document)
    made, refused = [], []
    for where, parent in parents:
        try:
            made.append((where, parent, apply(parent, *edits)))
        except PipelineError as error:
            refused.append(error)
    if not made:
        raise refused[0]
    return made


def _shipped(name: str, source: str | None) -> list[tuple[str, Document]]:
    from heliodor.documents.shipped import all_documents
    from heliodor.plugins import registry

    shipped = all_documents(registry())
    named = [each for each in shipped if each.name == name]
    if not named:
        raise UsageError(did_you_mean(name, {each.name for each in shipped}, "pipeline"))
    known = {each.distribution for each in named}
    if source is not None and source not in known:
        raise UsageError(did_you_mean(source, known, f"distribution with {name}"))
    return [
        (each.distribution, each.document) for each in named if source in (None, each.distribution)
    ]
