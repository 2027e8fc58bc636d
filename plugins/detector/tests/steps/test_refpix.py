import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.engine import execute
from heliodor.errors import ExposureError, NotYetError
from heliodor.testing import make_ramp
from heliodor_detector.steps.refpix import SPEC
from heliodor_detector.steps.refpix.kernel import clipped_means, running_medians, subtract
from heliodor_detector.steps.refpix.params import RefPixParams
from heliodor_detector.steps.refpix.step import single_mean
from pydantic import ValidationError

N = 2048
ORIENTATIONS = [(1, 2), (-1, 2), (1, -2), (-1, -2), (2, 1), (-2, 1), (2, -1), (-2, -1)]


def exposure(start, shape, *, axes=(1, 2), outputs=4, groups=(1, 2), bad=0.0, seed=0, level=0.0):
    """A subarray of noise on `level`, with its reference pixels flagged and some of them bad.

    `start` is (SUBSTRT1, SUBSTRT2), `shape` (ny, nx).
    """
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[0], : shape[1]]
    y, x = y + start[1] - 1, x + start[0] - 1
    reference = (x < 4) | (x >= N - 4) | (y < 4) | (y >= N - 4)
    data = rng.normal(level, 8, (*groups, *shape))
    data += rng.choice([0, 300], p=[0.99, 0.01], size=data.shape)
    pixeldq = np.where(reference, REFERENCE_PIXEL, 0).astype(np.uint32)
    pixeldq[rng.random(shape) < bad] |= DO_NOT_USE
    keywords = {
        "INSTRUME": "NIRCAM",
        "SUBARRAY": "SUBGRISM64",
        "SUBSTRT1": start[0],
        "SUBSTRT2": start[1],
        "FASTAXIS": axes[0],
        "SLOWAXIS": axes[1],
        "NOUTPUTS": outputs,
    }
    return make_ramp(data, pixeldq=pixeldq, **keywords)


def run(ramp, threads=1, strip=64, **params):
    return execute(SPEC, ramp, RefPixParams(**params), {}, threads=threads, strip=strip)


def turned(plane, axes):
    """Turn a whole detector from the file's orientation to that of the read-out, as a view."""
    fast, slow = axes
    plane = plane if abs(fast) == 1 else plane.T
    return plane[:: int(np.sign(slow)), :: int(np.sign(fast))]


def slow_mean(values, limit):
    while values.size:
        mean, spread = values.mean(), limit * values.std()
        kept = values[np.abs(values - mean) <= spread * (1 + 1e-12)]
        if kept.size == values.size:
            return mean
        values = kept
    return None


def slow_average(*values):
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


def slow_refpix(image, ramp, params):
    """Embed in a whole detector, turn it, correct it column by column and row by row."""
    keywords = ramp.keywords
    axes = keywords["FASTAXIS"], keywords["SLOWAXIS"]
    y, x = keywords["SUBSTRT2"] - 1, keywords["SUBSTRT1"] - 1
    here = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
    whole, good, flagged = np.full((N, N), np.nan), np.zeros((N, N), bool), np.zeros((N, N), bool)
    whole[here] = image
    good[here] = (ramp.pixeldq & DO_NOT_USE) == 0
    flagged[here] = (ramp.pixeldq & REFERENCE_PIXEL) != 0
    whole_turned, good, flagged = (turned(plane, axes) for plane in (whole, good, flagged))
    good = good & np.isfinite(whole_turned)
    step = 2 if params.odd_even_columns else 1

    def correct(columns, regions):
        means = []
        for parity in range(step):
            part = slice(columns.start + parity, columns.stop, step)
            found = [slow_mean(whole_turned[r, part][ok[r, part]], params.siglimit)
                     for r, ok in regions]  # fmt: skip
            means.append(slow_average(*found))
        if None not in means:
            for parity in range(step):
                whole_turned[:, columns.start + parity : columns.stop : step] -= means[parity]

    if keywords["NOUTPUTS"] != 4:
        correct(slice(0, N), [(slice(0, N), good & flagged)])
        return whole[here]
    for first in range(0, N, 512):
        correct(slice(first, first + 512), [(slice(N - 4, N), good), (slice(0, 4), good)])
    if params.use_side_ref_pixels:
        below = params.side_smoothing_length // 2
        signals = np.zeros(N)
        for row in np.flatnonzero(np.isfinite(whole_turned).any(axis=1)):
            window = np.abs(np.arange(row - below, row - below + params.side_smoothing_length))
            window = np.where(window < N, window, 2 * (N - 1) - window)
            medians = []
            for side in (slice(0, 4), slice(N - 4, N)):
                values = whole_turned[window, side][good[window, side]]
                medians.append(np.median(values) if values.size else None)
            signals[row] = params.side_gain * (slow_average(*medians) or 0.0)
        whole_turned -= signals[:, None]
    return whole[here]


