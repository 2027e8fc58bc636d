"""The kernels of jump against a slow plain version, on random ramps with all kinds of flags."""

import numpy as np
import pytest
from astropy.stats import sigma_clip
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.engine import execute
from heliodor_detector.steps.jump import SPEC
from heliodor_detector.steps.jump.params import JumpParams

UNUSABLE = SATURATED | DO_NOT_USE
FEW = {2: "three_group_rejection_threshold", 3: "four_group_rejection_threshold"}


def plain_jump(data, groupdq, gain, readnoise, method, params):
    """Do all the step does to GROUPDQ, pixel by pixel; NFRAMES and TGROUP are 1."""
    electrons = data * gain
    electrons[groupdq & UNUSABLE > 0] = np.nan
    steps = np.diff(electrons, axis=1).astype(float)
    found = np.zeros(data.shape, bool)
    medians, sigmas = np.full((2, *gain.shape), np.nan)
    for y, x in np.ndindex(gain.shape):
        pixel = steps[:, :, y, x]
        read = float((readnoise[y, x] * gain[y, x]) ** 2)
        if not np.isnan(pixel).all():
            medians[y, x] = np.nanmedian(pixel)
        sigmas[y, x] = np.sqrt(abs(medians[y, x]) + read)
        if method == "iterative":
            found[:, 1:, y, x] = one_by_one(abs(pixel), read, params)
        elif method == "single pass":
            found[:, 1:, y, x] = (
                abs(pixel - medians[y, x]) > params.rejection_threshold * sigmas[y, x]
            ) & (sigmas[y, x] > 0)
    if method == "clip":
        axis = 0 if params.only_use_ints else (0, 1)
        clipped = sigma_clip(steps, sigma=params.rejection_threshold, axis=axis)
        found[:, 1:] = clipped.mask & np.isfinite(steps)
    groupdq[found] |= JUMP_DET
    if method == "clip":
        for plane in groupdq.reshape(-1, *gain.shape):
            if (plane & (JUMP_DET | DO_NOT_USE)).all():
                plane[plane == JUMP_DET] = 0
    count = np.count_nonzero(groupdq & JUMP_DET)
    with np.errstate(invalid="ignore", divide="ignore"):
        height = abs(steps - medians) / sigmas
    height[:, :, sigmas == 0] = np.nan
    if params.flag_4_neighbors:
        source = np.zeros(data.shape, bool)
        low, high = params.min_jump_to_flag_neighbors, params.max_jump_to_flag_neighbors
        source[:, 1:] = (groupdq[:, 1:] & JUMP_DET > 0) & (height > low) & (height < high)
        padded = np.pad(source, ((0, 0), (0, 0), (1, 1), (1, 1)))
        near = padded[:, :, :-2, 1:-1] | padded[:, :, 2:, 1:-1]
        near |= padded[:, :, 1:-1, :-2] | padded[:, :, 1:-1, 2:]
        groupdq[near & (groupdq & UNUSABLE == 0)] |= JUMP_DET
    jump = groupdq & JUMP_DET > 0
    middle = np.nanmedian(gain)
    for dn, time in (
        (params.after_jump_flag_dn1, params.after_jump_flag_time1),
        (params.after_jump_flag_dn2, params.after_jump_flag_time2),
    ):
        for i, g, y, x in np.argwhere(jump[:, 1:] & (steps - medians >= np.float32(dn * middle))):
            later = groupdq[i, g + 1 : g + 2 + int(time), y, x]
            later[later & UNUSABLE == 0] |= JUMP_DET
    groupdq[groupdq & UNUSABLE > 0] &= 255 - JUMP_DET
    return count


def one_by_one(sizes, read, params):
    """Find the jumps of one pixel from the sizes of its steps, the worst first."""
    sizes = sizes.copy()
    found = np.zeros(sizes.shape, bool)
    for again in range(sizes.size):
        usable = np.sort(sizes[~np.isnan(sizes)])
        number = usable.size
        if number >= 4:
            usable = usable[usable < usable[-1]]
        elif number == 2:
            usable = usable[:1]
        if number < 2 or usable.size == 0:
            break
        median = np.median(usable)
        if again:
            median = float(np.float32(median))
        sigma = np.sqrt(median + read)
        if not sigma > 0:
            break
        ratio = abs((sizes - median).astype(np.float32)) / sigma
        worst = np.nanmax(ratio)
        if not worst > getattr(params, FEW.get(number, "rejection_threshold")):
            break
        found |= ratio == worst
        sizes[ratio == worst] = np.nan
    return found


