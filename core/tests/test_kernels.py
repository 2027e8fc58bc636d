"""The one way to compile a kernel: where compiled code is kept, and what it may not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from heliodor.kernels import cache_folder, helper, kernel

HELPERS = """
from heliodor.kernels import helper

@helper
def raised(value):
    return value + {step}
"""
KERNELS = """
import sys
import numpy as np
from heliodor.kernels import kernel
from made_up_helpers import raised

@kernel("void(f4[::1])")
def add(data):
    for x in range(data.size):
        data[x] = raised(data[x])

if __name__ == "__main__":
    data = np.zeros(3, np.float32)
    add(data)
    hits = sum(add.stats.cache_hits.values())
    misses = sum(add.stats.cache_misses.values())
    print(hits, misses, int(data[0]))
"""


@pytest.fixture
def run(tmp_path):
    """Run a module with one kernel in a new process; returns cache hits, misses and a result."""
    (tmp_path / "made_up_kernels.py").write_text(KERNELS)

    def run(cache: Path, step: int = 1) -> tuple[list[int], str]:
        (tmp_path / "made_up_helpers.py").write_text(HELPERS.format(step=step))
        done = subprocess.run(
            [sys.executable, tmp_path / "made_up_kernels.py"],
            env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return [int(word) for word in done.stdout.split()], done.stderr

    return run


def test_a_second_process_compiles_nothing(tmp_path, run):
    assert run(tmp_path / "cache")[0] == [0, 1, 1]
    assert run(tmp_path / "cache")[0] == [1, 0, 1]


def test_a_changed_helper_compiles_its_kernels_anew(tmp_path, run):
    assert run(tmp_path / "cache", step=1)[0] == [0, 1, 1]
    assert run(tmp_path / "cache", step=2)[0] == [0, 1, 2]
    assert run(tmp_path / "cache", step=1)[0] == [1, 0, 1]


def test_a_folder_that_cannot_be_written_warns_and_works(tmp_path, run):
    (tmp_path / "file").write_text("where a folder should be")
    counts, messages = run(tmp_path / "file" / "cache")
    assert counts[2] == 1
    assert messages.count("cannot be written: kernels are compiled anew in every process") == 1
    assert "NUMBA_CACHE_DIR" in messages


def test_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == tmp_path / ".cache" / "heliodor" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder() == Path("/cache/heliodor/kernels")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/numba")
    assert cache_folder() == Path("/numba")


def test_numbas_own_setting_is_left_alone(tmp_path, monkeypatch):
    from numba.core import config

    before = config.CACHE_DIR
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    divide()
    after = config.CACHE_DIR
    assert after == before
    assert any(tmp_path.rglob("*.nbi"))


def divide():
    """Compile a kernel that divides."""

    @kernel("void(f4[::1], f4[::1], f4[::1])")
    def quotient(a, b, out):
        for x in range(out.size):
            out[x] = a[x] / b[x]

    return quotient


def test_division_follows_ieee():
    out = np.empty(3, np.float32)
    divide()(np.array([1, -1, 0], np.float32), np.zeros(3, np.float32), out)
    np.testing.assert_array_equal(out, [np.inf, -np.inf, np.nan])


def test_nan_is_told_from_numbers():
    @kernel("i8(f4[::1])")
    def count(data):
        found = 0
        for value in data:
            if value != value:
                found += 1
        return found

    assert count(np.array([np.nan, 1, np.nan, np.inf], np.float32)) == 2


def test_kernels_release_the_lock_and_are_never_parallel_or_fast():
    options = divide().targetoptions
    assert options["nogil"]
    assert options["nopython"]
    assert options["error_model"] == "numpy"
    assert not options.get("parallel")
    assert not options.get("fastmath")


def test_one_specialisation_only():
    quotient = divide()
    assert len(quotient.signatures) == 1
    wrong = np.zeros(3)
    with pytest.raises(TypeError):
        quotient(wrong, wrong, wrong)
    big_endian = np.zeros(3, ">f4")
    with pytest.raises((TypeError, ValueError)):
        quotient(big_endian, big_endian, big_endian)


def test_helpers_are_typed_by_their_callers():
    @helper
    def larger(a, b):
        return a if a > b else b

    @kernel(["f4(f4, f4)", "i8(i8, i8)"])
    def both(a, b):
        return larger(a, b)

    assert both(2, 3) == 3
    assert both(np.float32(2.5), np.float32(1)) == 2.5


WATCHED = """
import json
from dataclasses import asdict
from heliodor.kernels import watched

told = []
with watched(told.append) as compiled:
    import made_up_kernels
print(json.dumps([told, asdict(compiled)]))
"""


def test_what_is_compiled_is_told(tmp_path, run):
    """Once, as it happens; helpers are part of their kernel."""
    run(tmp_path / "other")  # writes the modules
    script = tmp_path / "watch.py"
    script.write_text(WATCHED)

    def watch():
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    told, compiled = watch()
    assert told == ["add"]
    assert compiled["kernels"] == 1
    assert compiled["seconds"] > 0
    assert watch() == [[], {"kernels": 0, "seconds": 0.0}]
