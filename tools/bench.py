"""Measure Heliodor and an installed `jwst` on the same exposures, in turn.

    python tools/bench.py --jwst PYTHON [--case NAME ...] [--pairs N] [--report DIR]

PYTHON is the interpreter of an environment with `pip install jwst==3.0.0`; HELIODOR_JWST_PYTHON
may name it as well.  Without it only Heliodor is measured.  Exposures are simulated unless --files
gives others.  Prints tables in Markdown; --report DIR puts them into DIR/performance.md instead,
with plots and all figures in DIR/measured.  What is not measured this time stays there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cases
from benchmark import exposures, tables
from benchmark.processes import Use, median, runs_of, use_of, without
from heliodor import api

HERE = Path(__file__).parent
OURS = [str(Path(sys.executable).with_name("heliodor"))]
CURVES = "curves"
TIMES = 3
"""Runs of ours in one process; the last is the marginal one."""


def main() -> int:
    args = _arguments()
    kept = args.report / "measured" / "measured.json" if args.report else None
    measured: dict[str, Any] = {"cases": {}}
    if kept and kept.exists():
        measured = json.loads(kept.read_text())
    if not args.render:
        with tempfile.TemporaryDirectory(prefix="heliodor-bench-", dir=args.scratch) as scratch:
            Bench(args, Path(scratch), measured, kept).run()
    made = tables.all_of(measured)
    if kept is None:
        print("\n\n".join(text for text in made.values() if text))
        return 0
    from benchmark import plots

    plots.save_all(measured, kept.parent)
    page = args.report / "performance.md"
    page.write_text(tables.fill(page.read_text(), made))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*exposures.CASES, CURVES)
    parser.add_argument("--jwst", default=os.environ.get("HELIODOR_JWST_PYTHON"), metavar="PYTHON")
    parser.add_argument(
        "--case", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}"
    )
    parser.add_argument("--pairs", type=int, default=1, metavar="N", help="runs of each (1)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), metavar="N",
        help="for Heliodor's wall time; its processor time is that of one",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small exposure only, one run of each")
    parser.add_argument(
        "--again", type=float, default=200, metavar="S",
        help="run the incumbent twice in one process if once took less than this (200)",
    )  # fmt: skip
    parser.add_argument(
        "--files", type=Path, metavar="FILE",
        help='exposures instead of simulated ones: {"tso": {"exposure": FILE, "references": DIR}}',
    )  # fmt: skip
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where to put large files")
    parser.add_argument("--report", type=Path, metavar="DIR", help="folder of performance.md")
    parser.add_argument("--render", action="store_true", help="measure nothing, report anew")
    args = parser.parse_args()
    if args.quick:
        args.pairs, args.case = 1, ["small"]
    if args.render and not args.report:
        parser.error("--render belongs to --report")
    args.case = args.case or list(names)
    return args


class Bench:
    """The measurements, in order; what is found goes into `measured`, and is kept, at once."""

    def __init__(
        self, args: argparse.Namespace, scratch: Path, measured: dict[str, Any], kept: Path | None
    ):
        self.args = args
        self.kept = kept
        self.scratch = scratch
        self.products = scratch / "products"
        self.measured = measured
        self.start = time.monotonic()

    def run(self) -> None:
        self.measured["machine"] = _machine(self.args)
        self.say("import")
        self.measured["imports"] = self._imports()
        given = exposures.found(self.args.files)
        names = [name for name in self.args.case if name != CURVES]
        bounded = "--max-memory" in use_of([*OURS, "run", "--help"])[1]
        for name, one in exposures.inputs(names, given, self.scratch / "inputs"):
            if name in exposures.BOUNDED and not bounded:
                self.say(f"{name} is left out: `heliodor run` knows no --max-memory")
                continue
            self.say(f"{name}: {one.exposure.name}")
            self.measured["cases"][name] = self._case(name, one)
            self.keep()
        if CURVES in self.args.case:
            self.measured["curves"] = self._curves()
            self.keep()
        self.say("done")

    def keep(self) -> None:
        if self.kept:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            self.kept.write_text(json.dumps(self.measured, indent=1) + "\n")

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.start:6.0f} s  {what}", file=sys.stderr, flush=True)

    def _imports(self) -> dict[str, Any]:
        """Measure the start of the libraries that each program cannot do without."""
        code = "import heliodor.running, heliodor.kernels, astropy.io.fits"
        theirs = [self.args.jwst, "-c", "import jwst.pipeline"] if self.args.jwst else None
        uses: dict[str, list[Use]] = {"ours": [], "theirs": []}
        for _ in range(3):
            uses["ours"].append(use_of([sys.executable, "-c", code])[0])
            if theirs:
                uses["theirs"].append(use_of(theirs)[0])
        return {who: asdict(median(found)) if found else None for who, found in uses.items()}

    def _case(self, name: str, one: cases.Input) -> dict[str, Any]:
        plan = api.plan(one.exposure, folders=one.references)
        limit = exposures.BOUNDED.get(name)
        command = [
            *OURS, "run", str(one.exposure), "--references", str(one.references),
            "--out", str(self.products), "--quiet",
        ]  # fmt: skip
        unable = ""
        if limit:
            command += ["--max-memory", limit]
            unable = self._why_not_theirs(plan)
        else:
            use_of(command)  # compiles kernels, and brings files into memory
        whole: dict[str, list[Use]] = {"ours": [], "theirs": []}
        runs: dict[str, list[Any]] = {"ours": [], "theirs": []}
        for pair in range(self.args.pairs):
            self.say("  ours")
            whole["ours"].append(self._whole(command, once=bool(limit)))
            if self.args.jwst and not limit:
                self.say("  theirs")
                use, records = self._theirs(plan, again=pair == 0)
                whole["theirs"].append(use)
                runs["theirs"] = runs["theirs"] or records
        if not limit:
            self.say("  ours, again and again")
            runs["ours"] = self._ours([one] * TIMES, threads=1)
            together = self._ours([one] * TIMES, self.args.threads)
            for record, threaded in zip(runs["ours"], together, strict=True):
                record["wall"] = threaded["wall"]
        record: dict[str, Any] = {
            "exposure": one.exposure.name,
            "shape": plan.exposure.shape,
            "samples": math.prod(plan.exposure.shape),
            "limit": limit,
            "unable": unable,
            "floor": self._floor(plan),
        }
        for who, uses in whole.items():
            record[who] = {"whole": asdict(median(uses)), "runs": runs[who]} if uses else None
        return record

    def _whole(self, command: list[str], once: bool) -> Use:
        """Measure processor time on one thread, wall time and memory on all; or all `once`."""
        threaded = use_of([*command, "--threads", str(self.args.threads)])[0]
        if once:
            return threaded
        alone = use_of([*command, "--threads", "1"])[0]
        return replace(threaded, cpu=alone.cpu)

    def _ours(self, inputs: list[cases.Input], threads: int) -> list[dict[str, Any]]:
        """Run exposures one after another in one process."""
        jobs = [
            {
                "input": str(one.exposure),
                "references": str(one.references),
                "out": str(self.products),
                "threads": threads,
            }
            for one in inputs
        ]
        script = HERE / "benchmark" / "again.py"
        return runs_of([sys.executable, str(script)], self.scratch / "jobs.json", jobs)[1]

    def _theirs(self, plan: Any, again: bool) -> tuple[Use, list[dict[str, Any]]]:
        """Run the incumbent once; twice in the same process if it is quick enough."""
        job = cases.job(plan, self.products / "theirs") | {"again_within": self.args.again * again}
        whole, records = self._incumbent([job])
        return without(whole, records[1:], records[0]["peak"]), records

    def _incumbent(self, jobs: list[dict[str, Any]]) -> tuple[Use, list[dict[str, Any]]]:
        command = [self.args.jwst, str(HERE / "incumbent.py")]
        return runs_of(command, self.scratch / "jobs.json", jobs)

    def _floor(self, plan: Any) -> dict[str, Any]:
        """Measure reading and writing alone; the files are those of the run before."""
        references = {str(path) for step in plan.steps if step.runs for path in step.files.values()}
        job = {
            "exposure": str(plan.exposure.path),
            "references": sorted(path for path in references if path.endswith(".fits")),
            "writes": [path.stat().st_size for path in self.products.glob("*.fits")],
            "folder": str(self.products),
        }
        for path in self.products.rglob("*.fits"):
            path.unlink()
        script = HERE / "benchmark" / "floor.py"
        command = [sys.executable, str(script)]
        records = runs_of(command, self.scratch / "jobs.json", [job] * 2)[1]
        return min(records, key=lambda record: record["cpu"])

    def _curves(self) -> dict[str, Any]:
        """Measure series of growing exposures, each program in one process."""
        made = {
            one.name: exposures.series(one, self.scratch / "inputs") for one in exposures.SERIES
        }
        inputs = [one for sizes in made.values() for one in sizes.values()]
        inputs = [inputs[0], *inputs]  # the first pays for what is done once
        self.say("curves, ours")
        ours = self._ours(inputs, threads=1)[1:]
        theirs = []
        if self.args.jwst:
            self.say("curves, theirs")
            plans = [api.plan(one.exposure, folders=one.references) for one in inputs]
            jobs = [cases.job(plan, self.products / "theirs") for plan in plans]
            theirs = self._incumbent(jobs)[1][1:]
        found = {}
        for name, sizes in made.items():
            count = len(sizes)
            found[name] = {
                "sizes": list(sizes),
                "ours": [record["cpu"] for record in ours[:count]],
                "theirs": [record["cpu"] for record in theirs[:count]],
            }
            ours, theirs = ours[count:], theirs[count:]
        return found

    def _why_not_theirs(self, plan: Any) -> str:
        """Say how much memory the incumbent would take, by the peak of the `tso` case."""
        tso = self.measured["cases"].get("tso")
        if not tso or not tso["theirs"]:
            return ""
        times = math.prod(plan.exposure.shape) / tso["samples"]
        needed = tso["theirs"]["whole"]["peak"] / 1024 * times
        has = self.measured["machine"]["memory"] / 2**30
        return f"`jwst` would need about {needed:.0f} GiB, and the machine has {has:.0f}."


def _machine(args: argparse.Namespace) -> dict[str, Any]:
    processor = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    theirs = ""
    if args.jwst:
        code = "import importlib.metadata as m; print(m.version('jwst'))"
        theirs = subprocess.run(
            [args.jwst, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "heliodor": version("heliodor"),
        "jwst": theirs,
        "threads": args.threads,
        "pairs": args.pairs,
        "load": os.getloadavg()[0],
        "date": date.today().isoformat(),
    }


if __name__ == "__main__":
    sys.exit(main())
