import numpy as np
import pytest
from heliodor.bits import AD_FLOOR, DO_NOT_USE, NO_SAT_CHECK, SATURATED
from heliodor.engine import execute
from heliodor_detector.steps.saturation import SPEC
from heliodor_detector.steps.saturation.params import SaturationParams

FLOOR = AD_FLOOR | DO_NOT_USE


def run(ramp, make_reference, threshold, flags=None, bias=None, how=None, **params):
    planes = {"SCI": np.asarray(threshold, np.float32)}
    if flags is not None:
        planes["DQ"] = flags
    references = {"saturation": make_reference("saturation", ramp, **planes)}
    if bias is not None:
        references["superbias"] = make_reference("superbias", ramp, SCI=bias)
    return execute(SPEC, ramp, SaturationParams(**params), references, **(how or {}))


def dilate(mask, grow):
    ny, nx = mask.shape
    padded = np.pad(mask, grow)
    shifts = [padded[y : y + ny, x : x + nx] for y, x in np.ndindex(2 * grow + 1, 2 * grow + 1)]
    return np.any(shifts, axis=0)


def slow_flags(data, groupdq, threshold, unchecked, bias, nframes, grow):
    """The same rules, whole planes at a time, group after group."""
    limit = np.where(unchecked, 65536, threshold).astype(np.float32)
    out = groupdq.copy()
    for ramp, dq in zip(data, out, strict=True):
        ngroups = len(ramp)
        full = np.logical_or.accumulate(ramp >= limit, axis=0)
        spoilt = [dilate(plane, grow) for plane in full]
        for group in range(ngroups):
            dq[group][spoilt[group]] |= SATURATED
            dq[group][ramp[group] <= 0] |= FLOOR
        if nframes == 1:
            continue
        for group in range(ngroups - 1):
            frames = np.arange(group * nframes + 1, (group + 1) * nframes + 1)
            factor = np.where(unchecked, 1, frames.mean() / frames[-1])
            partly = (ramp[group] >= limit * factor) & spoilt[group + 1]
            partly &= dq[group] & (SATURATED | DO_NOT_USE) == 0
            dq[group][dilate(partly, grow)] |= DO_NOT_USE
        if ngroups > 2:
            slope = (ramp[0] - bias).astype(np.float64) / np.arange(1, nframes + 1).mean()
            unexpected = slope * (3 * nframes) + bias < limit
            leap = ramp[1] - ramp[0] > (limit - ramp[0]) / np.float32(nframes)
            dq[1][unexpected & leap & spoilt[2] & ~spoilt[1]] |= DO_NOT_USE
    return out


def random_ramps(rng, nints, ngroups, ny, nx):
    """Ramps of which a few reach 60000 DN, some suddenly; with zeros and NaN."""
    rate = rng.exponential(1500, (nints, 1, ny, nx))
    data = 3000 + rate * np.arange(1, ngroups + 1)[:, None, None]
    hits = rng.random(data.shape) < 0.03
    data += np.cumsum(hits * rng.uniform(0, 70000, data.shape), axis=1)
    data[rng.random(data.shape) < 0.01] = 0
    data[rng.random(data.shape) < 0.01] = np.nan
    return np.minimum(data, 65535).astype(np.float32)


def test_saturation_lasts_and_spills_over(make_ramp, make_reference):
    data = np.full((2, 4, 5, 6), 100)
    data[1, 1, 2, 3] = 60000  # once is enough
    ramp = make_ramp(data)
    run(ramp, make_reference, np.full((5, 6), 60000))
    expected = np.zeros(data.shape, np.uint8)
    expected[1, 1:, 1:4, 2:5] = SATURATED
    np.testing.assert_array_equal(ramp.groupdq, expected)
    assert not ramp.pixeldq.any()


@pytest.mark.parametrize("grow", [0, 2])
def test_neighbours_are_flagged_up_to_the_edge(make_ramp, make_reference, grow):
    data = np.full((1, 1, 6, 6), 100)
    data[0, 0, 0, 5] = 65000
    ramp = make_ramp(data)
    run(ramp, make_reference, np.full((6, 6), 60000), n_pix_grow_sat=grow)
    expected = np.zeros(data.shape, np.uint8)
    expected[0, 0, : 1 + grow, 5 - grow :] = SATURATED
    np.testing.assert_array_equal(ramp.groupdq, expected)


def test_floor_of_the_converter_is_rejected_in_its_group_only(make_ramp, make_reference):
    ramp = make_ramp(np.array([50, 0, 60, -1], np.float32).reshape(1, 4, 1, 1))
    run(ramp, make_reference, [[60000]])
    np.testing.assert_array_equal(ramp.groupdq.ravel(), [0, FLOOR, 0, FLOOR])


