from __future__ import annotations

import json

import numpy as np
import pytest
from heliodor_simulate import theory

SHAPE = (40, 50)


def truth_of(rate, *, read_noise, nframes=1, groupgap=0, ngroups=8, dark=0.0):
    one = np.ones(SHAPE, np.float32)
    mode = {
        "nframes": nframes, "ngroups": ngroups, "tframe": 2.0, "tgroup": 2.0 * (nframes + groupgap),
    }  # fmt: skip
    return {
        "rate_e": rate * one, "flat": one, "gain": 2 * one, "dark": dark * one,
        "readnoise": read_noise * one, "refpix": np.zeros(SHAPE, bool), "mode": json.dumps(mode),
    }  # fmt: skip


def test_read_noise_alone():
    # equal weights: 12 R^2 / (n^3 - n), with R in DN
    truth = truth_of(0.0, read_noise=5.0)
    expected = (12 * 25 / (8**3 - 8)) ** 0.5 / 2
    np.testing.assert_allclose(theory.scatter(truth), expected, rtol=1e-6)
    np.testing.assert_allclose(theory.quoted(truth), expected, rtol=1e-6)


def test_photon_noise_alone():
    # at the highest power the ends of the ramp are nearly all that counts
    truth = truth_of(1e4, read_noise=0.0)
    expected = (1e4 / (7 * 2)) ** 0.5 / 2
    np.testing.assert_allclose(theory.quoted(truth), expected, rtol=1e-6)
    ratio = theory.scatter(truth) / expected
    assert (ratio >= 1).all()
    assert (ratio < 1.01).all()


def test_dark_current_makes_noise_as_light_does_but_no_error():
    light, both = truth_of(5.0, read_noise=3.0), truth_of(2.0, read_noise=3.0, dark=3.0)
    np.testing.assert_allclose(theory.scatter(both), theory.scatter(light), rtol=1e-6)
    undarkened = truth_of(2.0, read_noise=3.0)
    np.testing.assert_allclose(theory.quoted(both), theory.quoted(undarkened), rtol=1e-6)


def test_averaged_frames_make_errors_of_bright_pixels_too_large():
    # the photon noise of a mean of m frames is less than that of one read, by (m^2 - 1) / 3m frames
    truth = truth_of(1e4, read_noise=0.0, nframes=4, groupgap=1)
    (each,) = theory.expected(truth, (0, 1e5))
    less = (4**2 - 1) / (3 * 4) * 2.0 / (7 * 10.0)
    assert each.width == pytest.approx((1 - less) ** 0.5, abs=0.005)


@pytest.mark.parametrize(("nframes", "groupgap"), [(1, 0), (4, 1)])
@pytest.mark.parametrize("rate", [0.5, 3.0, 10.0, 40.0, 400.0])
def test_scatter_is_that_of_simulated_fits(rate, nframes, groupgap):
    """Ramps are drawn frame by frame and fitted with `numpy.polyfit`."""
    truth = truth_of(rate, read_noise=4.0, nframes=nframes, groupgap=groupgap)
    random = np.random.default_rng(5)
    step = nframes + groupgap
    charge = random.poisson(rate * 2.0, (8 * step, 4000)).cumsum(axis=0)
    frames = charge / 2.0 + random.normal(0, 4.0, charge.shape)
    groups = frames.reshape(8, step, -1)[:, groupgap:].mean(axis=1)
    signal = 7 * step * 2.0 * rate
    ratio = signal / (8.0**2 / nframes + signal) ** 0.5
    power = [p for least, p in theory.CLASSES if ratio >= least][-1]
    weight = np.abs(np.linspace(-1, 1, 8)) ** power
    slopes = np.polyfit(2.0 * step * np.arange(8), groups, 1, w=weight**0.5)[0]
    assert theory.scatter(truth)[0, 0] == pytest.approx(slopes.std(), rel=0.04)


def test_expected_pulls_leave_reference_pixels_out():
    truth = truth_of(0.0, read_noise=5.0)
    truth["refpix"][:10] = True
    (each,) = theory.expected(truth)
    assert each.number == 30 * 50
    assert each.width == pytest.approx(1)
    assert each.beyond == pytest.approx(5.7e-7, rel=0.01)
