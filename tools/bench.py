"""Measure whole processes of Heliodor and of an installed `jwst` on the same files, in turn.

    python tools/bench.py --jwst PYTHON [--pairs N] [--quick] [--inputs DIR --references DIR]

PYTHON is the interpreter of an environment with `pip install jwst==3.0.0`; HELIODOR_JWST_PYTHON
may name it as well.  Without it only Heliodor is measured.  Exposures are simulated unless a
folder of others is given.  Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cases
from heliodor import api
from heliodor.engine import Outcome
from heliodor.observers import Observer
from heliodor.plans import Plan, PlannedStep

INCUMBENT = Path(__file__).with_name("incumbent.py")
MEASURE = Path(__file__).with_name("measure.py")
OURS = [str(Path(sys.executable).with_name("heliodor"))]

SMALL = cases.Case("256 x 256, 6 groups", "nircam-imaging", {"size": 256, "ngroups": 6})
FULL = (
    cases.Case("2048 x 2048, 10 groups", "nircam-imaging", {"ngroups": 10}),
    cases.Case("2048 x 2048, 10 groups x 4", "nircam-imaging", {"ngroups": 10, "nints": 4}),
)


@dataclass(frozen=True)
class Use:
    """What one process took."""

    wall: float
    cpu: float
    peak: float


@dataclass
class Timeline(Observer):
    """Adds up the processor time of each part of a run [s]; other programs do not count."""

    parts: dict[str, float] = field(default_factory=dict)
    _now: str = ""
    _since: float = 0.0

    def begin(self, name: str) -> None:
        now = time.process_time()
        if self._now:
            self.parts[self._now] = self.parts.get(self._now, 0.0) + now - self._since
        self._now, self._since = name, now

    def reading(self, plan: Plan) -> None:
        self.begin("reading")

    def step_started(self, plan: Plan, step: PlannedStep) -> None:
        self.begin(step.label if step.runs else "between steps")

    def step_ended(self, plan: Plan, step: PlannedStep, outcome: Outcome) -> None:
        self.begin("between steps")

    def writing(self, plan: Plan, name: str) -> None:
        self.begin(f"writing {name}")


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="heliodor-bench-") as scratch:
        folder = args.out or Path(scratch)
        chosen = list(_inputs(args, folder))
        small = chosen[0][1]
        print(_machine(), "", sep="\n")
        rows = [_row("import", args, *_imports(args.jwst))]
        rows.append(_row("plan", args, _planning(small), None))
        for name, given in chosen:
            print(f"{name}: {given.exposure.name}", file=sys.stderr)
            rows.append(_row(name, args, *_running(given, folder, args.jwst)))
        _print_table(_HEADINGS, rows)
        for name, given in chosen:
            print(f"\n{name}, one thread:\n")
            _print_table(("part", "s", "again, s", "ns a sample"), _parts(given, folder))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jwst", default=os.environ.get("HELIODOR_JWST_PYTHON"), metavar="PYTHON")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="runs of each (3)")
    parser.add_argument("--quick", action="store_true", help="small exposure only, one run of each")
    parser.add_argument("--inputs", type=Path, metavar="DIR", help="exposures to take instead")
    parser.add_argument("--references", type=Path, metavar="DIR", help="and their references")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep inputs and products here")
    args = parser.parse_args()
    if (args.inputs is None) != (args.references is None):
        parser.error("--inputs and --references belong together")
    if args.quick:
        args.pairs = 1
    return args


def _inputs(args: argparse.Namespace, folder: Path) -> Iterator[tuple[str, cases.Input]]:
    if args.inputs:
        for name, given, parameters in cases.found(args.inputs, args.references):
            if not parameters:
                yield name.removesuffix(", defaults"), given
        return
    for case in (SMALL,) if args.quick else (SMALL, *FULL):
        yield case.name, cases.simulated(case, folder / "inputs")


def _imports(python: str | None) -> tuple[list[str], list[str] | None]:
    ours = [sys.executable, "-c", "import heliodor"]
    return ours, [python, "-c", "import jwst.pipeline"] if python else None


def _planning(given: cases.Input) -> list[str]:
    return [*OURS, "plan", str(given.exposure), "--references", str(given.references)]


def _running(
    given: cases.Input, folder: Path, python: str | None
) -> tuple[list[str], list[str] | None]:
    out = folder / "products"
    ours = [
        *OURS, "run", str(given.exposure), "--references", str(given.references),
        "--out", str(out / "ours"), "--quiet",
    ]  # fmt: skip
    if not python:
        return ours, None
    plan = api.plan(given.exposure, folders=given.references)
    job = cases.job(plan, out / "theirs")
    script = folder / "job.json"
    script.write_text(json.dumps([job]))
    return ours, [python, str(INCUMBENT), str(script)]


def _row(
    name: str, args: argparse.Namespace, ours: list[str], theirs: list[str] | None
) -> list[str]:
    """Run both in turn; medians of each, and their ratios."""
    use_of(ours)  # warms the caches of files and kernels
    pairs = [(use_of(ours), use_of(theirs) if theirs else None) for _ in range(args.pairs)]
    our = _median([use for use, _ in pairs])
    their = _median([use for _, use in pairs if use])
    row = [name]
    for measure, form in (("wall", "{:.2f}"), ("cpu", "{:.2f}"), ("peak", "{:.0f}")):
        a = getattr(our, measure)
        row.append(form.format(a))
        if their:
            b = getattr(their, measure)
            row += [form.format(b), f"{b / a:.1f}"]
        else:
            row += ["", ""]
    return row


def use_of(command: Sequence[str]) -> Use:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-IS", str(MEASURE), *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return Use(*json.loads(done.stdout))


def _median(uses: Sequence[Use]) -> Use | None:
    if not uses:
        return None
    return Use(
        statistics.median(use.wall for use in uses),
        statistics.median(use.cpu for use in uses),
        statistics.median(use.peak for use in uses),
    )


def _parts(given: cases.Input, folder: Path) -> Iterator[list[str]]:
    """Time the parts of a run in this process, on one thread, and of the same run once more."""
    out = folder / "products" / "parts"
    first, again = (_timeline(given, out) for _ in range(2))
    plan = api.plan(given.exposure, folders=given.references)
    samples = math.prod(plan.exposure.shape)
    for parts in (first, again):
        parts["all"] = sum(parts.values())
    for name, seconds in again.items():
        yield [name, f"{first[name]:.3f}", f"{seconds:.3f}", f"{seconds / samples * 1e9:.2f}"]


def _timeline(given: cases.Input, out: Path) -> dict[str, float]:
    timeline = Timeline()
    timeline.begin("planning")
    plan = api.plan(given.exposure, folders=given.references, out=out, threads=1)
    api.run(plan, save=True, observer=timeline)
    timeline.begin("")
    return timeline.parts


_HEADINGS = (
    "", "wall, s", "`jwst`", "ratio", "CPU, s", "`jwst`", "ratio", "peak, MiB", "`jwst`", "ratio",
)  # fmt: skip


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print("| " + " | ".join(headings) + " |")
    print("|---|" + "---:|" * (len(headings) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def _machine() -> str:
    """Say what it was measured on."""
    cpu = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() + ", " if names else ""
    python, load = sys.version.split()[0], os.getloadavg()[0]
    return f"{cpu}{os.cpu_count()} cores, Python {python}; load before: {load:.1f}"


if __name__ == "__main__":
    sys.exit(main())