def test_pixels_without_threshold_are_not_checked(make_ramp, make_reference):
    ramp = make_ramp(np.full((1, 1, 1, 3), 65535))
    flags = np.array([[0, NO_SAT_CHECK, 0]], np.uint32)
    run(ramp, make_reference, [[np.nan, 60000, 60000]], flags, n_pix_grow_sat=0)
    np.testing.assert_array_equal(ramp.groupdq.ravel(), [0, 0, SATURATED])
    np.testing.assert_array_equal(ramp.pixeldq, [[NO_SAT_CHECK, NO_SAT_CHECK, 0]])


def test_flags_that_were_there_stay_and_count_as_saturated(make_ramp, make_reference):
    groupdq = np.zeros((1, 3, 1, 3), np.uint8)
    groupdq[0, 1:, 0, 0] = SATURATED
    groupdq[0, 0, 0, 2] = DO_NOT_USE
    ramp = make_ramp(np.full((1, 3, 1, 3), 100), groupdq)
    run(ramp, make_reference, np.full((1, 3), 60000))
    both = [SATURATED, SATURATED, 0]
    np.testing.assert_array_equal(ramp.groupdq[0, :, 0], [[0, 0, DO_NOT_USE], both, both])


@pytest.mark.parametrize("ngroups", [1, 2, 3, 6])
@pytest.mark.parametrize("nframes", [1, 4])
@pytest.mark.parametrize("grow", [0, 1, 3])
def test_equal_to_a_plain_version(make_ramp, make_reference, ngroups, nframes, grow):
    rng = np.random.default_rng(7)
    data = random_ramps(rng, 2, ngroups, 23, 31)
    groupdq = ((rng.random(data.shape) < 0.05) * DO_NOT_USE).astype(np.uint8)
    threshold = rng.uniform(50000, 65000, (23, 31)).astype(np.float32)
    threshold[rng.random((23, 31)) < 0.05] = np.nan
    bias = rng.uniform(2000, 4000, (23, 31)).astype(np.float32)
    bias[rng.random((23, 31)) < 0.05] = np.nan
    unchecked = np.isnan(threshold)
    expected = slow_flags(data, groupdq, threshold, unchecked, bias, nframes, grow)
    ramp = make_ramp(data, groupdq.copy(), NFRAMES=nframes)
    run(ramp, make_reference, threshold, bias=bias, n_pix_grow_sat=grow)
    np.testing.assert_array_equal(ramp.groupdq, expected)
    if nframes > 1 and ngroups > 2:
        plain = slow_flags(data, groupdq, threshold, unchecked, bias, 1, grow)
        assert ((expected ^ plain) & DO_NOT_USE).any()


def test_b08_average_hides_saturation_of_the_last_frames(make_ramp, make_reference):
    # frames 5 to 8 at 20, 30, 60, 60 thousand: below the threshold, but not usable
    data = np.array([1000, 42500, 60000, 60000], np.float32).reshape(1, 4, 1, 1)
    threshold = [[60000]]
    for use_readpatt, expected in [(True, [0, DO_NOT_USE, 2, 2]), (False, [0, 0, 2, 2])]:
        ramp = make_ramp(data, NFRAMES=4)
        run(ramp, make_reference, threshold, use_readpatt=use_readpatt)
        np.testing.assert_array_equal(ramp.groupdq.ravel(), expected)


def test_b08_second_group_hit_in_its_last_frame(make_ramp, make_reference):
    # 3000 above a bias of 10000, then one of four frames at full well, then all
    data = np.array([13000, 27000, 60000], np.float32).reshape(1, 3, 1, 1)
    ramp = make_ramp(data, NFRAMES=4)
    run(ramp, make_reference, [[60000]], bias=np.full((1, 1), 1e4, np.float32))
    np.testing.assert_array_equal(ramp.groupdq.ravel(), [0, DO_NOT_USE, SATURATED])
    # without the bias the first group alone announces saturation in the third
    ramp = make_ramp(data, NFRAMES=4)
    run(ramp, make_reference, [[60000]])
    np.testing.assert_array_equal(ramp.groupdq.ravel(), [0, 0, SATURATED])


def test_first_frames_are_zeroed_where_flagged(make_ramp, make_reference):
    zeroframe = np.full((2, 4, 5), 500, np.float32)
    zeroframe[0, 0, 0] = 61000
    zeroframe[1, 3, 4] = -3
    ramp = make_ramp(np.full((2, 1, 4, 5), 100), zeroframe=zeroframe.copy())
    run(ramp, make_reference, np.full((4, 5), 60000), how={"threads": 2})
    zeroframe[0, :2, :2] = 0
    zeroframe[1, 3, 4] = 0
    np.testing.assert_array_equal(ramp.zeroframe, zeroframe)
    assert not ramp.groupdq.any()


def test_strips_and_threads_make_no_difference(make_ramp, make_reference):
    rng = np.random.default_rng(3)
    data = random_ramps(rng, 2, 5, 40, 17)
    results = []
    for how in ({}, {"strip": 3, "threads": 3}, {"strip": 1}):
        ramp = make_ramp(data, NFRAMES=4)
        run(ramp, make_reference, np.full((40, 17), 55000), how=how, n_pix_grow_sat=2)
        results.append(ramp.groupdq)
    assert (results[0] & SATURATED).any()
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
