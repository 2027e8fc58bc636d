"""Run pipelines of an installed `jwst`, offline: the other half of parity.py and bench.py.

    PYTHON incumbent.py JOBS.json

Started with the interpreter that has `jwst`; knows nothing of Heliodor.  JOBS.json holds a list of

    {"pipeline": "Detector1Pipeline", "input": FILE, "out": DIR, "references": {TYPE: FILE},
     "parameters": {"jump.rejection_threshold": 5.0}, "keep": [STEP], "options": {}}

`references` are all there are: any other type is N/A, so that CRDS is never asked.  `keep` names
steps whose result is written as well.  Prints, as JSON, a list of
{"warnings": [...], "error": TEXT}.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
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


def run(job: dict[str, Any]) -> dict[str, Any]:
    pipeline = getattr(import_module("jwst.pipeline"), job["pipeline"])
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
    return {"warnings": warnings.messages, "error": error}


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
        json.dump([run(job) for job in jobs], sys.stdout)


if __name__ == "__main__":
    main()