@pytest.mark.parametrize("axes", ORIENTATIONS)
@pytest.mark.parametrize(
    ("start", "shape"),
    [
        ((1, 1), (20, 600)),
        ((1449, 2029), (20, 600)),
        ((1, 2009), (40, 30)),
        ((2030, 700), (40, 19)),
    ],
)
def test_four_outputs_equal_slow_version(axes, start, shape):
    shape, start = (shape, start) if abs(axes[0]) == 1 else (shape[::-1], start[::-1])
    ramp = exposure(start, shape, axes=axes, bad=0.1, level=100)
    params = RefPixParams(side_smoothing_length=7, side_gain=0.9, precision="double")
    expected = [[slow_refpix(image, ramp, params) for image in images] for images in ramp.data]
    before = ramp.data.copy()
    run(ramp, **params.model_dump())
    np.testing.assert_allclose(ramp.data, expected, rtol=1e-6, atol=1e-6)
    assert (ramp.data != before).any()


@pytest.mark.parametrize("axes", ORIENTATIONS)
@pytest.mark.parametrize("odd_even_columns", [True, False])
@pytest.mark.parametrize("start", [(1, 1), (1986, 1985), (2, 301)])
def test_one_output_equals_slow_version(axes, odd_even_columns, start):
    ramp = exposure(start, (61, 62), axes=axes, outputs=1, bad=0.1, level=50)
    params = RefPixParams(odd_even_columns=odd_even_columns, precision="double")
    expected = [[slow_refpix(image, ramp, params) for image in images] for images in ramp.data]
    run(ramp, **params.model_dump())
    np.testing.assert_allclose(ramp.data, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"odd_even_columns": False},
        {"use_side_ref_pixels": False},
        {"side_smoothing_length": 6},  # an even window has one more row before its own
        {"side_smoothing_length": 1},
        {"side_smoothing_length": 201},
        {"siglimit": 1.5, "side_gain": -2.0},
    ],
)
def test_parameters_equal_slow_version(params):
    ramp = exposure((1, 1), (12, 520), bad=0.3, groups=(1, 1))
    expected = slow_refpix(ramp.data[0, 0], ramp, RefPixParams(**params))
    run(ramp, **params, precision="double")
    np.testing.assert_allclose(ramp.data[0, 0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_drifts_of_a_full_frame_vanish(axes):
    """Offsets by amplifier, odd and even columns, and a drift over rows are removed wholly."""
    rng = np.random.default_rng(4)
    drift = np.zeros((N, N), np.float32)
    drift += np.arange(N) // 512
    drift[:, ::2] += 0.5
    row_drift = np.sort(rng.integers(0, 64, N))  # a median of a monotonic drift is its middle
    row_drift[:9], row_drift[-9:] = 0, 63
    drift += row_drift[:, None]
    in_file = turned(drift, axes) if abs(axes[0]) == 1 else turned(drift.T, axes[::-1]).copy()
    in_file = np.ascontiguousarray(in_file)
    np.testing.assert_array_equal(turned(in_file, axes), drift)
    ramp = exposure((1, 1), (N, N), axes=axes, groups=(1, 1))
    ramp.data[0, 0] = in_file
    run(ramp)
    np.testing.assert_array_equal(ramp.data[0, 0], 0)


def test_bad_and_nan_reference_pixels_do_not_matter():
    ramp = exposure((1, 1), (16, 600), bad=0.2, groups=(1, 1))
    other = exposure((1, 1), (16, 600), bad=0.2, groups=(1, 1))
    bad = (other.pixeldq & DO_NOT_USE) != 0
    other.data[0, 0, bad] = np.random.default_rng(1).choice([np.nan, np.inf, 1e9], bad.sum())
    nan = np.zeros_like(bad)
    nan[1, 5:500:7] = nan[8, 0:3] = True
    other.data[0, 0, nan] = np.nan
    ramp.pixeldq[nan] |= DO_NOT_USE  # the same pixels, declared bad
    run(ramp)
    run(other)
    science = ~bad & ~nan
    np.testing.assert_array_equal(ramp.data[0, 0, science], other.data[0, 0, science])


def test_an_amplifier_without_even_pixels_is_not_corrected():
    ramp = exposure((1, 1), (16, N), groups=(1, 1), level=40)
    ramp.pixeldq[:, 513:1024:2] |= DO_NOT_USE
    before = ramp.data.copy()
    run(ramp, use_side_ref_pixels=False)
    np.testing.assert_array_equal(ramp.data[..., 512:1024], before[..., 512:1024])
    assert (ramp.data[..., :512] != before[..., :512]).any()


def test_the_first_frame_is_corrected_like_a_group_and_keeps_its_zeros():
    ramp = exposure((1, 1), (32, 64), groups=(2, 1), level=30)
    ramp.zeroframe = ramp.data[:, 0].copy()
    ramp.zeroframe[:, 20:, 20:30] = 0
    run(ramp, precision="double")
    zero = np.zeros(ramp.zeroframe.shape, bool)
    zero[:, 20:, 20:30] = True
    np.testing.assert_array_equal(ramp.zeroframe[zero], 0)
    np.testing.assert_array_equal(ramp.zeroframe[~zero], ramp.data[:, 0][~zero])


def test_independent_of_strips_and_threads():
    one, other = (exposure((1, 1), (40, 600), bad=0.1, groups=(3, 4)) for _ in range(2))
    run(one)
    run(other, threads=3, strip=7)
    np.testing.assert_array_equal(one.data, other.data)


def slow_stripe(image, precision, siglimit=3.0):
    """Correct rows 1 to 12 of a detector (fast axis 1, slow axis 2), all in one precision.

    Smooths the sides over 11 rows, and rounds whenever an array of `precision` would.
    """
    work = image.astype(precision)
    for first in range(0, N, 512):
        for column in (first, first + 1):
            values = work[:4, column : first + 512 : 2].reshape(-1)
            before = 0
            while values.size != before:
                before = values.size
                mean, spread = values.mean(), siglimit * values.std()
                values = values[(values >= mean - spread) & (values <= mean + spread)]
            work[:, column : first + 512 : 2] -= values.mean()
    padded = np.concatenate([work[5:0:-1], work])
    sides = np.array([
        [np.median(padded[row : row + 11, side]) for row in range(12)]
        for side in (slice(0, 4), slice(N - 4, N))
    ])  # fmt: skip
    assert work.dtype == sides.dtype == precision
    signal = 0.5 * (sides[0].astype(np.float64) + sides[1])
    return (work - signal[:, None]).astype(np.float32)


@pytest.mark.parametrize("precision", ["operational", "double"])
def test_only_the_first_group_is_in_single_precision(precision):
    ramp = exposure((1, 1), (12, N), groups=(2, 2), level=300)
    before = ramp.data.copy()
    run(ramp, threads=2, precision=precision)
    for i, g in np.ndindex(2, 2):
        single = precision == "operational" and i == g == 0
        expected = slow_stripe(before[i, g], np.float32 if single else np.float64)
        np.testing.assert_array_equal(ramp.data[i, g][:5], expected[:5])
    single, double = (slow_stripe(before[0, 0], each)[:5] for each in (np.float32, np.float64))
    assert (single != double).any()  # else nothing would have been tested


@pytest.mark.parametrize("precision", ["operational", "double"])
def test_without_side_pixels_every_group_is_in_single_precision(precision):
    ramp = exposure((1, 301), (40, 64), outputs=1, groups=(2, 2), level=300)
    ramp.zeroframe = ramp.data[:, 0].copy()
    before = ramp.data.copy()
    run(ramp, precision=precision, odd_even_columns=False)
    kind = np.float32 if precision == "operational" else np.float64
    for i, g in np.ndindex(2, 2):
        values = before[i, g, :, :4].reshape(-1).astype(kind)
        kept = -1
        while kept != values.size:
            kept = values.size
            mean, spread = values.mean(), 3.0 * values.std()
            values = values[np.abs(values - mean) <= spread]
        np.testing.assert_array_equal(ramp.data[i, g], (before[i, g] - mean).astype(np.float32))
    np.testing.assert_array_equal(ramp.zeroframe, ramp.data[:, 0])


def test_nothing_but_data_is_changed():
    ramp = exposure((1, 1), (16, 64), bad=0.1)
    before = ramp.pixeldq.copy()
    assert run(ramp).status == "COMPLETE"
    np.testing.assert_array_equal(ramp.pixeldq, before)
    assert not ramp.groupdq.any()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"SUBSTRT1": 300, "SUBSTRT2": 300}, "no amplifier and no side"),
        ({"SUBSTRT1": 300, "SUBSTRT2": 300, "NOUTPUTS": 1}, "no amplifier and no side"),
        ({"SUBSTRT1": 2040}, "beyond the detector"),
    ],
)
def test_skipped(changes, reason):
    ramp = exposure((300, 300), (16, 64))
    before = ramp.data.copy()
    ramp.keywords.update(changes)
    outcome = run(ramp)
    assert outcome.status == "SKIPPED"
    assert reason in outcome.reason
    np.testing.assert_array_equal(ramp.data, before)


