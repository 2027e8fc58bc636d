"""Calibrate exposures with Heliodor and with an installed `jwst`, and compare step by step.

    python tools/parity.py --jwst PYTHON [--inputs DIR --references DIR] [--json]

PYTHON is the interpreter of an environment with `pip install jwst==3.0.0`; HELIODOR_JWST_PYTHON
may name it as well.  Exposures are simulated unless a folder of others is given.  Nothing is
asked of the network.  Ends with 1 if anything is not at parity.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import asdf
import cases
import judge
from astropy.io import fits
from heliodor import api
from heliodor.errors import HeliodorError
from heliodor.references import index
from rich.console import Console
from rich.status import Status
from rich.table import Table

NEXT_STAGE = {"flat", "area", "photom", "distortion"}
"""References that the incumbent's next stage of imaging needs."""
CHECKED = ("rate", "rateints", "dark", "cal")
"""Products whose keywords are compared."""
BATCH = 5
"""Cases that are run together; their files take room on the disk until they are compared."""


@dataclass
class Comparison:
    """A case, run by both."""

    name: str
    input: cases.Input
    parameters: cases.Parameters
    folder: Path
    own: cases.Parameters = field(default_factory=dict)
    verdicts: list[judge.Verdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether everything is at parity."""
        return not self.problems and all(verdict.good for verdict in self.verdicts)

    @property
    def ours(self) -> Path:
        """Folder of Heliodor's products."""
        return self.folder / "ours"

    @property
    def theirs(self) -> Path:
        """Folder of the incumbent's."""
        return self.folder / "theirs"

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "name": self.name,
            "exposure": self.input.exposure.name,
            "parameters": {**self.parameters, **self.own},
            "parity": self.good,
            "problems": self.problems,
            "arrays": [asdict(verdict) | {"good": verdict.good} for verdict in self.verdicts],
        }


def main() -> int:
    args = _arguments()
    console = Console(stderr=args.json)
    console.width = max(console.width, 110)
    if not args.jwst:
        console.print(
            "No interpreter with jwst is named: give --jwst PYTHON, or set HELIODOR_JWST_PYTHON. "
            "Make one with `python -m venv jwst` and `jwst/bin/pip install jwst==3.0.0`."
        )
        return 2
    done: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="heliodor-parity-") as scratch:
        folder = args.out or Path(scratch)
        comparisons = _comparisons(args, folder)
        while batch := list(islice(comparisons, BATCH)):
            with console.status("") as status:
                _both(args.jwst, batch, folder, status)
            done += batch
            if args.out is None:
                for used in (folder / "inputs", *(comparison.folder for comparison in batch)):
                    shutil.rmtree(used, ignore_errors=True)
    summary = [comparison.to_dict() for comparison in done]
    if args.summary:
        args.summary.write_text(json.dumps(summary, indent=1))
    if args.json:
        print(json.dumps(summary, indent=1))
    else:
        _show(console, done)
    return 0 if all(comparison.good for comparison in done) else 1


def _both(python: str, batch: list[Comparison], folder: Path, status: Status) -> None:
    """Run some cases with both programs, and compare."""
    jobs = []
    for comparison in batch:
        status.update(f"heliodor: {comparison.name}")
        jobs.append(_run_ours(comparison))
    status.update(f"jwst: {batch[0].name} ...")
    _run_theirs(python, batch, jobs, folder)
    status.update(f"jwst: next stage of {batch[0].name} ...")
    _next_stage(python, batch, folder)
    for comparison in batch:
        status.update(f"comparing: {comparison.name}")
        _compare(comparison)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jwst", default=os.environ.get("HELIODOR_JWST_PYTHON"), metavar="PYTHON")
    parser.add_argument("--inputs", type=Path, metavar="DIR", help="exposures to take instead")
    parser.add_argument("--references", type=Path, metavar="DIR", help="and their references")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name holds this")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep inputs and products here")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write all verdicts as JSON")
    parser.add_argument("--json", action="store_true", help="print them instead of the table")
    args = parser.parse_args()
    if (args.inputs is None) != (args.references is None):
        parser.error("--inputs and --references belong together")
    return args


def _comparisons(args: argparse.Namespace, folder: Path) -> Iterator[Comparison]:
    if args.inputs:
        chosen = ((*each, {}) for each in cases.found(args.inputs, args.references))
    else:
        chosen = (
            (case.name, cases.simulated(case, folder / "inputs"), case.parameters, case.own)
            for case in cases.PARITY
            if args.only in case.name
        )
    for number, (name, given, parameters, own) in enumerate(chosen):
        if args.only in name:
            yield Comparison(name, given, parameters, folder / f"{number:02d}", own)


def _run_ours(comparison: Comparison) -> dict[str, Any]:
    """Calibrate with Heliodor, keeping the ramp after every step; give the incumbent's job."""
    comparison.ours.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "parameters": {**comparison.parameters, **comparison.own},
        "folders": comparison.input.references,
        "out": comparison.ours,
    }
    plan = api.plan(comparison.input.exposure, **options)
    ramps = [s.label for s in plan.steps if s.runs and s.spec.takes == "ramp" and not s.spec.makes]
    edits = comparison.folder / "keep.yaml"
    keep = [{"insert": {"save": _suffix(label)}, "after": label} for label in ramps]
    # JSON is YAML
    edits.write_text(json.dumps({"extends": plan.pipeline.document.name, "edits": keep}))
    try:
        api.run(comparison.input.exposure, save=True, pipeline=edits, **options)
    except HeliodorError as error:
        comparison.problems.append(f"ours failed: {error}")
    return cases.job(plan, comparison.theirs, comparison.parameters, ramps)


