"""What a run really takes, measured on processes of their own, against what its plan says."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from functools import cache
from pathlib import Path

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor import exposures
from heliodor.errors import UsageError
from heliodor.memory import Memory, parse_size
from heliodor.observers import Observer

PEAK = """
def peak():
    # not getrusage: a child inherits the peak of the process that started it
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
"""
CHILD = """
import json, sys
import heliodor

limit = int(sys.argv[4]) or None
plan = heliodor.plan(
    sys.argv[1], folders=sys.argv[2], out=sys.argv[3], threads=2, max_memory=limit
)
heliodor.run(plan, save=True)
print(json.dumps({"measured": peak(), "said": plan.memory.to_dict()}))
"""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell the peak"
)
SHAPE = {"size": 1024, "ngroups": 10}


@pytest.fixture(scope="module")
def measure(simulated, tmp_path_factory):
    """Measure the peak of an exposure of some integrations; gives what its plan says as well."""
    case = simulated("nircam-imaging", **SHAPE)
    folder = tmp_path_factory.mktemp("repeated")

    @cache
    def measure(nints: int, limit: int = 0) -> dict:
        exposure = folder / f"jw01234001001_02101_{nints:05}_nrca1_uncal.fits"
        with fits.open(case.exposure, memmap=False) as hdus:
            hdus["SCI"].data = np.repeat(hdus["SCI"].data, nints, axis=0)
            hdus[0].header["NINTS"] = nints
            hdus.writeto(exposure, overwrite=True)
        arguments = map(str, (exposure, case.references, folder / f"out{limit}", limit))
        done = subprocess.run(
            [sys.executable, "-c", PEAK + CHILD, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return measure


@pytest.fixture(scope="module")
def measured(measure):
    """Peak of exposures of one and of four integrations."""
    return {nints: measure(nints) for nints in (1, 4)}


@pytest.mark.parametrize("nints", [1, 4])
def test_the_plan_says_the_peak(measured, nints):
    said = measured[nints]["said"]["peak"]
    assert 0.85 * said < measured[nints]["measured"] <= said


@pytest.mark.parametrize("nints", [1, 4])
def test_peak_is_the_ramp_and_little_else(measured, nints):
    said = measured[nints]["said"]
    most = 1.1 * (said["cube"] + said["groupdq"]) + said["products"] + said["references"]
    assert measured[nints]["measured"] <= most + 350 * 2**20


def test_the_limit_is_kept(measure):
    limit = 700 * 10**6
    done = measure(16, limit)
    assert done["said"]["peak"] > 1.4 * limit
    assert done["measured"] <= limit


def test_the_formula():
    memory = Memory(
        cube=1000, groupdq=250, planes=7, references=5, notes=4, products=3, row=400 * 2**20
    )
    assert memory.peak == 1269 + 215 * 2**20
    assert memory.least == 12 + (215 + 240 + 400) * 2**20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1.5G", 1_500_000_000),
        ("800M", 800_000_000),
        ("2Gi", 2 << 30),
        ("512 MiB".replace(" ", ""), 512 << 20),
        ("1000000", 1_000_000),
        (".5t", 500_000_000_000),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "0", "1.5X", "G", "1,5G"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match=r"allowed are such as 1\.5G"):
        parse_size(text)


def test_no_second_cube(measured):
    """Three more integrations take their samples and flags, and what is held beside them."""
    one, four = measured[1], measured[4]
    more = {name: four["said"][name] - one["said"][name] for name in one["said"]}
    ramp = more["cube"] + more["groupdq"]
    assert ramp == 3 * 10 * 1024**2 * 5
    grown = four["measured"] - one["measured"]
    assert grown < 1.15 * ramp + more["products"] + more["notes"] + more["references"]


def test_the_cube_is_gone_before_products_are_written(small_nircam, tmp_path, monkeypatch):
    ramps = []
    read = exposures.read_ramp

    def watched(*arguments):
        ramps.append(read(*arguments))
        return ramps[-1]

    monkeypatch.setattr(exposures, "read_ramp", watched)

    class Watch(Observer):
        def __init__(self):
            self.alive = {}

        def reading(self, plan):
            self.cube = None

        def step_started(self, plan, step):
            if ramps:
                self.cube = weakref.ref(ramps.pop().data)

        def writing(self, plan, name):
            self.alive[name] = self.cube() is not None

    watch = Watch()
    heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, out=tmp_path, save=True,
        observer=watch, parameters={"ramp_fit.save_opt": True},
    )  # fmt: skip
    assert watch.alive == {"rate": False, "rateints": False, "fitopt": False}


def test_products_are_gone_once_they_are_written(small_nircam, tmp_path):
    done = heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, out=tmp_path, save=True
    )
    assert set(done.paths) == {"rate", "rateints"}
    assert not done.products
    assert not any(outcome.products for _, outcome in done.outcomes)


LONG_REFERENCE = """
import sys
from astropy.io import fits
from heliodor.references.files import Reference

path, ny, n = sys.argv[1], 1024, 100
header = fits.Header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True})
image = fits.Header({"XTENSION": "IMAGE", "BITPIX": -32, "NAXIS": 3, "NAXIS1": ny, "NAXIS2": ny,
                     "NAXIS3": n, "PCOUNT": 0, "GCOUNT": 1, "EXTNAME": "SCI"})
with open(path, "wb") as file:
    file.write(header.tostring().encode() + image.tostring().encode())
    file.truncate(5760 + -(-n * ny * ny * 4 // 2880) * 2880)
reference = Reference("dark", path, {}, (ny, ny))
cube = reference.cube()
cube.rows(0, 8)
before = peak()
for row in range(0, ny, 8):
    assert cube.rows(row, row + 8).shape == (n, 8, ny)
print(peak() - before, n * ny * ny * 4)
"""


def test_a_long_reference_is_not_held(child, tmp_path):
    """Of a dark with many frames only what is being read counts."""
    grown, size = map(int, child(PEAK + LONG_REFERENCE, tmp_path / "dark.fits").split())
    assert grown < 0.1 * size
