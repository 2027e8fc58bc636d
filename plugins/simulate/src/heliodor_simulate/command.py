"""The command ``heliodor simulate``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heliodor.declare import ModeSpec


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; ``--json`` is common to all commands."""
    from heliodor_simulate.arrangement import EFFECTS, ON_REQUEST

    parser.description = (
        "Make a raw exposure (_uncal.fits) with known truth, and the reference files that stage 1\n"
        "needs for it. The same arguments give the same bytes."
    )
    width = max(map(len, EFFECTS | ON_REQUEST))
    parser.epilog = "\n".join(
        line
        for option, effects in (("--without", EFFECTS), ("--also", ON_REQUEST))
        for line in (
            f"effects for {option}:",
            *(f"  {name:<{width}}  {meaning}" for name, meaning in effects.items()),
        )
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("mode", nargs="?", help="instrument mode, such as nircam-imaging")
    parser.add_argument("--list", action="store_true", help="list the modes that can be simulated")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for the exposure and its truth (here)",
    )
    parser.add_argument(
        "--references",
        type=Path,
        metavar="DIR",
        help="also write the reference files, into this folder",
    )
    parser.add_argument("--detector", help="such as NRCB1 (the mode's first choice)")
    array = parser.add_mutually_exclusive_group()
    array.add_argument("--subarray", help="such as SUB160 (the mode's first choice)")
    array.add_argument(
        "--size",
        type=_size,
        metavar="NX[xNY]",
        help="a small window of the full frame instead of a subarray, such as 256",
    )
    parser.add_argument(
        "--ngroups", type=int, default=5, metavar="N", help="groups in an integration (5)"
    )
    parser.add_argument("--nints", type=int, default=1, metavar="N", help="integrations (1)")
    parser.add_argument(
        "--segments",
        type=int,
        default=1,
        metavar="N",
        help="files that the integrations are divided among, as the archive does (1)",
    )
    parser.add_argument("--readpatt", help="read pattern, such as BRIGHT2 (the fastest)")
    parser.add_argument("--filter", help="filter, such as F200W (the mode's first choice)")
    parser.add_argument(
        "--pupil", help="pupil element or grating, where the filter alone does not say it"
    )
    parser.add_argument(
        "--sky",
        type=_sky,
        metavar="E[,E]",
        help="background in electron/s, or those of the first and the last column (the filter's)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="another number, another detector and sky (1)",
    )
    parser.add_argument(
        "--without",
        type=_names,
        default=[],
        metavar="EFFECT[,EFFECT...]",
        help="effects to leave out; listed below",
    )
    parser.add_argument(
        "--also",
        type=_names,
        default=[],
        metavar="EFFECT[,EFFECT...]",
        help="effects that are there only when asked for; listed below",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate, and say what was written."""
    from heliodor.errors import UsageError, did_you_mean
    from heliodor.plugins import registry

    from heliodor_simulate.exposure import simulate
    from heliodor_simulate.segments import split

    modes = registry().modes
    if args.list:
        return _list(modes, args.json)
    if args.mode is None:
        raise UsageError("Which mode? `heliodor simulate --list` names them.")
    if args.mode not in modes:
        raise UsageError(did_you_mean(args.mode, modes, "mode"))
    made = simulate(
        modes[args.mode],
        args.out,
        subarray=args.subarray,
        size=args.size,
        ngroups=args.ngroups,
        nints=args.nints,
        readpatt=args.readpatt,
        filter=args.filter,
        pupil=args.pupil,
        sky=args.sky,
        seed=args.seed,
        without=args.without,
        also=args.also,
        references=args.references,
        detector=args.detector,
    )
    exposures = [made.exposure]
    if args.segments != 1:
        exposures = split(made.exposure, args.segments)
        made.exposure.unlink()
    if args.json:
        paths = {
            "exposure": str(made.exposure) if args.segments == 1 else [*map(str, exposures)],
            "truth": str(made.truth),
            "references": {kind: str(path) for kind, path in made.references.items()},
        }
        print(json.dumps(paths, indent=1))
    else:
        print(*exposures, made.truth, *made.references.values(), sep="\n")
    return 0


def _list(modes: Mapping[str, ModeSpec], as_json: bool) -> int:
    """Print the modes that have figures."""
    from heliodor_simulate.figures import can_be_simulated

    known = {name: mode.title for name, mode in sorted(modes.items()) if can_be_simulated(mode)}
    width = max(map(len, known), default=0)
    lines = [f"{name:<{width}}  {title}" for name, title in known.items()]
    print(json.dumps(known, indent=1) if as_json else "\n".join(lines))
    return 0


def _size(text: str) -> tuple[int, int]:
    """``256`` or ``256x64``."""
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height or width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not like 256 or 256x64") from None


def _sky(text: str) -> tuple[float, float]:
    """``0.2`` or ``0.2,500``."""
    first, _, last = text.partition(",")
    try:
        return float(first), float(last or first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not like 0.2 or 0.2,500") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
