"""`tools/overhead.py` measures what many plugins cost; the figures are for machines at rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "overhead.py"


def test_what_plugins_cost_can_be_measured():
    command = [sys.executable, TOOL, "--plugins", "5", "--repeat", "1"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["plugins"] == found["installed"] + 5
    assert found["listing_all_ms"] > 0
    assert "declaring_each_ms" in found
