"""Running commands as whole processes, and what they took."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEASURE = Path(__file__).parents[1] / "measure.py"


@dataclass(frozen=True)
class Use:
    """What a process, or a run within one, took.

    Attributes
    ----------
    wall, cpu : [s]; processor time is that of user and system
    peak : resident memory [MiB]
    """

    wall: float
    cpu: float
    peak: float


def use_of(command: Sequence[str]) -> tuple[Use, str]:
    """Run a command to its end; give what it took, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-IS", str(MEASURE), *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    printed, _, figures = done.stdout.rstrip("\n").rpartition("\n")
    return Use(*json.loads(figures)), printed


def runs_of(command: Sequence[str], script: Path, jobs: Any) -> tuple[Use, list[dict[str, Any]]]:
    """Run a script that takes jobs as JSON and prints, as JSON, what became of each.

    Parameters
    ----------
    command : the script with its interpreter
    script : a file for the jobs
    jobs : plain data
    """
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(json.dumps(jobs))
    whole, printed = use_of([*command, str(script)])
    records = json.loads(printed.splitlines()[-1])
    for record in records:
        if record.get("error"):
            raise RuntimeError(f"{' '.join(command)}: {record['error']}")
    return whole, records


def without(whole: Use, later: Sequence[dict[str, Any]], peak: float) -> Use:
    """Take runs from a process that did several: what is left is start, first run and end.

    Parameters
    ----------
    whole : the process
    later : records of the runs after the first
    peak : resident memory after the first [MiB]
    """
    wall = whole.wall - sum(record["wall"] for record in later)
    cpu = whole.cpu - sum(record["cpu"] for record in later)
    return Use(wall, cpu, peak)


def median(uses: Sequence[Use]) -> Use:
    """Give the medians of several."""
    return Use(
        statistics.median(use.wall for use in uses),
        statistics.median(use.cpu for use in uses),
        statistics.median(use.peak for use in uses),
    )
