"""Calibrate simulated exposures, and compare with the truth, effect by effect.

    python tools/truth.py [--mode nircam-imaging] [--size 512] [--jwst PYTHON] [--json]

Everything is simulated, then everything but one effect, then photon and read noise alone, and a
hundred times as many snowballs, with the step's search for them.  With `--mode all`, everything is
simulated in every mode.  For bins of the true signal the table gives the median and the width of
(slope - truth) / error, which are 0 and 1 where slopes have no bias and errors are right; then the
part of the pixels beyond 5 sigma, of ramps hit by particles above 8 sigma that were flagged and of
clean ramps that were, the same for saturation, and of snowballs with their outskirts.
With PYTHON, the interpreter of an environment with
`pip install jwst==3.0.0`, the incumbent calibrates the same files.  HELIODOR_JWST_PYTHON may name
it as well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cases
import numpy as np
from astropy.io import fits
from heliodor import api
from heliodor_simulate import EFFECTS, Figures, read_figures, simulate, theory
from heliodor_simulate import recovery as rec
from heliodor_simulate.figures import can_be_simulated

NOISE = ("sky", "photon-noise", "read-noise")
PARTICLES = ("cosmic-rays", "snowballs")


@dataclass(frozen=True)
class Row:
    """An exposure and how it is calibrated.

    Attributes
    ----------
    name : says what is special
    without : effects that are not simulated
    skip : steps that are left out
    mode : another than that of the command
    snowballs : times as many as usual
    parameters : of the pipeline, by ``step.parameter``
    """

    name: str
    without: Sequence[str] = ()
    skip: Sequence[str] = ()
    mode: str = ""
    snowballs: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


def rows(mode: str) -> list[Row]:
    """List the exposures of the table."""
    if mode == "all":
        modes = [
            name
            for name, each in api.modes().items()
            if can_be_simulated(each) and each.pipelines[1] == "calwebb_detector1"
        ]
        return [Row(name, ("snowballs",), mode=name) for name in sorted(modes)]
    alone = tuple(effect for effect in EFFECTS if effect not in NOISE)
    search = {"jump.expand_large_events": True}
    return [
        Row("everything"),
        Row("everything, ipc left out", (), ("ipc",)),
        Row("without 1/f noise", ("1/f",)),
        Row("without drifting offsets", ("amplifiers", "odd-even")),
        Row("without non-linearity", ("nonlinearity",)),
        Row("without coupling", ("coupling",)),
        Row("without bad pixels", ("bad-pixels",)),
        Row("without dark current", ("dark",)),
        Row("without stars", ("sources",)),
        Row("without particles", PARTICLES),
        Row("without saturation", ("saturation",)),
        Row("many snowballs", snowballs=100.0),
        Row("many snowballs, looked for", snowballs=100.0, parameters=search),
        Row("photon and read noise alone", alone),
        Row("the same, refpix left out", alone, ("refpix",)),
        Row("the same, jump left out too", alone, ("refpix", "jump")),
    ]


@dataclass(frozen=True)
class Result:
    """What one pipeline made of one exposure."""

    name: str
    pipeline: str
    bins: list[rec.Bin]
    beyond: float
    rays: rec.Found | None
    saturated: rec.Found | None
    snowballs: rec.Found | None

    def cells(self) -> list[str]:
        """Give the table's cells."""
        shown = {each.low: f"{each.median:+.3f} {each.width:.3f}" for each in self.bins}
        signals = [shown.get(low, "") for low in rec.EDGES[:-1]]
        parts = [_part(self.beyond)]
        for found in (self.rays, self.saturated, self.snowballs):
            if found is None:
                parts += ["", ""]
                continue
            parts.append(f"{_part(found.caught)} of {found.number:,}" if found.number else "")
            parts.append(_part(found.false))
        return [self.name, self.pipeline, *signals, *parts]


