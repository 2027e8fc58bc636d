from __future__ import annotations

import numpy as np
import pytest
from heliodor_simulate import EFFECTS, arrange, expose, make_truth
from heliodor_simulate.detector import show
from heliodor_simulate.ramps import NEVER, couple


def test_noise_free_ramp_is_the_known_answer(only):
    """Bias, plus the charge seen through coupling and non-linearity, rounded."""
    setup = only("sky", "flat", "dark", "coupling", "nonlinearity", ngroups=4)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    live = setup.live
    rate = ((truth.rate * truth.flat + truth.dark) / truth.gain)[live].astype(float)
    for group in range(4):
        charge = couple(rate * 10.0 * (group + 1), 0.005)
        signal = truth.bias.astype(float)
        signal[live] += show(charge, truth.linearity[:, *live].astype(float))
        # 0.5 is the rounding; single precision adds a little
        assert np.abs(data[group] - signal).max() < 0.502


def test_slopes_are_recovered_through_the_linearity_correction(only):
    setup = only("sources", "sky", "flat", "dark", "nonlinearity", ngroups=6)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    lin = np.stack([truth.linearised(image - truth.bias) for image in data])
    slope = np.polyfit(10.0 * np.arange(1, 7), lin.reshape(6, -1), 1)[0].reshape(setup.shape)
    expected = (truth.rate * truth.flat + truth.dark) / truth.gain
    unclipped = data[-1] < 65535
    error = np.abs(slope - expected)[unclipped]
    # rounding to whole numbers, amplified by the slope of the correction
    assert error.max() < 0.03
    assert slope[unclipped].max() > 500


def test_mean_and_variance_of_light_are_poissons(only):
    setup = only("sky", "photon-noise", ngroups=8)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    steps = np.diff(data, axis=0)[:, *setup.live] * truth.gain[setup.live]
    # 20 electrons per group; rounding of both groups adds gain^2 / 6
    expected = 20.0
    n = steps.size
    assert steps.mean() == pytest.approx(expected, abs=5 * (expected / n) ** 0.5)
    variance = expected + 2.0**2 / 6
    assert steps.var() == pytest.approx(variance, rel=5 * (2 / n) ** 0.5)


@pytest.mark.parametrize(("readpatt", "nframes"), [("RAPID", 1), ("SHALLOW4", 4)])
def test_read_noise_falls_with_the_frames_averaged(only, readpatt, nframes):
    setup = only("read-noise", ngroups=6, readpatt=readpatt)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    pulls = (data - truth.bias) / np.sqrt(truth.read_noise**2 / nframes + 1 / 12)
    assert abs(pulls.mean()) < 5 * pulls.size**-0.5
    assert pulls.std() == pytest.approx(1, abs=5 * (2 * pulls.size) ** -0.5)
    # groups are independent of each other
    assert abs((pulls[1:] * pulls[:-1]).mean()) < 5 * pulls.size**-0.5


def test_groups_are_the_mean_of_their_frames(only):
    setup = only("sky", ngroups=3, readpatt="SHALLOW4")
    truth = make_truth(setup)
    exposure = expose(setup, truth)
    rate = (truth.rate / truth.gain)[setup.live]
    bias = truth.bias[setup.live]
    for group in range(3):
        frames = 50.0 * group + 10.0 * np.arange(1, 5)
        mean = bias + rate * frames.mean()
        assert np.abs(exposure.data[0, group][setup.live] - mean).max() < 0.502
    assert np.abs(exposure.zeroframe[0][setup.live] - (bias + rate * 10.0)).max() < 0.502


def test_photon_noise_of_averaged_groups_is_correlated_as_it_should(only):
    """Mean of 4 reads of a Poisson process: variance of the last read less 1/4 of its growth."""
    setup = only("sky", "photon-noise", ngroups=1, readpatt="SHALLOW4", seed=3)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0, 0][setup.live].astype(float)
    electrons = (data - truth.bias[setup.live]) * truth.gain[setup.live]
    per_frame = 20.0
    expected = per_frame * sum(((4 - k) / 4) ** 2 for k in range(4)) + 2.0**2 / 12
    assert electrons.var() == pytest.approx(expected, rel=5 * (2 / electrons.size) ** 0.5)
    assert electrons.mean() == pytest.approx(2.5 * per_frame, rel=0.01)


def test_only_averaged_groups_have_a_zero_frame(tiny):
    assert expose(arrange(tiny, size=16)).zeroframe is None
    assert expose(arrange(tiny, size=16, readpatt="SHALLOW4")).zeroframe.shape == (1, 16, 16)


def test_zero_frame_is_one_of_the_frames_averaged(only):
    setup = only("read-noise", ngroups=1, readpatt="SHALLOW4")
    truth = make_truth(setup)
    exposure = expose(setup, truth)
    first = exposure.zeroframe[0] - truth.bias
    mean = exposure.data[0, 0] - truth.bias
    # the mean holds a quarter of the first frame
    assert (first * mean).mean() / (first**2).mean() == pytest.approx(0.25, abs=0.03)


