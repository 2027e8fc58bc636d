import numpy as np
import pytest
from heliodor.bits import NO_LIN_CORR, SATURATED
from heliodor.engine import execute
from heliodor.stripes import Stripes
from heliodor_detector.steps.linearity import SPEC
from heliodor_detector.steps.linearity.params import LinearityParams
from heliodor_detector.steps.linearity.step import make_neutral


def run(ramp, make_reference, coeffs, how=None, **planes):
    reference = make_reference("linearity", ramp, COEFFS=np.asarray(coeffs, np.float32), **planes)
    return execute(SPEC, ramp, LinearityParams(), {"linearity": reference}, **(how or {}))


def horner(coeffs, values):
    """The polynomial with one rounding to the precision of `values` after each operation."""
    out = coeffs[-1] * values
    for term in coeffs[-2:0:-1]:
        out = (out + term) * values
    return out + coeffs[0]


def random_coeffs(rng, ny, nx):
    scale = np.array([1, 1, 1e-6, 1e-11, 1e-16])[:, None, None]
    coeffs = rng.normal(0, 0.3, (5, ny, nx)) * scale
    coeffs[1] += 1
    return coeffs.astype(np.float32)


def test_polynomial_of_ascending_powers(make_ramp, make_reference):
    ramp = make_ramp(np.array([10, 100], np.float32).reshape(1, 2, 1, 1))
    run(ramp, make_reference, np.array([3, 2, 0.5, 0.25]).reshape(4, 1, 1))
    np.testing.assert_array_equal(ramp.data.ravel(), [323, 255203])


def test_bitwise_equal_to_a_plain_version(make_ramp, make_reference):
    rng = np.random.default_rng(4)
    data = rng.uniform(-100, 60000, (2, 3, 9, 11)).astype(np.float32)
    data[0, 0, 0, 0] = np.nan
    groupdq = (rng.integers(0, 4, data.shape)).astype(np.uint8)
    coeffs = random_coeffs(rng, 9, 11)
    ramp = make_ramp(data, groupdq, zeroframe=data[:, 0].copy())
    run(ramp, make_reference, coeffs)
    corrected = horner(coeffs, data)
    assert corrected.dtype == np.float32
    saturated = groupdq & SATURATED != 0
    np.testing.assert_array_equal(ramp.data, np.where(saturated, data, corrected))
    np.testing.assert_array_equal(ramp.zeroframe, corrected[:, 0])


@pytest.mark.parametrize("ncoeffs", [2, 3, 4, 5, 6, 7])
def test_any_number_of_coefficients(make_ramp, make_reference, ncoeffs):
    rng = np.random.default_rng(5)
    data = rng.uniform(-100, 60000, (1, 2, 3, 37)).astype(np.float32)
    scale = 10.0 ** -np.arange(0, 5 * ncoeffs, 5)
    coeffs = (rng.normal(1, 0.3, (ncoeffs, 3, 37)) * scale[:, None, None]).astype(np.float32)
    ramp = make_ramp(data.copy())
    run(ramp, make_reference, coeffs)
    np.testing.assert_array_equal(ramp.data, horner(coeffs, data))


def test_first_frames_keep_their_zeros(make_ramp, make_reference):
    zeroframe = np.array([[[0, 10]]], np.float32)
    ramp = make_ramp(np.ones((1, 1, 1, 2)), zeroframe=zeroframe)
    run(ramp, make_reference, np.full((2, 1, 2), 2))
    np.testing.assert_array_equal(ramp.zeroframe, [[[0, 22]]])


def test_useless_polynomials_change_nothing_and_are_flagged(make_ramp, make_reference):
    coeffs = np.tile(np.array([5, 2, 1], np.float32)[:, None, None], (1, 1, 4))
    coeffs[2, 0, 0] = np.nan
    coeffs[1, 0, 1] = 0
    flags = np.array([[0, 0, NO_LIN_CORR, 1 << 16]], np.uint32)
    ramp = make_ramp(np.full((1, 1, 1, 4), 3), zeroframe=np.full((1, 1, 4), 3, np.float32))
    run(ramp, make_reference, coeffs, DQ=flags)
    np.testing.assert_array_equal(ramp.data.ravel(), [3, 3, 3, 20])
    np.testing.assert_array_equal(ramp.zeroframe.ravel(), [3, 3, 3, 20])
    np.testing.assert_array_equal(ramp.pixeldq, [[NO_LIN_CORR] * 3 + [1 << 16]])


def test_make_neutral():
    coeffs = np.ones((3, 1, 2), np.float32)
    useless = make_neutral(coeffs, np.array([[True, False]]))
    np.testing.assert_array_equal(useless, [[True, False]])
    np.testing.assert_array_equal(coeffs[:, 0, 0], [0, 1, 0])
    np.testing.assert_array_equal(coeffs[:, 0, 1], [1, 1, 1])


def slow_frames(data, groupdq, coeffs, inverse, nframes):
    """Frames of each group reconstructed, pixel by pixel and integration by integration."""
    out = data.copy()
    reads = np.arange(data.shape[1] * nframes).reshape(-1, nframes) + 1
    middle = reads.mean(axis=1)
    for integration, _, y, x in np.ndindex(data.shape[0], 1, *data.shape[2:]):
        ramp = data[integration, :, y, x]
        saturated = groupdq[integration, :, y, x] & SATURATED != 0
        c = coeffs[:, y, x]
        linear = np.where(saturated, ramp, horner(c, ramp))
        last = max((~saturated).sum() - 1, 2) - 1
        rate = np.float64(linear[last] - linear[0]) / (middle[last] - middle[0])
        for group in np.flatnonzero(~saturated):
            frames = horner(inverse[:, y, x], linear[0] + rate * (reads[group] - middle[0]))
            frames += ramp[group] - frames.mean()
            out[integration, group, y, x] = horner(c, frames).mean()
    return out


