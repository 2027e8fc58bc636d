"""What the quick look of jump takes for granted."""

import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.kernels import kernel
from heliodor_detector.steps.jump import clipping, outliers
from heliodor_detector.steps.jump.differences import list_pairs, usual_groups
from heliodor_detector.steps.jump.screening import columns_at_once, take_differences


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], b1[:,::1], i8, i8, f4[:,::1], b1[::1])")
def take(data, groupdq, gain, usual, first, last, differences, odd):
    take_differences(
        data, groupdq, gain, usual, first, last, 0, 1, 1 + odd.size, False, differences, odd
    )


@kernel("void(f4[:,::1], f4[::1], f4[::1], f8, f8[::1], b1, b1[::1])")
def outlier_suspects(samples, gain, readnoise, nframes, thresholds, iterative, suspect):
    outliers.find_suspects(samples, gain, readnoise, nframes, thresholds, iterative, suspect)


@kernel("void(f4[:,::1], f8, b1[::1])")
def clip_suspects(samples, threshold, suspect):
    clipping.find_suspects(samples, threshold, suspect)


def test_differences_of_usual_groups_and_who_has_others():
    groups = np.array([0, 1, 3, 6, 10], np.float32)
    data = np.broadcast_to(groups[:, None, None], (2, 5, 1, 6)).copy()
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 0] = groupdq[1, 2] = DO_NOT_USE
    usual = usual_groups(groupdq)
    assert usual.tolist() == [[False, True, True, True, True], [True, True, False, True, True]]
    groupdq[0, 0, 0, 2] = JUMP_DET  # this one can use it
    groupdq[1, 4, 0, 3] = SATURATED
    groupdq[1, 1, 0, 4] = JUMP_DET
    differences, odd = np.zeros((5, 4), np.float32), np.ones(4, bool)
    gain = np.full((1, 6), 2, np.float32)
    take(data, groupdq, gain, usual, 1, 5, differences, odd)
    assert differences[:, 0].tolist() == [4, 6, 8, 2, 8]
    assert odd.tolist() == [False, True, True, False]
    take(data, groupdq, gain, usual, 2, 3, differences, odd)
    assert differences[:, 0].tolist() == [4, 6, 8, 2, 8]
    assert odd.tolist() == [False, False, False, False]


def test_pairs_of_usable_groups():
    usable = np.array([[True, True, False, True], [False, True, True, True]])
    assert list_pairs(usable).tolist() == [[0, 1], [1, 2], [1, 3]]
    assert list_pairs(usable[:, :1]).shape == (0, 2)


def test_parts_of_a_row_are_equal():
    widths = [columns_at_once.py_func(nx) for nx in (1, 1024, 1032, 2048, 3200)]
    assert widths == [1, 1024, 516, 1024, 800]


@pytest.mark.parametrize("iterative", [False, True])
@pytest.mark.parametrize("n", [2, 3, 4, 9, 78])
def test_a_pixel_with_an_outlier_is_always_a_suspect_and_few_others_are(n, iterative):
    rng = np.random.default_rng(n)
    level = rng.choice([0, 100, 1e5], 2000)
    sigma = np.sqrt(level + 12.0**2)
    samples = level + rng.normal(size=(n, 2000)) * sigma
    samples[rng.integers(0, n, 1000), np.arange(1000)] += sigma[:1000] * rng.uniform(3, 9, 1000)
    samples[:, 1990:] = np.nan
    samples = (abs(samples) if iterative else samples).astype(np.float32)
    suspect = np.zeros(2000, bool)
    noise = np.full(2000, 6, np.float32)
    gain = np.full(2000, 2, np.float32)
    thresholds = np.array([6.0, 5.0, 4.0])
    outlier_suspects(samples, gain, noise, 1.0, thresholds, iterative, suspect)
    assert suspect[1990:].all()

    ordered = np.sort(samples, axis=0).astype(float)
    left = ordered[:-1] if iterative and n != 3 else ordered  # see `outliers.median_of`
    median = np.median(left, axis=0)
    ratio = abs(samples - median).max(axis=0) / np.sqrt(abs(median) + 12**2)
    found = ratio > (thresholds[min(n, 4) - 2] if iterative else 4)
    assert found.sum() > 50
    assert suspect[found].all()
    assert suspect[1000:1990].mean() < 0.12


def test_a_pixel_with_something_to_clip_is_always_a_suspect_and_few_others_are():
    rng = np.random.default_rng(0)
    samples = rng.choice([0, 100, 1e5], 2000) + rng.normal(size=(200, 2000)) * 30
    samples[rng.integers(0, 200, 1000), np.arange(1000)] += 30 * rng.uniform(0, 6, 1000)
    samples[7, 1990:] = np.nan
    samples = samples.astype(np.float32)
    suspect = np.zeros(2000, bool)
    clip_suspects(samples, 4.0, suspect)
    assert suspect[1990:].all()
    median, deviation = np.median(samples, axis=0), samples.std(axis=0, dtype=float)
    found = abs(samples - median).max(axis=0) > 4 * deviation
    assert found.sum() > 300
    assert suspect[found].all()
    assert suspect[1000:1990].mean() < 0.1