def random_ramp(seed, nints, ngroups, ny=5, nx=23):
    """Make ramps with hits, ties, and every kind of flag and missing value."""
    rng = np.random.default_rng(seed)
    shape = (nints, ngroups, ny, nx)
    rate = rng.choice([0.0, 5.0, 100.0]) * rng.uniform(0.5, 2, (ny, nx))
    data = np.cumsum(rate + rng.normal(size=shape) * np.sqrt(rate / 2), axis=1)
    data += rng.normal(size=shape) * 8
    data += np.cumsum((rng.random(shape) < 0.03) * rng.exponential(300, shape), axis=1)
    if seed % 3 == 0:
        data = np.round(data / 8)
    data[rng.random(shape) < 0.02] = np.nan
    groupdq = np.where(rng.random(shape) < 0.03, DO_NOT_USE, 0).astype(np.uint8)
    groupdq[rng.random(shape) < 0.01] |= JUMP_DET
    start = rng.integers(0, 3 * ngroups, (nints, 1, ny, nx))
    groupdq[np.arange(ngroups)[:, None, None] >= start] |= SATURATED
    gain = rng.uniform(1.5, 2.5, (ny, nx)).astype(np.float32)
    readnoise = rng.uniform(5, 15, (ny, nx)).astype(np.float32)
    gain[0, :3] = 0, -1, np.nan
    readnoise[1, :2] = 0, np.nan
    return data.astype(np.float32), groupdq, gain, readnoise


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Input data contains invalid")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("method", "nints", "ngroups", "params"),
    [
        ("iterative", 1, 3, {}),
        ("iterative", 1, 4, {"four_group_rejection_threshold": 2}),
        ("iterative", 1, 9, {"min_jump_to_flag_neighbors": 4}),
        ("iterative", 3, 10, {"max_jump_to_flag_neighbors": 30}),
        ("single pass", 2, 14, {}),
        ("single pass", 1, 6, {"min_diffs_single_pass": 5, "rejection_threshold": 3}),
        ("clip", 12, 4, {"minimum_sigclip_groups": 12, "rejection_threshold": 2.3}),
        ("clip", 70, 3, {"minimum_sigclip_groups": 70}),
        ("clip", 8, 5, {"minimum_sigclip_groups": 30, "only_use_ints": False}),
    ],
)
def test_equals_the_plain_version(
    method, nints, ngroups, params, seed, after, make_ramp, make_reference
):
    data, groupdq, gain, readnoise = random_ramp(seed, nints, ngroups)
    if after:
        params = params | {"after_jump_flag_dn1": 50, "after_jump_flag_time1": 2}
        params = params | {"after_jump_flag_dn2": 300, "after_jump_flag_time2": 5}
    params = JumpParams(**params)
    ramps = [make_ramp(data, groupdq.copy(), NFRAMES=1, TGROUP=1.0) for _ in range(2)]
    references = {
        "gain": make_reference("gain", ramps[0], SCI=gain),
        "readnoise": make_reference("readnoise", ramps[0], SCI=readnoise),
    }
    count = plain_jump(data, groupdq, gain, readnoise, method, params)
    for ramp, strip, threads in zip(ramps, (64, 2), (1, 3), strict=True):
        execute(SPEC, ramp, params, references, strip=strip, threads=threads)
        np.testing.assert_array_equal(ramp.groupdq, groupdq)
        np.testing.assert_array_equal(ramp.data, data)
        seconds = nints * (ngroups - 1)
        assert ramp.keywords["PRIMECRS"] == pytest.approx(1000 * count / seconds / gain.size)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Input data contains invalid")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("method", "nints", "ngroups", "params"),
    [
        ("iterative", 1, 3, {}),
        ("iterative", 1, 4, {}),
        ("iterative", 2, 8, {"rejection_threshold": 3}),
        ("single pass", 2, 14, {}),
        ("clip", 120, 4, {"rejection_threshold": 3}),
        ("clip", 40, 4, {"minimum_sigclip_groups": 40, "only_use_ints": False}),
    ],
)
def test_most_pixels_need_no_sort(method, nints, ngroups, params, seed, make_ramp, make_reference):
    rng = np.random.default_rng(seed)
    shape = (nints, ngroups, 3, 300)
    rate = rng.choice([0.0, 30.0, 3000.0], shape[2:])
    data = np.cumsum(rate + rng.normal(size=shape) * np.sqrt(rate / 2), axis=1)
    data += rng.normal(size=shape) * rng.choice([1, 6])
    hits = rng.random(shape) < max(0.001, 30 / data.size)
    data += np.cumsum(hits * rng.exponential(200, shape), axis=1)
    data[..., :20] = np.round(data[..., :20] / 50)  # many ties
    data[..., 20:25] = 7.0  # no scatter at all
    data = data.astype(np.float32)
    groupdq = np.zeros(shape, np.uint8)
    groupdq[:, 0] = DO_NOT_USE if ngroups > 4 else 0
    groupdq[:, 0, 1, 40:50] = 0  # what only few can use
    groupdq[:, -1, 2, ::29] = SATURATED
    gain = np.full(shape[2:], 2, np.float32)
    readnoise = np.full(shape[2:], 6, np.float32)
    params = JumpParams(**params)
    ramp = make_ramp(data, groupdq.copy(), NFRAMES=1, TGROUP=1.0)
    references = {
        "gain": make_reference("gain", ramp, SCI=gain),
        "readnoise": make_reference("readnoise", ramp, SCI=readnoise),
    }
    count = plain_jump(data, groupdq, gain, readnoise, method, params)
    assert 0 < count < data.size / 20
    execute(SPEC, ramp, params, references, strip=2)
    np.testing.assert_array_equal(ramp.groupdq, groupdq)
