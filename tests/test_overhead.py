"""`tools/overhead.py` measures what plugins cost; the figures are for machines at rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "overhead.py"


def measured(*arguments: object):
    command = [sys.executable, TOOL, *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_what_plugins_cost_can_be_measured():
    found = measured("plugins", "--plugins", 5, "--repeat", 1)
    assert found["plugins"] == found["installed"] + 5
    assert found["listing_all_ms"] > 0
    assert "declaring_each_ms" in found


def test_what_one_step_more_costs_can_be_measured(small_nircam, tmp_path):
    files = tmp_path / "files.json"
    given = {"exposure": str(small_nircam.exposure), "references": str(small_nircam.references)}
    files.write_text(json.dumps({"small": given}))
    (case,) = measured(
        "step", "--case", "small", "--rounds", 1, "--files", files, "--scratch", tmp_path
    ).values()
    assert case["run_ms"] > 0
    assert [row["looks"] for row in case["one_step_more"]] == ["ramp", "frame", "pixels"]
    # far from what it is on a machine at rest, and from what a copy of the ramp would be
    assert all(row["percent"] < 50 for row in case["one_step_more"])
