"""``heliodor lock`` and ``heliodor sync``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.cli import show
from heliodor.cli.run import add_options, request
from heliodor.cli.tables import console, print_json, print_table, verbatim

if TYPE_CHECKING:
    from heliodor.locking import Synced

COLOURS = {"here": "green", "fetched": "bold green", "missing": "bold red"}


def configure_lock(parser: argparse.ArgumentParser) -> None:
    """``heliodor lock FILE [FILE ...] [-o LOCK]``."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="raw exposures (_uncal.fits)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("heliodor.lock"),
        metavar="LOCK",
        help="where to write it (default: heliodor.lock); one that is there is replaced",
    )
    add_options(parser)
    parser.set_defaults(run=_lock, out=Path(), threads=None, scratch=None, max_memory=None)


def configure_sync(parser: argparse.ArgumentParser) -> None:
    """``heliodor sync LOCK``."""
    parser.add_argument("lock", type=Path, metavar="LOCK", help="file written by `heliodor lock`")
    parser.add_argument(
        "--references",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="folder in which its files may be; nothing that is there is copied or fetched",
    )
    parser.set_defaults(run=_sync)


def _lock(arguments: argparse.Namespace) -> int:
    from heliodor import locking
    from heliodor.planning import plan

    wanted = replace(request(arguments), online=True)
    plans = [plan(path, wanted) for path in arguments.files]
    with show.progress(enabled=not arguments.json and sys.stderr.isatty()) as observer:
        made = locking.lock(plans, observer)
    made.write(arguments.output)
    if arguments.json:
        print_json(made.as_data())
        return 0
    size = sum(file.size for file in made.files.values())
    console().print(
        f"locked {len(made.files)} files ({size / 1e6:,.1f} MB) of {len(made.exposures)} "
        f"exposures in [bold]{verbatim(arguments.output)}[/]",
        soft_wrap=True,
    )
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    from heliodor import locking

    with show.progress(enabled=not arguments.json and sys.stderr.isatty()) as observer:
        files = locking.sync(arguments.lock, arguments.references, observer)
    if arguments.json:
        print_json([file.to_dict() for file in files])
    else:
        _print(files)
    return 4 if any(file.problem for file in files) else 0


def _print(files: list[Synced]) -> None:
    rows = (
        (
            verbatim(file.name),
            f"[{COLOURS[file.standing]}]{file.standing}[/]",
            verbatim(file.problem or file.path),
        )
        for file in files
    )
    print_table(("file", "state", "where, or why not"), rows)
    missing = sum(bool(file.problem) for file in files)
    if missing:
        console().print(f"[bold red]{missing} of {len(files)} files are missing[/]")
    else:
        console().print(f"all {len(files)} files are here, with the content that was locked")