def frame_averages(nframes, ngroups):
    """A linear ramp seen by a nonlinear detector that averages frames; truth and measurement."""
    coeffs = np.array([0, 1, 4e-6, 0], np.float32).reshape(4, 1, 1)
    a = float(coeffs[2, 0, 0])
    inverse = np.array([0, 1, -a, 2 * a**2, -5 * a**3, 14 * a**4]).astype(np.float32)
    true = 1500.0 * np.arange(1, ngroups * nframes + 1)
    measured = (np.sqrt(1 + 4 * a * true) - 1) / (2 * a)
    shape = (1, ngroups, 1, 1)
    return (
        true.reshape(ngroups, nframes).mean(axis=1).reshape(shape),
        measured.reshape(ngroups, nframes).mean(axis=1).reshape(shape),
        coeffs,
        inverse.reshape(6, 1, 1),
    )


def test_frames_corrected_one_by_one_give_the_true_average(make_ramp, make_reference):
    truth, measured, coeffs, inverse = frame_averages(nframes=8, ngroups=4)
    errors = []
    for planes in ({}, {"INV_COEFFS": inverse}):
        ramp = make_ramp(measured, NFRAMES=8)
        run(ramp, make_reference, coeffs, **planes)
        errors.append(np.abs(ramp.data - truth).max())
    assert errors[0] > 30  # the polynomial of the average
    assert errors[1] < 0.1 * errors[0]  # what is left: the rate comes from averages


def test_frames_equal_to_a_plain_version(make_ramp, make_reference):
    rng = np.random.default_rng(5)
    data = np.cumsum(rng.uniform(0, 9000, (2, 5, 6, 7)), axis=1).astype(np.float32)
    first = rng.integers(0, 8, (2, 1, 6, 7))  # saturated from here on
    groupdq = np.where(np.arange(5)[:, None, None] >= first, SATURATED, 0).astype(np.uint8)
    coeffs, inverse = random_coeffs(rng, 6, 7), random_coeffs(rng, 6, 7)
    ramp = make_ramp(data, groupdq, NFRAMES=4)
    run(ramp, make_reference, coeffs, INV_COEFFS=inverse)
    expected = slow_frames(data, groupdq, coeffs, inverse, 4)
    np.testing.assert_allclose(ramp.data, expected, rtol=1e-7)
    assert not ramp.pixeldq.any()


def test_useless_inverse_is_flagged(make_ramp, make_reference):
    _, measured, coeffs, inverse = frame_averages(nframes=2, ngroups=3)
    inverse[1] = 0
    ramp = make_ramp(measured, NFRAMES=2)
    run(ramp, make_reference, coeffs, INV_COEFFS=inverse)
    np.testing.assert_array_equal(ramp.pixeldq, [[NO_LIN_CORR]])


@pytest.mark.parametrize(("nframes", "ngroups"), [(1, 4), (8, 1)])
def test_inverse_is_not_used_for_single_frames_or_groups(
    make_ramp, make_reference, nframes, ngroups
):
    _, measured, coeffs, inverse = frame_averages(8, ngroups)
    ramp = make_ramp(measured, NFRAMES=nframes)
    run(ramp, make_reference, coeffs, INV_COEFFS=inverse)
    np.testing.assert_array_equal(ramp.data, horner(coeffs, measured.astype(np.float32)))


def test_inverse_is_not_used_for_repeated_stripes(make_ramp, make_reference):
    _, measured, coeffs, inverse = frame_averages(8, 4)
    ramp = make_ramp(measured, NFRAMES=8)
    ramp.read_times = np.arange(32.0).reshape(4, 8)
    run(ramp, make_reference, coeffs, INV_COEFFS=inverse)
    np.testing.assert_array_equal(ramp.data, horner(coeffs, measured.astype(np.float32)))


@pytest.mark.parametrize("by_frame", [True, False])
def test_averages_of_stripes_may_be_corrected_as_in_operations(make_ramp, make_reference, by_frame):
    _, measured, coeffs, inverse = frame_averages(8, 4)
    ramp, plain = make_ramp(measured, NFRAMES=8), make_ramp(measured, NFRAMES=8)
    run(plain, make_reference, coeffs, INV_COEFFS=inverse)
    ny = measured.shape[-2]
    ramp.stripes = Stripes(-2, np.arange(ny)[np.newaxis], np.zeros(ny, int), False, (0, ny))
    reference = make_reference("linearity", ramp, COEFFS=coeffs, INV_COEFFS=inverse)
    params = LinearityParams(frames_of_stripes=by_frame)
    execute(SPEC, ramp, params, {"linearity": reference})
    averaged = horner(coeffs, measured.astype(np.float32))
    np.testing.assert_array_equal(ramp.data, plain.data if by_frame else averaged)
    assert (plain.data != averaged).any()


@pytest.mark.parametrize("nframes", [1, 4])
def test_strips_and_threads_make_no_difference(make_ramp, make_reference, nframes):
    rng = np.random.default_rng(6)
    data = np.cumsum(rng.uniform(0, 9000, (2, 4, 20, 5)), axis=1).astype(np.float32)
    planes = {"coeffs": random_coeffs(rng, 20, 5), "INV_COEFFS": random_coeffs(rng, 20, 5)}
    planes["coeffs"][2, 7, 3] = np.nan
    results = []
    for how in ({}, {"strip": 3, "threads": 3}):
        ramp = make_ramp(data, NFRAMES=nframes)
        run(ramp, make_reference, how=how, **planes)
        results.append(ramp)
    np.testing.assert_array_equal(results[0].data, results[1].data)
    np.testing.assert_array_equal(results[0].pixeldq, results[1].pixeldq)
