"""What plugins cost that do nothing: many installed ones, and one step more in a run.

    python tools/overhead.py plugins [--plugins 100] [--repeat 5]
    python tools/overhead.py step [--case small --case nrca1_n1] [--rounds 9] [--max-memory SIZE]

*plugins* makes packages with one step each in a temporary folder, and measures in processes of
their own; the smallest of several is printed, as JSON: milliseconds for listing all (text of entry
points) and for declaring one (importing its module, calling its hooks, looking at its records).

*step* runs an exposure, on one thread, with and without steps in the middle of the pipeline that
are given every piece of the ramp, may write into it, and leave it as it is; once for each way of
dividing a ramp.  There are many of them, each a function in a file with a status of its own: what
one costs is too little to be seen beside the noise of a whole run.  Runs of all kinds take turns in
one process, in an order made anew every round; of the differences in processor time (user and
system) within a round the median is taken, and divided by the number of steps.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE = '''
"""What this distribution offers: one step."""

from heliodor.declare import Phase, StepSpec
from heliodor.hookspecs import hookimpl


@hookimpl
def heliodor_steps():
    return [
        StepSpec(
            name="{name}",
            summary="Do nothing.",
            impl="{name}.step:Step",
            params="{name}.step:Params",
            status="S_NOTHIN",
            phases=(Phase("run", looks="frame", writes=("data",)),),
        )
    ]
'''

MEASURE = """
import json, time
import heliodor.plugins as plugins
from importlib import metadata

