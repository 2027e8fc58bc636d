import numpy as np
import pytest
from astropy.convolution import Ring2DKernel, convolve
from heliodor.bits import DO_NOT_USE, JUMP_DET, REFERENCE_PIXEL, SATURATED
from heliodor_detector.steps.jump.emission import find_emission
from heliodor_detector.steps.jump.showers import ring_of

NGROUPS, NY, NX = 14, 70, 80
Y, X = np.mgrid[:NY, :NX]
SHOWER = (X - 40) ** 2 + (Y - 30) ** 2 < 10**2
FIND = {"find_showers": True, "flag_4_neighbors": False}


def ramp(height=0.0, group=5, nints=1, noise=0.0):
    """Ramps of 20 DN a group in which a disc jumps; sigma is 5.92 DN."""
    rng = np.random.default_rng(5)
    data = np.broadcast_to(20.0 * np.arange(NGROUPS)[:, None, None], (nints, NGROUPS, NY, NX))
    data = data + noise * rng.normal(size=data.shape)
    data[0, group:, SHOWER] += height
    return data


def flagged(ramp):
    return ramp.groupdq & JUMP_DET > 0


def showers_in(ramp, intervals=NGROUPS - 1):
    return ramp.keywords["EXTNCRS"] * intervals * 10 * NY * NX / 1e6


def test_a_faint_shower_is_flagged_with_the_groups_after_it(run_jump):
    data = ramp(height=15)  # 2.5 sigma: no jumps
    assert not flagged(run_jump(data)[0]).any()
    out, _ = run_jump(data, time_masked_after_shower=25, **FIND)
    assert showers_in(out) == pytest.approx(1)
    now = flagged(out)[0]
    for group in range(NGROUPS):
        assert now[group].any() == (5 <= group <= 7)
        assert (now[group][SHOWER].mean() > 0.99) == (5 <= group <= 7)
    # not much more than the disc, a tenth wider
    assert now[5].sum() < 1.1 * np.count_nonzero((X - 40) ** 2 + (Y - 30) ** 2 < 12**2)


def test_the_limits_of_what_is_a_shower(run_jump):
    data = ramp(height=15)
    assert showers_in(run_jump(data, extend_snr_threshold=2.6, **FIND)[0]) == 0
    assert showers_in(run_jump(data, extend_min_area=600, **FIND)[0]) == 0
    narrow, _ = run_jump(data, extend_ellipse_expand_ratio=0.5, **FIND)
    wide, _ = run_jump(data, max_extended_radius=7, **FIND)
    for out, radius in ((narrow, 5), (wide, 7)):
        rows = np.flatnonzero(flagged(out)[0, 5].any(axis=1))
        assert np.ptp(rows) / 2 == pytest.approx(radius, abs=1)


def test_flags_that_would_change_the_slope_too_much_are_taken_back(run_jump):
    # of 13 differences of 20 DN, one is 15 DN more: without it and the next, 1.15 DN less
    data = ramp(height=15)
    for amplitude, found in ((0.12, True), (0.11, False)):  # DN/s, in groups of 10 s
        out, _ = run_jump(data, max_shower_amplitude=amplitude, **FIND)
        assert flagged(out)[0, 5][SHOWER].any() == found
        assert showers_in(out) == pytest.approx(1)


def test_the_largest_change_as_jwst_has_it(run_jump):
    """It is 6 electrons/s whatever is asked for; here 3 DN/s."""
    for height, found in ((350, True), (450, False)):  # a 13th of it, in 10 s
        # noise so large that nothing is a jump
        given = {"readnoise": 200.0, "extend_snr_threshold": 0.8, "max_shower_amplitude": 0.01}
        data = ramp(height=height)
        out, _ = run_jump(data, large_events_as_jwst=True, **given, **FIND)
        assert flagged(out)[0, 5][SHOWER].any() == found
        assert showers_in(out) == pytest.approx(1)
        assert not flagged(run_jump(data, **given, **FIND)[0])[0, 5][SHOWER].any()


def test_saturated_and_reference_pixels_are_not_flagged(run_jump):
    data = ramp(height=15)
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 6, 30, 40] = SATURATED
    groupdq[0, 9:, 32, 40] = SATURATED
    pixeldq = np.zeros((NY, NX), np.uint32)
    pixeldq[28, 40] = REFERENCE_PIXEL
    out, _ = run_jump(data, groupdq, pixeldq=pixeldq, time_masked_after_shower=25, **FIND)
    now = flagged(out)[0]
    assert np.flatnonzero(now[:, 30, 41]).tolist() == [5, 6, 7]
    # once saturated, not again
    assert np.flatnonzero(now[:, 30, 40]).tolist() == [5]
    assert np.flatnonzero(now[:, 32, 40]).tolist() == [5, 6, 7]
    assert not now[:, 28, 40].any()
    assert out.groupdq[0, 6, 30, 40] == SATURATED


def test_ten_differences_are_needed(run_jump):
    data = ramp(height=15)
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, -3:] = DO_NOT_USE
    assert flagged(run_jump(data, groupdq, **FIND)[0]).any()
    groupdq[0, -4:] = DO_NOT_USE
    out, _ = run_jump(data, groupdq, **FIND)
    assert not flagged(out).any()
    assert out.keywords["EXTNCRS"] == 0


def test_over_many_integrations_differences_are_clipped(run_jump):
    data = ramp(height=15, nints=40, noise=3)
    out, _ = run_jump(
        data, minimum_sigclip_groups=40, rejection_threshold=20, extend_snr_threshold=2, **FIND
    )
    assert showers_in(out, 40 * (NGROUPS - 1)) == pytest.approx(1)
    assert flagged(out)[0, 5][SHOWER].mean() > 0.99
    assert not flagged(out)[1:].any()


@pytest.mark.parametrize("minimum_sigclip_groups", [3, 100])
def test_threads_and_strips_make_no_difference(run_jump, minimum_sigclip_groups):
    data = ramp(height=15, nints=3, noise=4)
    params = FIND | {"minimum_sigclip_groups": minimum_sigclip_groups}
    first, _ = run_jump(data, **params)
    assert flagged(first).any()
    again, _ = run_jump(data, threads=3, strip=7, **params)
    np.testing.assert_array_equal(again.groupdq, first.groupdq)
    assert again.keywords["EXTNCRS"] == first.keywords["EXTNCRS"]


@pytest.mark.parametrize(("inner", "width"), [(1.0, 2.6), (2.0, 1.5)])
def test_the_mean_of_a_ring_leaves_out_what_is_flagged(inner, width):
    rng = np.random.default_rng(2)
    data = np.zeros((1, 2, 30, 40), np.float32)
    data[0, 1] = rng.normal(size=(30, 40))
    groupdq = np.where(rng.random(data.shape) < 0.2, SATURATED, 0).astype(np.uint8)
    left_out = rng.random((30, 40)) < 0.1
    one = np.ones((30, 40), np.float32)
    emission = np.empty((30, 40), np.uint8)
    ring = ring_of(inner, width)
    find_emission(data, groupdq, left_out, one, 0 * one, one, ring, 0.8, 0, 1, emission)
    ratio = abs(data[0, 1]).astype(float)
    ratio[left_out | (groupdq[0] > 0).any(axis=0)] = np.nan
    mean = convolve(ratio, Ring2DKernel(inner, width), preserve_nan=True)
    assert 50 < emission.sum() < 600
    np.testing.assert_array_equal(emission, mean > 0.8)
