"""What many installed plugins cost: listing them, and declaring each.

    python tools/overhead.py [--plugins 100] [--repeat 5]

Makes packages with one step each in a temporary folder, and measures in processes of their own;
the smallest of several is printed, as JSON: milliseconds for listing all (the text of entry points)
and for declaring one (importing its module, calling its hooks, looking at its records).
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
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


def main() -> None:
    """Measure with and without the made-up plugins."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
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


if __name__ == "__main__":
    main()