start = time.perf_counter()
points = plugins.listed()
listed = time.perf_counter()
registry = plugins.Registry()
declared = time.perf_counter()
failed = [plugin.error for plugin in registry.failed if plugin.name.startswith("made_up")]
assert not failed, failed[0]
print(json.dumps([len(points), 1e3 * (listed - start), 1e3 * (declared - 2 * listed + start)]))
"""

NOTHING = '''
@step(looks="{looks}", writes=("data", "groupdq"))
def idle{number}(data, groupdq):
    """Do nothing."""
'''

HEAD = "extends: calwebb_detector1\nedits:"

EDIT = """
  - insert: {looks}.py:idle{number}
    after: dark_current"""

STEPS = 20
"""Steps that are inserted at once."""

LOOKS = ("ramp", "frame", "pixels")
"""Ways of dividing a ramp, of `heliodor.declare.Look`."""

WITHOUT = "without"


# ------------------------------------------------------------------ many installed plugins


def make(folder: Path, number: int) -> None:
    """Write packages as an installer would, compiled."""
    for index in range(number):
        name = f"made_up_{index}"
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")
        (folder / name / "plugin.py").write_text(MODULE.format(name=name))
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            "Requires-Dist: heliodor>=0.1\nRequires-Dist: numpy>=2.0\n"
        )
        (info / "entry_points.txt").write_text(f"[heliodor]\n{name} = {name}.plugin\n")
    compileall.compile_dir(folder, quiet=1)


def measure(folder: Path | None, repeat: int) -> list[float]:
    """Give the number of plugins, and the least times for listing and declaring all [ms]."""
    before = os.environ.get("PYTHONPATH", "")
    path = {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder or ""), before)))}
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", MEASURE], env={**os.environ, **path},
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for _ in range(repeat)
    ]  # fmt: skip
    return [min(column) for column in zip(*runs, strict=True)]


def plugins(given: argparse.Namespace) -> None:
    """Measure with and without the made-up plugins."""
    before = measure(None, given.repeat)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.plugins)
        after = measure(Path(folder), given.repeat)
    found = {
        "installed": int(before[0]),
        "plugins": int(after[0]),
        "listing_all_ms": round(after[1], 2),
        "declaring_each_ms": round((after[2] - before[2]) / given.plugins, 3),
    }
    print(json.dumps(found, indent=1))


# ------------------------------------------------------------------ one step more


def timed(raw: Path, request) -> tuple[float, float]:
    """Plan and run once; give the processor time of each [ms]."""
    from heliodor import planning, running

    gc.collect()  # of what is left of the run before
    start = time.process_time()
    plan = planning.plan(raw, request)
    planned = time.process_time()
    running.run(plan)
    return 1e3 * (planned - start), 1e3 * (time.process_time() - planned)


def compare(one, folder: Path, rounds: int, max_memory: int | None) -> dict:
    """Measure runs with and without steps that do nothing, in turn."""
    from heliodor.plans import Request

    requests = {}
    for looks in (WITHOUT, *LOOKS):
        edits, code = folder / f"{looks}.yaml", folder / f"{looks}.py"
        both = [(NOTHING, "from heliodor.step import step\n"), (EDIT, HEAD)]
        for path, (text, head) in zip((code, edits), both, strict=True):
            path.write_text(
                head + "".join(text.format(looks=looks, number=n) for n in range(STEPS))
            )
        requests[looks] = Request(
            folders=(one.references,), out=folder / "products", threads=1, max_memory=max_memory,
            pipelines=() if looks == WITHOUT else (edits,),
        )  # fmt: skip
        timed(one.exposure, requests[looks])  # imports, compiles, brings files into memory
    found: dict[str, list[tuple[float, float]]] = {looks: [] for looks in requests}
    for _ in range(rounds):
        for looks in random.sample(list(requests), len(requests)):
            found[looks].append(timed(one.exposure, requests[looks]))
    planning, run = map(statistics.median, zip(*found[WITHOUT], strict=True))
    rows = []
    for looks in LOOKS:
        pairs = zip(found[looks], found[WITHOUT], strict=True)
        more = [((a[0] - b[0]) / STEPS, (a[1] - b[1]) / STEPS) for a, b in pairs]
        whole = statistics.median(sum(each) for each in more)
        rows.append(
            {
                "looks": looks,
                "planning_ms": round(statistics.median(each[0] for each in more), 2),
                "run_ms": round(statistics.median(each[1] for each in more), 2),
                "percent": round(100 * whole / (planning + run), 2),
            }
        )
    return {"planning_ms": round(planning, 1), "run_ms": round(run, 1), "one_step_more": rows}


def step(given: argparse.Namespace) -> None:
    """Measure the cases asked for."""
    from benchmark import exposures
    from heliodor.memory import parse_size

    limit = parse_size(given.max_memory) if given.max_memory else None
    within = f" within {given.max_memory}" if limit else ""
    cases = {}
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        inputs = exposures.inputs(
            given.case or ["small", "nrca1_n1"],
            exposures.found(given.files),
            Path(scratch) / "inputs",
        )
        for name, one in inputs:
            folder = Path(scratch) / name
            folder.mkdir()
            cases[name] = compare(one, folder, given.rounds, limit)
    print(json.dumps(cases, indent=1))
    if given.report:
        report(given.report, {f"{name}{within}": case for name, case in cases.items()})


def report(folder: Path, cases: dict) -> None:
    """Put what was found into the page, beside what bench.py has found."""
    from benchmark import tables

    kept, page = folder / "measured" / "measured.json", folder / "performance.md"
    measured = json.loads(kept.read_text())
    measured["overhead"] = {**measured.get("overhead", {}), **cases}
    kept.write_text(json.dumps(measured, indent=1) + "\n")
    page.write_text(tables.fill(page.read_text(), tables.all_of(measured)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True)
    many = kinds.add_parser("plugins", help="many installed plugins")
    many.add_argument("--plugins", type=int, default=100, metavar="N")
    many.add_argument("--repeat", type=int, default=5, metavar="N")
    many.set_defaults(do=plugins)
    more = kinds.add_parser("step", help="one step more in a run")
    more.add_argument(
        "--case", action="append", metavar="NAME", help="as of bench.py (small, nrca1_n1)"
    )
    more.add_argument("--rounds", type=int, default=9, metavar="N")
    more.add_argument("--max-memory", metavar="SIZE", help="with the ramp on scratch")
    more.add_argument("--files", type=Path, metavar="FILE", help="exposures, as of bench.py")
    more.add_argument("--scratch", type=Path, metavar="DIR", help="where to put large files")
    more.add_argument("--report", type=Path, metavar="DIR", help="folder of performance.md")
    more.set_defaults(do=step)
    given = parser.parse_args()
    given.do(given)


if __name__ == "__main__":
    main()
