"""The parity tool notices what it is there to notice; with jwst installed, it finds none of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

TOOLS = Path(__file__).parents[1] / "tools"
PYTHON = os.environ.get("HELIODOR_JWST_PYTHON")


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import judge

    return judge


@pytest.fixture
def write(tmp_path):
    """Write a small product; arguments replace arrays."""

    def write(name, keywords=(), **changed):
        arrays = {
            "SCI": np.full((100, 100), 2.0, np.float32),
            "ERR": np.full((100, 100), 0.1, np.float32),
            "DQ": np.zeros((100, 100), np.uint32),
            "VAR_POISSON": np.full((100, 100), 0.01, np.float32),
            **changed,
        }
        hdus = [fits.ImageHDU(a, name=n) for n, a in arrays.items() if a is not None]
        path = tmp_path / f"{name}.fits"
        fits.HDUList([fits.PrimaryHDU(header=fits.Header(keywords)), *hdus]).writeto(path)
        return path

    return write


def changed(array, value, count=1):
    array = array.copy()
    array.flat[:count] = value
    return array


@pytest.mark.parametrize(
    ("array", "value", "good"),
    [
        ("SCI", 2.0, True),
        ("SCI", 2.00011, True),  # a thousandth of the error, and 1e-5 of the value
        ("SCI", 2.00013, False),
        ("SCI", np.nan, False),
        ("VAR_POISSON", 0.01 * (1 + 9e-6), True),
        ("VAR_POISSON", 0.01 * (1 + 2e-5), False),
        ("DQ", 4, False),
    ],
)
def test_one_value(judge, write, array, value, good):
    theirs = write("theirs")
    data = changed(fits.getdata(theirs, array), value)
    verdicts = {v.array: v for v in judge.compare(write("ours", **{array: data}), theirs, "rate")}
    assert set(verdicts) == {"SCI", "ERR", "DQ", "VAR_POISSON"}
    assert verdicts.pop(array).good is good
    assert all(verdict.good for verdict in verdicts.values())


def test_nan_in_both(judge, write):
    data = changed(np.ones((100, 100), np.float32), np.nan, 50)
    files = write("ours", SCI=data), write("theirs", SCI=data)
    assert all(v.good and v.different == 0 for v in judge.compare(*files, "rate"))


@pytest.mark.parametrize(
    "array", [None, np.ones((100, 99), np.float32), np.full((100, 100), 2.0, np.float64)]
)
def test_other_shape_type_or_nothing(judge, write, array):
    verdicts = judge.compare(write("ours", SCI=array), write("theirs"), "rate")
    assert [v.array for v in verdicts if v.problem] == ["SCI"]


def test_keywords(judge, write):
    ours = write("ours", {"S_JUMP": "COMPLETE", "R_DARK": "d.fits", "DATE": "a", "EXTRA": 1})
    theirs = write("theirs", {"S_JUMP": "SKIPPED", "R_DARK": "/a/d.fits", "DATE": "b", "NINTS": 1})
    fits.setval(theirs, "R_SUPERB", value="N/A")  # there is none, and ours says nothing
    assert judge.keywords(ours, theirs) == ["NINTS", "S_JUMP"]


def test_without_jwst():
    done = subprocess.run(
        [sys.executable, str(TOOLS / "parity.py")],
        env={name: v for name, v in os.environ.items() if name != "HELIODOR_JWST_PYTHON"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "HELIODOR_JWST_PYTHON" in done.stdout


@pytest.mark.parity
@pytest.mark.skipif(not PYTHON, reason="HELIODOR_JWST_PYTHON names no interpreter with jwst")
def test_parity():
    done = subprocess.run(
        [sys.executable, str(TOOLS / "parity.py"), "--only", "three groups", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    (case,) = json.loads(done.stdout)
    assert len({array["product"] for array in case["arrays"]}) == 11
