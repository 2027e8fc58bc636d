"""The simulator knows the answer: slopes, errors and flags are held against it.

The light rises by a constant factor from column to column, so that every decade of signal has tens
of thousands of pixels, and medians and widths of pulls, (slope - truth) / error, are known to about
half a percent.

Slopes have to scatter as noise theory says, within 2 % in every bin of signal.  Errors do not quite
say that: operations quote the least variance from read noise plus the least from photons, and
no single set of weights reaches both.  Where the two noises compare, pulls of ten groups are
wider than 1 by up to 3 %; and averaged frames, whose photon noise is correlated, make errors too
large, for ten groups by up to 2 %.  So pulls are asked to be as wide as these errors imply, within
2 %, and to have width 1, within 2 %, where one noise prevails; `heliodor_simulate.theory` works it
out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import heliodor
import numpy as np
import pytest
from heliodor_simulate import EFFECTS, recovery, theory

TRUTH = Path(__file__).parents[1] / "tools" / "truth.py"
NOISE_ALONE = tuple(sorted(set(EFFECTS) - {"sky", "photon-noise", "read-noise"}))
CASES = {
    "NIRCam": ("nircam-imaging", {"size": 512, "ngroups": 10, "sky": (0.1, 800.0)}),
    "NIRISS": ("niriss-imaging", {"size": 512, "ngroups": 10, "sky": (0.1, 700.0)}),
    "NIRCam, averaged with gaps": (
        "nircam-imaging",
        {"size": 512, "ngroups": 10, "readpatt": "SHALLOW4", "sky": (0.1, 150.0)},
    ),
    "NIRISS, averaged": (
        "niriss-imaging",
        {"size": 512, "ngroups": 10, "readpatt": "NIS", "sky": (0.1, 120.0)},
    ),
}
WITH_ONE_FRAME = ("NIRCam", "NIRISS")
ONE_PREVAILS = (0.0, 0.3), (30.0, 1000.0)
"""Signals with little but read noise, and with little but photon noise [DN/s]."""

READ_AND_FLICKER = (6.0, 3.0)
"""Of NIRCam's figures: read noise and 1/f noise, which is in no error [DN]."""


class Calibrated:
    """An exposure, calibrated, with its truth."""

    def __init__(self, case, **options):
        result = heliodor.run(case.exposure, folders=case.references, **options)
        self.truth = recovery.read_truth(case.truth)
        with result["rate"] as rate, result["rateints"] as rateints:
            self.slope, self.error, self.dq = (np.array(a) for a in (rate.data, rate.err, rate.dq))
            self.dq_ints = np.array(rateints.dq)

    def bins(self, error=None, edges=recovery.EDGES):
        """Pulls by signal, of ramps that do not saturate; the product's error, or another."""
        error = self.error if error is None else error
        pulls = recovery.pulls(self.slope, error, self.dq, self.truth)
        full = (self.truth["first_saturated_group"] != 255).any(axis=0)
        return recovery.by_signal(np.where(full, np.nan, pulls), self.truth, edges)


@pytest.fixture(scope="module")
def calibrated(simulated):
    """Simulate and calibrate, once for the same arguments."""
    made = {}

    def calibrate(mode, *, skip=(), algorithm="OLS_C", **arguments):
        key = (mode, skip, algorithm, *sorted(arguments.items()))
        if key not in made:
            parameters = {"ramp_fit.algorithm": algorithm}
            case = simulated(mode, **arguments)
            made[key] = Calibrated(case, skip=skip, parameters=parameters)
        return made[key]

    return calibrate


@pytest.fixture(scope="module")
def noise_alone(calibrated):
    """Photon and read noise alone; the correction by noisy reference pixels is left out."""

    def calibrate(name, algorithm="OLS_C"):
        mode, arguments = CASES[name]
        skip = ("refpix",)
        return calibrated(mode, skip=skip, algorithm=algorithm, without=NOISE_ALONE, **arguments)

    return calibrate


@pytest.mark.parametrize("name", CASES)
def test_slopes_scatter_about_the_truth_as_noise_does(name, noise_alone):
    done = noise_alone(name)
    bins = done.bins(theory.scatter(done.truth))
    assert len(bins) == (4 if name in WITH_ONE_FRAME else 3)
    for each in bins:
        assert each.number > 20_000
        assert abs(each.median) < 0.02, each
        assert abs(each.width - 1) < 0.02, each


@pytest.mark.parametrize("name", CASES)
def test_errors_are_calibrated(name, noise_alone):
    done = noise_alone(name)
    for found, expected in zip(done.bins(), theory.expected(done.truth), strict=True):
        assert abs(found.median) < 0.02, found
        assert abs(found.width - expected.width) < 0.02, (found, expected)
        assert 0.98 < expected.width < 1.03, expected
        assert found.beyond < 1e-3


@pytest.mark.parametrize("name", WITH_ONE_FRAME)
def test_pulls_have_width_one_where_one_noise_prevails(name, noise_alone):
    for limits in ONE_PREVAILS:
        (each,) = noise_alone(name).bins(edges=limits)
        assert each.number > 20_000
        assert abs(each.median) < 0.02, each
        assert abs(each.width - 1) < 0.02, each