@pytest.mark.parametrize(
    ("changes", "shape", "params", "message"),
    [
        ({"INSTRUME": "NIRSPEC"}, (3200, 2), {}, "IRS2 comes with"),
        ({"MSTR_RD1": 4}, (16, 64), {}, "stripes"),
        ({"SUBARRAY": "FULL"}, (16, 64), {"refpix_algorithm": "sirs"}, "sirs"),
    ],
)
def test_what_is_missing_is_said(changes, shape, params, message):
    ramp = exposure((1, 1), shape, groups=(1, 1))
    ramp.keywords.update(changes)
    with pytest.raises(NotYetError, match=message):
        run(ramp, **params)


def test_it_is_for_near_infrared_detectors():
    assert SPEC.applies.accepts({"INSTRUME": "NIRISS"})
    assert not SPEC.applies.accepts({"INSTRUME": "MIRI"})


def test_an_unknown_order_of_read_out_is_an_error():
    ramp = exposure((1, 1), (16, 64), axes=(1, -1))
    with pytest.raises(ExposureError, match="FASTAXIS, SLOWAXIS = 1, -1"):
        run(ramp)


@pytest.mark.parametrize(
    "wrong", [{"side_smoothing_length": 0}, {"siglimit": 0}, {"refpix_algorithm": "mean"}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        RefPixParams(**wrong)


def test_clipped_means_by_hand():
    """The 100 is 3.3 sigma off and goes; then everything is within 3 sigma of the mean of 2.

    The third set is empty, the fourth a single value.
    """
    image = np.array([1, 2, 3] * 4 + [100] + [5, np.nan, np.inf, 7] + [9], np.float32)
    bounds = np.array([0, 13, 17, 17, 18])
    means = np.zeros(4)
    clipped_means(image, np.arange(18), bounds, 3.0, means)
    np.testing.assert_array_equal(means, [2, 6, np.nan, 9])


def test_single_means_by_hand():
    image = np.array([1, 2, 3] * 4 + [100, np.nan], np.float32)
    assert single_mean(image, 3.0) == 2
    assert np.isnan(single_mean(np.full(2, np.inf, np.float32), 3.0))
    assert np.isnan(single_mean(np.array([0, 1], np.float32), 0.5))  # all are clipped


def test_the_mean_of_equal_values_is_that_value():
    values = np.full(1021, 0.1, np.float32)
    assert values.mean() != values[0]  # the sum is rounded
    assert single_mean(values, 3.0) == values[0]


def test_running_medians_by_hand():
    """Windows of three rows; the detector's six rows end right after the image's four."""
    image = np.array([1, 9, 4, 2, 5, 5, 8, 30], np.float32)
    pixels = np.array([[0, 1], [2, 3], [-1, -1], [6, 7]])
    medians = np.zeros(4)
    running_medians(image, pixels, np.array([0.0, 1.0]), 3, 2, 6, medians)
    # rows are (1, 8), (4, 1), nothing, (8, 29); after the last row comes the one before it
    np.testing.assert_array_equal(medians, [2.5, 2.5, 6, 18.5])


def test_running_medians_reflect_at_the_first_row():
    image = np.array([10, 20, 30], np.float32)
    medians = np.zeros(3)
    running_medians(image, np.arange(3)[:, None], np.zeros(1), 3, 0, 2048, medians)
    np.testing.assert_array_equal(medians, [20, 20, 25])


def test_running_medians_without_good_pixels_are_nan():
    medians = np.zeros(2)
    running_medians(np.ones(2, np.float32), np.full((2, 1), -1), np.zeros(1), 1, 0, 2, medians)
    assert np.isnan(medians).all()


def test_subtract_by_hand():
    image = np.array([[1, 0], [3, 4]], np.float32)
    subtract(image, np.array([1.0, 2.0]), np.array([0.5, 0.25]), False, True)
    np.testing.assert_array_equal(image, [[-0.5, 0], [0.5, 1.75]])