def test_bright_pixels_fill_up_and_stay(only):
    setup = only("sources", "saturation", "nonlinearity", ngroups=6, seed=2)
    truth = make_truth(setup)
    exposure = expose(setup, truth)
    first = exposure.first_saturated[0]
    full = first < NEVER
    assert full.sum() > 5
    data = exposure.data[0].astype(float)
    above = data >= truth.saturation
    assert np.array_equal(above.any(axis=0), full)
    assert (above.argmax(axis=0)[full] == first[full]).all()
    early = first < 3
    top = truth.bias + show(truth.full_well / truth.gain, truth.linearity)
    at_the_end = np.minimum(top, 65535)[early]
    assert np.abs(data[5][early] - at_the_end).max() < 2
    assert np.array_equal(data[4][early], data[5][early])


def test_nothing_passes_the_converter(only):
    data = expose(only("sources", ngroups=6, seed=2)).data
    assert data.max() == 65535
    assert (np.diff(data[0].astype(int), axis=0) >= 0).all()


def test_particles_leave_the_charge_that_is_told(only):
    setup = only("cosmic-rays", "snowballs", ngroups=5, nints=2, readpatt="SHALLOW4")
    truth = make_truth(setup)
    exposure = expose(setup, truth)
    expected = np.zeros((2, 5, 4, *setup.shape))
    hits = exposure.hits
    where = tuple(hits[name] for name in ("integ", "group", "frame", "y", "x"))
    np.add.at(expected, where, hits["electrons"])
    reads = np.cumsum(expected.reshape(2, 20, *setup.shape), axis=1).reshape(expected.shape)
    signal = np.minimum(truth.bias + reads / truth.gain, 65535).mean(axis=2)
    assert np.abs(exposure.data - signal).max() < 0.52
    assert (exposure.data[0, -1] > truth.bias + 100).sum() > 20


def test_reference_pixels_follow_the_drifts_and_nothing_else(only):
    setup = only("sources", "sky", "dark", "cosmic-rays", "amplifiers", "odd-even", ngroups=3)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0] - truth.bias
    quarter = np.arange(160) // 40
    for group in range(3):
        bottom, left = data[group, :4], data[group, :, :4]
        for amplifier in range(4):
            for parity in range(2):
                same = bottom[:, (quarter == amplifier) & (np.arange(160) % 2 == parity)]
                assert np.ptp(same) < 1.01
        assert np.ptp(left[:, ::2]) < 1.01
    offsets = [data[0, 0, quarter == amplifier].mean() for amplifier in range(4)]
    assert np.std(offsets) > 1


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_can_be_left_out(tiny, midinfrared, effect):
    """Leaving one out changes the data, and does not change what another draws."""
    base = {"ngroups": 4, "seed": 4}
    figures = midinfrared if effect == "settling" else tiny
    with_it = expose(arrange(figures, **base))
    without = expose(arrange(figures, without=[effect], **base))
    assert not np.array_equal(with_it.data, without.data)
    if effect not in ("cosmic-rays", "snowballs"):
        assert np.array_equal(with_it.events, without.events)
    if effect != "sources":
        assert np.array_equal(with_it.truth.stars, without.truth.stars)


@pytest.mark.parametrize(("effect", "rms"), [("read-noise", 6.0), ("1/f", 3.0)])
def test_noise_is_added_to_the_same_exposure(tiny, effect, rms):
    """All else is the same with and without it."""
    with_it = expose(arrange(tiny, ngroups=4))
    without = expose(arrange(tiny, ngroups=4, without=[effect]))
    difference = with_it.data[0].astype(float) - without.data[0]
    good = (with_it.truth.mask == 0) & (without.data[0].max(axis=0) < 65535)
    assert difference[:, good].std() == pytest.approx(rms, rel=0.1)


def test_same_seed_same_data_other_seed_other_data(tiny):
    first, again = (expose(arrange(tiny, size=32, seed=7)).data for _ in range(2))
    other = expose(arrange(tiny, size=32, seed=8)).data
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_integrations_start_anew(only):
    data = expose(only("sky", "photon-noise", ngroups=3, nints=2)).data.astype(int)
    first, second = data[:, 0]
    assert not np.array_equal(first, second)
    assert abs(first.mean() - second.mean()) < 1


def test_coupling_conserves_the_signal():
    image = np.zeros((5, 6))
    image[2, 3] = 1000
    image[0, 0] = 100
    out = couple(image, 0.01)
    assert out.sum() == pytest.approx(1100)
    np.testing.assert_allclose([out[2, 2], out[1, 3], out[2, 3], out[0, 0]], [10, 10, 960, 98])


def test_ramp_is_what_steps_take(tiny):
    setup = arrange(tiny, subarray="SUB64P", readpatt="SHALLOW4", nints=2, ngroups=3)
    ramp = expose(setup).ramp()
    assert ramp.shape == (2, 3, 48, 64)
    assert ramp.data.dtype == ramp.zeroframe.dtype == np.float32
    assert not ramp.groupdq.any()
    assert ramp.keywords["SUBSTRT1"] == 97
    assert ramp.keywords["BUNIT"] == "DN"
