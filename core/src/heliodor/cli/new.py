"""``heliodor new``: a package to begin a plugin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from heliodor.cli.tables import console, print_json, verbatim


def configure(parser: argparse.ArgumentParser) -> None:
    """``heliodor new KIND NAME [--out DIR]``."""
    from heliodor.scaffold import KINDS

    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="in lower case, such as destripe")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where to write it (default: here)"
    )
    parser.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="KEYWORD=VALUE",
        help="exposures that are of a mode, such as EXP_TYPE=NRS_IFU",
    )
    parser.set_defaults(run=_new)


def _new(arguments: argparse.Namespace) -> int:
    from heliodor.cli.run import pair
    from heliodor.scaffold import write

    match = dict(pair(text, "--match KEYWORD=VALUE") for text in arguments.match)
    written = write(arguments.kind, arguments.name, arguments.out, match)
    if arguments.json:
        print_json([str(path) for path in written])
        return 0
    for path in written:
        console().print(verbatim(path), soft_wrap=True, highlight=False)
    top = arguments.out / f"heliodor-{arguments.name.replace('_', '-')}"
    print(f"next: pip install -e '{top}[test]' && pytest {top}")
    return 0