def _part(value: float) -> str:
    """Give a part in percent."""
    return "" if np.isnan(value) else f"{100 * value:.3g} %"


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="heliodor-truth-") as scratch:
        results = list(_results(args, args.out or Path(scratch)))
    if args.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
        return
    limits = pairwise(rec.EDGES)
    heading = ["exposure", "by", *(f"{low:g} - {high:g} DN/s" for low, high in limits)]
    heading += ["> 5 sigma", "particles found", "false", "saturated found", "false",
                "snowballs flagged", "false"]  # fmt: skip
    table = [heading, ["---"] * len(heading), *(result.cells() for result in results)]
    for line in table:
        print("|", " | ".join(line), "|")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", default="nircam-imaging", help="or all (nircam-imaging)")
    parser.add_argument("--size", type=int, default=512, metavar="N", help="of a square window")
    parser.add_argument("--ngroups", type=int, default=10, metavar="N")
    parser.add_argument("--readpatt")
    parser.add_argument("--detector")
    parser.add_argument(
        "--sky", default=[0.1, 800.0], nargs=2, type=float, metavar="E",
        help="background in the first and the last column [electron/s]",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name holds this")
    parser.add_argument("--jwst", default=os.environ.get("HELIODOR_JWST_PYTHON"), metavar="PYTHON")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep exposures and products here")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _results(args: argparse.Namespace, folder: Path) -> Iterator[Result]:
    made = []
    for row in rows(args.mode):
        if args.only not in row.name:
            continue
        place = folder / "".join(c if c.isalnum() else "_" for c in row.name)
        simulated = simulate(
            _figures(row.mode or args.mode, row.snowballs),
            place,
            references=place / "references",
            without=row.without,
            size=args.size,
            ngroups=args.ngroups,
            readpatt=args.readpatt,
            detector=args.detector,
            sky=tuple(args.sky),
            seed=args.seed,
        )
        options: dict[str, Any] = {
            "folders": place / "references", "skip": row.skip, "parameters": row.parameters
        }  # fmt: skip
        plan = api.plan(simulated.exposure, out=place / "ours", **options)
        (place / "ours").mkdir(exist_ok=True)
        api.run(plan, save=True)
        made.append((row, plan, rec.read_truth(simulated.truth), place))
    if args.jwst:
        jobs = [
            cases.job(
                plan,
                place / "theirs",
                {f"{step}.skip": True for step in row.skip} | dict(row.parameters),
            )
            for row, plan, _, place in made
        ]
        for report in cases.run_incumbent(args.jwst, jobs, folder):
            if report["error"]:
                sys.exit(f"jwst failed: {report['error']}")
    for row, plan, truth, place in made:
        root = plan.exposure.path.name.removesuffix("_uncal.fits")
        yield _judge(row, "ours", place / "ours", root, truth)
        if args.jwst:
            yield _judge(row, "jwst", place / "theirs", root, truth)
        if row.skip == ("refpix",):
            yield _expected(truth)


def _figures(mode: str, snowballs: float) -> Figures:
    """Give the figures of a mode, with more snowballs."""
    figures = read_figures(api.modes()[mode])
    rays = figures.cosmic_rays
    more = rays.model_copy(update={"snowballs": snowballs * rays.snowballs})
    return figures.model_copy(update={"cosmic_rays": more})


def _judge(row: Row, pipeline: str, place: Path, root: str, truth: rec.Arrays) -> Result:
    with fits.open(place / f"{root}_rate.fits") as file:
        pulls = rec.pulls(file["SCI"].data, file["ERR"].data, file["DQ"].data, truth)
    dq = fits.getdata(place / f"{root}_rateints.fits", "DQ")
    balls = rec.snowballs(dq, truth)
    return Result(
        name=row.name,
        pipeline=pipeline,
        bins=rec.by_signal(pulls, truth),
        beyond=float((np.abs(pulls[np.isfinite(pulls)]) > 5).mean()),
        rays=rec.jumps(dq, truth),
        saturated=rec.saturation(dq, truth),
        snowballs=balls if balls.number else None,
    )


def _expected(truth: rec.Arrays) -> Result:
    """Give what noise theory expects of the fit, with the errors that are quoted."""
    return Result("the same, expected", "theory", theory.expected(truth), np.nan, None, None, None)


if __name__ == "__main__":
    main()
