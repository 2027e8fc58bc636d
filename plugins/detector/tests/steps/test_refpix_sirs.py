"""Simple improved reference subtraction: kernels, drifts, and the step with them."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.data import Keywords, Ramp
from heliodor.engine import execute
from heliodor.errors import ReferenceError
from heliodor.references.files import Reference
from heliodor_detector.steps.refpix import SPEC
from heliodor_detector.steps.refpix.params import RefPixParams
from heliodor_detector.steps.refpix.sirs import SirsKernels, subtract_drifts

N = 2048
AXES = [(1, 2), (-1, 2), (1, -2), (-1, -2), (2, 1), (-2, 1), (2, -1), (-2, -1)]


@pytest.fixture
def write(tmp_path):
    """Write a reference; coefficients are those of one kernel per amplifier and side."""

    def write(gamma, zeta, detector="nrca1"):
        path = tmp_path / "sirskernel.asdf"
        meta = {"reftype": "sirskernel", "instrument": {"name": "NIRCAM"}}
        asdf.AsdfFile({"meta": meta, detector: {"gamma": gamma, "zeta": zeta}}).write_to(path)
        return Reference("sirskernel", path, {}, (N, N))

    return write


def coefficients(kernels, n=64):
    """Transform kernels given as {offset: weight} into coefficients of a file."""
    out = []
    for kernel in kernels:
        sequence = np.zeros(2 * n)
        for offset, weight in kernel.items():
            sequence[offset] += weight
        out.append(np.fft.rfft(sequence))
    return np.array(out)


NARROW = 0.01
"""A Gaussian so narrow that it changes nothing."""


def test_kernels_are_the_transforms_of_coefficients(write):
    left = [{0: 1.0}, {3: 0.5}, {-2: 0.25, 0: 0.5}, {}]
    right = [{}, {}, {}, {-7: 1.0}]
    reference = write(coefficients(left), coefficients(right))
    kernels = SirsKernels.read(reference, "NRCA1", 7, NARROW).sides
    assert kernels.shape == (2, 4, 15)
    expected = np.zeros((2, 4, 15))
    expected[0, 0, 7] = 1
    expected[0, 1, 10] = 0.5
    expected[0, 2, [5, 7]] = 0.25, 0.5
    expected[1, 3, 0] = 1
    np.testing.assert_allclose(kernels, expected, atol=1e-15)


def test_kernels_are_smoothed(write):
    same = coefficients([{0: 1.0}] * 4)
    kernel = SirsKernels.read(write(same, same), "nrca1", 10, 2.0).sides[0, 0]
    offset = np.arange(-10, 11)
    window = np.exp(-(offset**2) / 8)
    np.testing.assert_allclose(kernel, window / window.sum(), atol=1e-15)


def test_a_detector_that_the_file_does_not_know(write):
    same = coefficients([{0: 1.0}] * 4)
    assert SirsKernels.read(write(same, same), "NRCA2", 3, 1.0) is None


def test_too_few_coefficients(write):
    same = coefficients([{0: 1.0}] * 4, n=8)
    with pytest.raises(ReferenceError, match=r"shape \(4, 9\), too few .* half width 9"):
        SirsKernels.read(write(same, same), "NRCA1", 9, 1.0)


def slow_drift(side, kernel, sigreject):
    """Weigh the good pixels of neighbouring rows, row by row."""
    median = np.median(side)
    good = np.abs(side - median) <= sigreject * 1.48 * np.median(np.abs(side - median))
    half = kernel.size // 2
    out = np.zeros(len(side))
    for row in range(len(side)):
        total = weight = everything = 0.0
        for other in range(max(row - half, 0), min(row + half, len(side) - 1) + 1):
            k = kernel[half + row - other]
            total += k * side[other][good[other]].sum() / 4
            weight += k * good[other].mean()
            everything += k
        out[row] = total * everything / weight
    return out


def test_drifts_equal_slow_version():
    rng = np.random.default_rng(4)
    left, right = rng.normal(3, 5, (2, 90, 4)).astype(np.float32)
    left[::7, 1] = 900
    left[30:33] = -500
    kernels = SirsKernels(rng.normal(1, 0.1, (2, 4, 13)))
    drifts = kernels.drifts(left, right, 4.0)
    for amplifier in range(4):
        expected = sum(
            slow_drift(side.astype(np.float64), kernels.sides[number, amplifier], 4.0)
            for number, side in enumerate((left, right))
        )
        np.testing.assert_allclose(drifts[:, amplifier], expected, rtol=1e-12)


def test_nan_among_the_reference_pixels_is_left_out():
    rng = np.random.default_rng(5)
    left, right = rng.normal(0, 5, (2, 60, 4))
    kernels = SirsKernels(np.ones((2, 4, 5)))
    left[10, 2] = 1e9
    expected = kernels.drifts(left, right, 4.0)
    left[10, 2] = np.nan
    # medians of an even number of pixels move a little when one is gone
    np.testing.assert_allclose(kernels.drifts(left, right, 4.0), expected, rtol=1e-12)


def test_rows_far_from_good_pixels_have_no_drift():
    left = np.random.default_rng(6).normal(5, 1, (60, 4))
    left[20:40] = 1e6
    drifts = SirsKernels(np.ones((2, 4, 5))).drifts(left, np.zeros((60, 4)), 4.0)
    assert not drifts[22:38].any()
    assert (drifts[:22] > 3).all()


def test_subtract_by_hand():
    image = np.zeros((2, N), np.float32)
    image[:, ::2] = 10
    drifts = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float64)
    of_column = np.full(N, 0.5)
    subtract_drifts(image, drifts, of_column, keep_zeros=True)
    np.testing.assert_array_equal(image[:, [0, 1, 512, 1026, 2046]], [
        [8.5, 0, 7.5, 6.5, 5.5],
        [4.5, 0, 3.5, 2.5, 1.5],
    ])  # fmt: skip
    subtract_drifts(image, drifts, of_column, keep_zeros=False)
    assert image[0, 1] == -1.5


def turned(plane, axes):
    fast, slow = axes
    plane = plane if abs(fast) == 1 else plane.T
    return plane[:: int(np.sign(slow)), :: int(np.sign(fast))]


def full_frame(axes, groups=2, seed=1):
    rng = np.random.default_rng(seed)
    data = rng.normal(0, 3, (1, groups, N, N)).astype(np.float32)
    flags = np.full((N, N), REFERENCE_PIXEL, np.uint32)
    flags[4:-4, 4:-4] = 0
    keywords = {
        "INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "SUBARRAY": "FULL", "SUBSTRT1": 1,
        "SUBSTRT2": 1, "FASTAXIS": axes[0], "SLOWAXIS": axes[1], "NOUTPUTS": 4,
    }  # fmt: skip
    return Ramp(data, np.zeros(data.shape, np.uint8), flags, Keywords(keywords))


def run(ramp, reference=None, **params):
    refs = {"sirskernel": reference} if reference else {}
    params = RefPixParams(refpix_algorithm="sirs", **params)
    return execute(SPEC, ramp, params, refs)


@pytest.mark.parametrize("axes", AXES)
def test_drifts_of_a_full_frame_are_followed_in_each_amplifier(write, axes):
    """Rows that drift by themselves: the left side tells amplifiers A and B, the right C and D."""
    ramp = full_frame(axes, groups=1)
    drift = 40 * np.sin(np.arange(N) / 9) + np.random.default_rng(2).normal(0, 5, N)
    ramp.data[:] = 0
    image = turned(ramp.data[0, 0], axes)
    image += drift.astype(np.float32)[:, np.newaxis]
    image[:, 1024:] *= -3
    image[[*range(4), *range(N - 4, N)]] = 0  # nothing for the means of amplifiers
    first, second, nothing = {0: 1.0}, {0: 1.0}, {}
    gamma = coefficients([first, first, nothing, nothing])
    zeta = coefficients([nothing, nothing, second, second])
    reference = write(gamma, zeta)
    assert run(ramp, reference, gaussmooth=NARROW, halfwidth=5, sigreject=20).status == "COMPLETE"
    assert np.abs(image[4:-4]).max() < 1e-3


def test_the_first_group_is_rounded_in_between_and_later_ones_once(write):
    one = coefficients([{0: 0.5}] * 4)
    reference = write(one, one)
    results = {}
    for precision in ("operational", "double"):
        ramp = full_frame((1, 2))
        run(ramp, reference, precision=precision)
        results[precision] = ramp.data
    np.testing.assert_array_equal(results["operational"][0, 1], results["double"][0, 1])
    different = results["operational"][0, 0] - results["double"][0, 0]
    assert different.any()
    assert np.abs(different).max() < 5e-6


def test_without_a_file_running_medians_are_taken(caplog):
    plain, asked = full_frame((1, 2), groups=1), full_frame((1, 2), groups=1)
    execute(SPEC, plain, RefPixParams(), {})
    run(asked)
    np.testing.assert_array_equal(plain.data, asked.data)
    assert "there is no sirskernel for NRCA1: running medians are taken" in caplog.text


def test_without_side_pixels_it_makes_no_difference(write):
    one = coefficients([{0: 0.5}] * 4)
    plain, asked = full_frame((1, 2), groups=1), full_frame((1, 2), groups=1)
    execute(SPEC, plain, RefPixParams(use_side_ref_pixels=False), {})
    run(asked, write(one, one), use_side_ref_pixels=False)
    np.testing.assert_array_equal(plain.data, asked.data)


def test_side_pixels_are_told_by_their_values_not_by_their_flags(write):
    """As in operations; an outlier that nobody flagged is left out, too."""
    one = coefficients([{0: 0.5}] * 4)
    flagged, plain = full_frame((1, 2), groups=1), full_frame((1, 2), groups=1)
    flagged.pixeldq[100:200, 1] |= DO_NOT_USE
    run(flagged, write(one, one))
    run(plain, write(one, one))
    np.testing.assert_array_equal(flagged.data, plain.data)


@pytest.mark.parametrize(
    ("keywords", "params", "asked"),
    [
        ({"INSTRUME": "NIRCAM", "SUBARRAY": "FULL"}, {"refpix_algorithm": "sirs"}, True),
        ({"INSTRUME": "NIRCAM", "SUBARRAY": "FULL"}, {}, False),
        ({"INSTRUME": "NIRCAM", "SUBARRAY": "SUB160"}, {"refpix_algorithm": "sirs"}, False),
        ({"INSTRUME": "FGS", "SUBARRAY": "FULL"}, {"refpix_algorithm": "sirs"}, False),
    ],
)
def test_the_file_is_asked_for_when_it_is_of_use(keywords, params, asked):
    (need,) = SPEC.refs
    assert need.asked(keywords, RefPixParams(**params)) is asked
    assert need.keyword == "R_SIRSKL"