def _suffix(label: str) -> str:
    """Name the ramp after a step, as our files are named; the incumbent's have the label."""
    return label.replace("_", "-")


def _run_theirs(
    python: str, comparisons: list[Comparison], jobs: list[dict[str, Any]], folder: Path
) -> list[dict[str, Any]]:
    """Run all jobs in one process of the incumbent; note what failed."""
    reports = cases.run_incumbent(python, jobs, folder)
    for comparison, report in zip(comparisons, reports, strict=True):
        if report["error"]:
            comparison.problems.append(f"jwst failed: {report['error']}")
    return reports


def _next_stage(python: str, comparisons: list[Comparison], folder: Path) -> None:
    """Continue both slope images with the incumbent's Image2Pipeline, where it has its files."""
    both, jobs = [], []
    for comparison in comparisons:
        references = _suiting(comparison.input)
        for rate in comparison.theirs.glob("*_rate.fits"):
            if not (set(references) >= NEXT_STAGE and (comparison.ours / rate.name).exists()):
                continue
            both.append(comparison)
            jobs += [
                {
                    "pipeline": "Image2Pipeline",
                    "input": str(place / rate.name),
                    "out": str(place),
                    "references": references,
                    "parameters": {"resample.skip": True},
                    "keep": [],
                }
                for place in (comparison.ours, comparison.theirs)
            ]
    if not jobs:
        return
    reports = _run_theirs(python, [each for each in both for _ in range(2)], jobs, folder)
    for comparison, ours, theirs in zip(both, reports[::2], reports[1::2], strict=True):
        if ours["warnings"] != theirs["warnings"]:
            comparison.problems.append(
                f"the next stage warns of {ours['warnings']}, not of {theirs['warnings']}"
            )


def _suiting(given: cases.Input) -> dict[str, str]:
    """Find the references of an imaging exposure's next stage, by instrument and detector."""
    exposure = fits.getheader(given.exposure)
    if not exposure["EXP_TYPE"].endswith("_IMAGE"):
        return {}
    wanted = {exposure["INSTRUME"], exposure["DETECTOR"]}
    found = {}
    for entry in index.read(given.references):
        if {entry.value("INSTRUME"), entry.value("DETECTOR")} == wanted:
            found[entry.value("REFTYPE").lower()] = str(entry.path)
    for path in given.references.glob("*.asdf"):
        with asdf.open(path) as file:
            instrument = file["meta"]["instrument"]
            if {instrument["name"], instrument.get("detector")} == wanted:
                found[file["meta"]["reftype"].lower()] = str(path)
    return found


def _compare(comparison: Comparison) -> None:
    if comparison.problems:
        return
    root = comparison.input.exposure.name.removesuffix("uncal.fits")
    ours, theirs = (
        {
            path.name.removeprefix(root).removesuffix(".fits").replace("-", "_"): path
            for path in made
        }
        for made in (comparison.ours.glob("*.fits"), comparison.theirs.glob("*.fits"))
    )
    for product in sorted(ours | theirs):
        if product not in ours or product not in theirs:
            whose = "ours" if product in ours else "theirs"
            comparison.problems.append(f"{product}: only in {whose}")
            continue
        files = ours[product], theirs[product]
        comparison.verdicts += judge.compare(*files, product)
        if product in CHECKED and (names := judge.keywords(*files)):
            comparison.problems.append(f"{product}: keywords differ: {', '.join(names)}")


def _show(console: Console, comparisons: list[Comparison]) -> None:
    table = Table(box=None)
    table.add_column("case", no_wrap=True, min_width=30)
    for heading in ("flags", "differ", "values", "differ", "beyond", "worst"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for comparison in comparisons:
        flags = [verdict for verdict in comparison.verdicts if verdict.flags]
        values = [verdict for verdict in comparison.verdicts if not verdict.flags]
        table.add_row(
            comparison.name,
            f"{sum(verdict.size for verdict in flags):,}",
            str(sum(verdict.bad for verdict in flags)),
            f"{sum(verdict.size for verdict in values):,}",
            str(sum(verdict.different for verdict in values)),
            str(sum(verdict.bad for verdict in values)),
            f"{max((verdict.worst for verdict in values), default=0):.2g}",
            "[green]parity[/]" if comparison.good else "[red]differs[/]",
        )
    console.print(table)
    for comparison in comparisons:
        for problem in comparison.problems:
            console.print(f"{comparison.name}: {problem}", markup=False)
        for verdict in comparison.verdicts:
            if not verdict.good:
                console.print(
                    f"{comparison.name}: {verdict.product} {verdict.array}: "
                    f"{verdict.problem or f'{verdict.bad} of {verdict.size} differ'}"
                    + (f", worst {verdict.worst:.3g}" if verdict.worst else ""),
                    markup=False,
                )


if __name__ == "__main__":
    sys.exit(main())
