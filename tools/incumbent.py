"""Run pipelines of an installed `jwst`, offline: the other half of parity.py and bench.py.

    PYTHON incumbent.py JOBS.json

Started with the interpreter that has `jwst`; knows nothing of Heliodor.  JOBS.json holds a list of

    {"pipeline": "Detector1Pipeline", "input": FILE, "out": DIR, "references": {TYPE: FILE},
     "parameters": {"jump.rejection_threshold": 5.0}, "keep": [STEP], "options": {}}

`references` are all there are: any other type is N/A, so that CRDS is never asked.  `keep` names
steps whose result is written as well.  A job with "again_within": S is run once more if it took
less than that.  Prints, as JSON, a list of

    {"warnings": [...], "error": TEXT, "wall": S, "cpu": S, "peak": MiB, "parts": {STEP: CPU S}}

where the peak is that of the process so far.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

CONTEXT = "jwst_0000.pmap"
"""Recorded in products, never opened."""


class Warnings(logging.Handler):
    """Collects what the pipeline warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.levelname}: {record.getMessage()}")


def options(job: dict[str, Any], steps: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the parameters of every step: the job's own, its references, what it keeps."""
    given: dict[str, dict[str, Any]] = {}
    for name, step in steps.items():
        given[name] = {
            f"override_{kind}": job["references"].get(kind, "N/A")
            for kind in step.reference_file_types
        }
    for name, value in job["parameters"].items():
        step, parameter = name.split(".")
        given[step][parameter] = value
    for step in job["keep"]:
        given[step] |= {"save_results": True, "suffix": step, "output_dir": job["out"]}
    return given


def timed(run: Callable[..., Any], parts: dict[str, float]) -> Callable[..., Any]:
    """Wrap the method that runs a step: it adds up the processor time of every step [s]."""

    def run_step(step: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return run(step, *args, **kwargs)
        finally:
            if not hasattr(step, "step_defs"):  # a pipeline is a step, too
                parts[step.name] = parts.get(step.name, 0.0) + time.process_time() - start

    return run_step


def run(job: dict[str, Any]) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    parts: dict[str, float] = {}
    pipeline = getattr(import_module("jwst.pipeline"), job["pipeline"])
    step = import_module("stpipe").Step
    untimed, step.run = step.run, timed(step.run, parts)
    Path(job["out"]).mkdir(parents=True, exist_ok=True)
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    error = ""
    try:
        pipeline.call(
            job["input"],
            steps=options(job, pipeline.step_defs),
            save_results=True,
            output_dir=job["out"],
            **job.get("options", {}),
        )
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    logging.getLogger().removeHandler(warnings)
    step.run = untimed
    return {
        "warnings": warnings.messages,
        "error": error,
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "parts": parts,
    }


def main() -> None:
    jobs = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as cache:
        config = Path(cache, "config", "jwst", "server_config")
        config.parent.mkdir(parents=True)
        known = {"observatory": "jwst", "latest_context": CONTEXT, "last_synced": "never"}
        config.write_text(repr(known))
        os.environ |= {
            "CRDS_PATH": cache,
            "CRDS_CONTEXT": CONTEXT,
            "CRDS_SERVER_URL": "https://jwst-serverless.stsci.edu",
            "STPIPE_DISABLE_CRDS_STEPPARS": "true",
        }
        records = []
        for job in jobs:
            records.append(run(job))
            if records[-1]["wall"] < job.get("again_within", 0):
                records.append(run(job))
        json.dump(records, sys.stdout)


if __name__ == "__main__":
    main()
