"""`tools/shelf.py` measures a large folder of references; the figures are for machines at rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "shelf.py"


def test_what_a_large_folder_costs_can_be_measured(tmp_path):
    command = [sys.executable, TOOL, "--files", "300", "--repeat", "1", "--keep", tmp_path]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["files"] == 300
    assert 0 < found["select"] < found["select_process"]
    assert len([*tmp_path.glob("*.fits")]) == 300
    assert (tmp_path / ".heliodor-index.sqlite").is_file()