@pytest.mark.parametrize("name", CASES)
def test_likelihood_has_the_errors_of_its_slopes(name, noise_alone):
    likely, squares = noise_alone(name, "LIKELY"), noise_alone(name)
    for each in likely.bins():
        assert each.number > 20_000
        assert abs(each.median) < 0.02, each
        assert abs(each.width - 1) < 0.02, each
    error = theory.scatter(likely.truth)
    for each, ordinary in zip(likely.bins(error), squares.bins(error), strict=True):
        assert each.width < ordinary.width + 0.002


@pytest.mark.parametrize("name", CASES)
def test_quoted_errors_are_those_of_the_true_signal(name, noise_alone):
    done = noise_alone(name)
    ratio = np.where(done.dq == 0, done.error / theory.quoted(done.truth), np.nan)
    for each in recovery.by_signal(ratio, done.truth):
        assert each.median == pytest.approx(1, abs=0.005), each


def test_ramps_cut_by_saturation_have_right_slopes_and_errors(calibrated):
    # all of the last columns saturate, after nine groups to two
    done = calibrated(
        "nircam-imaging", skip=("refpix",), without=tuple(set(NOISE_ALONE) - {"saturation"}),
        size=(256, 512), ngroups=10, sky=(1000.0, 4000.0),
    )  # fmt: skip
    cut = (done.dq_ints[0] & 2 != 0) & ~done.truth["refpix"]
    assert cut.sum() > 50_000
    pulls = recovery.pulls(done.slope, done.error, done.dq, done.truth)
    (each,) = recovery.by_signal(np.where(cut, pulls, np.nan), done.truth, (400, 4000))
    assert abs(each.median) < 0.02
    assert abs(each.width - 1) < 0.02


@pytest.fixture(
    params=[
        ("nircam-imaging", {"ngroups": 10}),
        ("niriss-imaging", {"ngroups": 10}),
        ("nircam-imaging", {"ngroups": 8, "readpatt": "SHALLOW4"}),
    ],
    ids=["NIRCam", "NIRISS", "NIRCam, averaged"],
)
def everything(request, calibrated):
    """All effects but snowballs, whose halos fade into everything."""
    mode, arguments = request.param
    return calibrated(mode, size=512, sky=(0.3, 2000.0), without=("snowballs",), **arguments)


def test_particles_are_found(everything):
    found = recovery.jumps(everything.dq_ints, everything.truth)
    assert found.number > 50
    assert found.caught >= 0.99
    assert found.false < 0.005


def test_saturation_is_found(everything):
    found = recovery.saturation(everything.dq_ints, everything.truth)
    assert found.number > 10_000
    assert found.caught == 1
    assert found.false == 0


def test_other_effects_widen_pulls_no_more_than_their_noise(everything):
    read_noise, flicker = READ_AND_FLICKER
    limit = np.hypot(1, flicker / read_noise)
    for found, expected in zip(everything.bins(), theory.expected(everything.truth), strict=True):
        assert expected.width - 0.02 < found.width < expected.width * limit + 0.02, found


def test_without_flicker_pulls_are_nearly_as_for_noise_alone(calibrated):
    arguments = {"size": 512, "ngroups": 10, "sky": (0.1, 800.0)}
    full = calibrated("nircam-imaging", without=("snowballs",), **arguments)
    without = calibrated("nircam-imaging", without=("1/f", "snowballs"), **arguments)
    expected = theory.expected(full.truth)
    for flicker, quiet, alone in zip(full.bins(), without.bins(), expected, strict=True):
        assert abs(quiet.median) < 0.05, quiet
        assert abs(quiet.width - alone.width) < 0.03, quiet
        assert abs(quiet.median) < abs(flicker.median) + 0.01
    assert full.bins()[0].width > without.bins()[0].width + 0.05


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["nircam-imaging", "niriss-imaging"])
def test_no_worse_than_the_incumbent_in_any_bin(mode):
    python = os.environ.get("HELIODOR_JWST_PYTHON")
    if not python:
        pytest.skip("HELIODOR_JWST_PYTHON names no interpreter with jwst")
    done = subprocess.run(
        [sys.executable, TRUTH, "--mode", mode, "--size", "256", "--only", "everything",
         "--jwst", python, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    results = json.loads(done.stdout)
    for ours, theirs in zip(results[::2], results[1::2], strict=True):
        assert (ours["pipeline"], theirs["pipeline"]) == ("ours", "jwst")
        for mine, other in zip(ours["bins"], theirs["bins"], strict=True):
            assert abs(mine["median"]) <= abs(other["median"]) + 1e-3
            assert abs(mine["width"] - 1) <= abs(other["width"] - 1) + 1e-3
        assert ours["rays"]["caught"] >= theirs["rays"]["caught"]
        assert ours["rays"]["false"] <= theirs["rays"]["false"]
