"""Run exposures one after another in one process with Heliodor: our half of `incumbent.py`.

    python again.py JOBS.json

JOBS.json holds a list of {"input": FILE, "references": DIR, "out": DIR, "threads": N}.  Prints, as
JSON, a list of {"wall": S, "cpu": S, "peak": MiB, "parts": {NAME: CPU S}}.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliodor import api
from heliodor.engine import Outcome
from heliodor.observers import Observer
from heliodor.plans import Plan, PlannedStep


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
        self.begin(step.label if step.runs else "rest")

    def step_ended(self, plan: Plan, step: PlannedStep, outcome: Outcome) -> None:
        self.begin("rest")

    def writing(self, plan: Plan, name: str) -> None:
        self.begin(f"writing {name}")


def run(job: dict[str, Any]) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    timeline = Timeline()
    timeline.begin("planning")
    plan = api.plan(job["input"], folders=job["references"], out=job["out"], threads=job["threads"])
    api.run(plan, save=True, observer=timeline)
    timeline.begin("")
    return {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "parts": timeline.parts,
    }


if __name__ == "__main__":
    jobs = json.loads(Path(sys.argv[1]).read_text())
    json.dump([run(job) for job in jobs], sys.stdout)
