"""Interleaved reference pixels, their bad ones among them (R-19)."""

import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, PIXEL
from heliodor.engine import execute
from heliodor.errors import ExposureError, NotYetError
from heliodor.step import Piece
from heliodor_nirspec import irs2
from heliodor_nirspec.steps.refpix_irs2 import SPEC, bad, spectra
from heliodor_nirspec.steps.refpix_irs2.kernel import interpolate
from heliodor_nirspec.steps.refpix_irs2.params import Irs2RefPixParams
from heliodor_nirspec.steps.refpix_irs2.step import Irs2RefPix

FLAG = np.uint32(PIXEL["BAD_REF_PIXEL"] | DO_NOT_USE)
HIGH = 1e9  # nothing stands out


def run(ramp, refs, threads=1, strip=64, **params):
    return execute(SPEC, ramp, Irs2RefPixParams(**params), refs, threads=threads, strip=strip)


def prepared(ramp, refs, **params):
    step = Irs2RefPix(Irs2RefPixParams(**params))
    step.prepare(ramp, refs)
    return step


def turned(cube, detector):
    """Turn images of a file to the read-out, (..., lines, columns)."""
    cube = cube.swapaxes(-1, -2)
    return cube if detector == "NRS1" else cube[..., ::-1, ::-1]


def slow_time():
    """Count time along a line: a pixel takes one slot, every jump out or in one more."""
    slots, now = [], 0
    pattern = [False] * 8 + ([True] * 4 + [False] * 16) * 31 + [True] * 4 + [False] * 8
    for place, reference in enumerate(pattern):
        now += place > 0 and reference != pattern[place - 1]
        slots.append(now)
        now += 1
    assert now + 8 == 712
    return np.array(slots), np.array(pattern)


def slow_correct(data, table):
    """Correct the frames of one integration, (ngroups, lines, 3200), in double precision."""
    data = data.astype(np.float64)
    ngroups, nlines, _ = data.shape
    slot, reference = slow_time()
    average = data.mean(axis=0)
    time = np.arange(712 * nlines) - (712 * nlines - 1) / 2
    n = time.size
    edge, border = 110000 // 22, [*range(4), *range(nlines - 4, nlines)]
    flat = 32 * nlines // 2 - edge // 2
    half = np.ones(n // 2 + 1)
    fall = (np.cos(np.arange(edge) * np.pi / edge) + 1) / 2
    half[flat : n // 2 - flat] = 0
    half[flat : flat + edge] = fall
    half[n // 2 - flat - edge : n // 2 - flat] = fall[::-1]
    low = np.concatenate([half, half[-2:0:-1]])
    near = np.sin(np.arange(1, 32) / 32 * np.pi)
    out = np.empty((ngroups, nlines, 2048))
    full = np.empty((ngroups, nlines, 3200))
    for group in range(ngroups):
        series = []
        for sector in range(5):
            pixels = (data[group] - average)[:, 640 * sector : 640 * (sector + 1)]
            line = np.zeros((nlines, 712))
            line[:, slot] = pixels if sector % 2 else pixels[:, ::-1]
            edges = line[border]
            when = time.reshape(nlines, 712)[border][edges != 0]
            slope, intercept = np.polyfit(when, edges[edges != 0], 1)
            line[line != 0] -= (intercept + slope * time.reshape(nlines, 712))[line != 0]
            series.append(line)
        output = series[0].reshape(-1)
        gap = output == 0
        around = [np.roll(output, step - 15) * near[step] for step in range(31)]
        weight = [np.roll(~gap, step - 15) * near[step] for step in range(31)]
        filled = np.where(gap, np.sum(around, axis=0) / np.sum(weight, axis=0), output)
        science = np.zeros((nlines, 712), bool)
        science[:, slot[~reference]] = True
        science = science.reshape(-1)
        known = filled.copy()
        for _ in range(3):
            filled = np.where(science, known, np.fft.ifft(np.fft.fft(filled) * low).real)
        full[group, :, :640] = filled.reshape(nlines, 712)[:, slot][:, ::-1]
        for sector in range(1, 5):
            spread = np.zeros((nlines, 712))
            for block in range(32):
                for to, source in zip(range(7, 15), (9, 11, 9, 11, 10, 12, 10, 12), strict=True):
                    spread[:, 22 * block + to] = series[sector][:, 22 * block + source]
            alpha, beta = (
                table[f"{kind}_{sector - 1}"][::2] + 1j * table[f"{kind}_{sector - 1}"][1::2]
                for kind in ("ALPHA", "BETA")
            )
            drift = np.fft.ifft(
                beta * np.fft.fft(spread.reshape(-1)) + alpha * np.fft.fft(filled)
            ).real
            line = (series[sector] - drift.reshape(nlines, 712))[:, slot]
            full[group, :, 640 * sector : 640 * (sector + 1)] = (
                line if sector % 2 else line[:, ::-1]
            )
    interleaved = np.tile(reference, 5)
    add = ~interleaved | (np.arange(3200) < 640)
    full[:, :, add] += average[:, add]
    out[:] = full[:, :, ~interleaved & (np.arange(3200) >= 640)]
    return out, full


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
@pytest.mark.parametrize("preserve", [False, True])
def test_equals_slow_version_in_double_precision(make_irs2, make_weights, detector, preserve):
    ramp = make_irs2(detector, groups=(1, 2))
    refs = make_weights(ramp, bad=[(1, 1, 0)])
    expected = slow_correct(turned(ramp.data[0], detector), refs["refpix"].table("IRS2"))[preserve]
    run(ramp, refs, ovr_corr_mitigation_ftr=HIGH, preserve_irs2_refpix=preserve)
    assert ramp.shape == (1, 2, 3200 if preserve else 2048, 512)
    # transforms in single precision: 2e-7 of the largest sample, here 300 DN
    np.testing.assert_allclose(turned(ramp.data[0], detector), expected, atol=3e-4)


def test_what_science_shares_with_the_reference_output_vanishes(make_irs2, make_reference):
    """With weights of one for the reference output it is subtracted, wherever it is slow."""
    ramp = make_irs2(groups=(1, 2))
    x = np.arange(512)
    drift = np.sin(2 * np.pi * x / 512) * 50
    ramp.data[0, 0] = 7000 + drift
    ramp.data[0, 1] = 8000 - drift
    table = np.zeros(
        2 * 712 * 512, [(f"{k}_{i}", "f4") for k in ("ALPHA", "BETA") for i in range(4)]
    )
    for sector in range(4):
        table[f"ALPHA_{sector}"][::2] = 1
    run(ramp, {"refpix": make_reference("refpix", ramp, IRS2=table)}, ovr_corr_mitigation_ftr=HIGH)
    np.testing.assert_allclose(ramp.data, 7500, atol=0.2)


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_science_rows_remain_in_order(make_irs2, make_weights, detector):
    ramp = make_irs2(detector)
    ramp.pixeldq += 2 * np.arange(3200, dtype=np.uint32)[:, None]
    groupdq, buffer = ramp.groupdq.copy(), ramp.data
    science = np.tile([True] * 8 + [False] * 4 + [True] * 8, 160)
    science[:640] = False
    rows = np.flatnonzero(science if detector == "NRS1" else science[::-1])
    pixeldq = ramp.pixeldq.copy()
    assert run(ramp, make_weights(ramp), ovr_corr_mitigation_ftr=HIGH).status == "COMPLETE"
    assert rows.size == 2048
    np.testing.assert_array_equal(ramp.groupdq, groupdq[:, :, rows])
    np.testing.assert_array_equal(ramp.pixeldq, pixeldq[rows])
    assert ramp.data.flags.c_contiguous
    assert np.shares_memory(ramp.data, buffer)


@pytest.mark.parametrize("irs2_mean_subtraction", [False, True])
def test_first_frame_is_corrected_like_a_group(make_irs2, make_weights, irs2_mean_subtraction):
    ramp, clean = make_irs2(seed=5), make_irs2(seed=5)
    ramp.zeroframe = ramp.data[:, 1].copy()
    ramp.zeroframe[:, 700, 3] = 0
    refs, params = make_weights(ramp), {"irs2_mean_subtraction": irs2_mean_subtraction}
    run(clean, refs, **params)
    run(ramp, refs, threads=2, **params)
    np.testing.assert_array_equal(ramp.data, clean.data)
    gone = ramp.zeroframe == 0
    assert gone[:, np.flatnonzero(irs2.SCIENCE).searchsorted(700), 3].all()
    assert gone.sum() < 6  # a value may vanish by chance
    # one sample less for the straight line of its amplifier
    difference = np.where(gone, 0, ramp.zeroframe - clean.data[:, 1])
    assert np.abs(difference).max() < 0.02
    assert not difference[:, 512:].any()
    assert ramp.zeroframe.flags.c_contiguous


def test_independent_of_threads_and_strips(make_irs2, make_weights):
    one, other = make_irs2(), make_irs2()
    for ramp, division in ((one, {}), (other, {"threads": 3, "strip": 37})):
        ramp.data[0, :, 648] += 300
        run(ramp, make_weights(ramp), irs2_mean_subtraction=True, **division)
    np.testing.assert_array_equal(one.data, other.data)
    np.testing.assert_array_equal(one.pixeldq, other.pixeldq)


def rows_of(mask):
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ramp: np.add(ramp[:, 1288:1290], 200, out=ramp[:, 1288:1290]),
        lambda ramp: np.multiply(ramp[:, 1288:1290], 1.3, out=ramp[:, 1288:1290]),
        lambda ramp: np.add(ramp[:, 1288, ::2], 90, out=ramp[:, 1288, ::2]),
    ],
    ids=["mean", "scatter", "difference"],
)
def test_r19_a_pair_that_stands_out_in_one_integration_is_bad(make_irs2, spoil):
    data = make_irs2(seed=5).data
    none = np.zeros(3200, bool)
    assert not bad.clipped(data, 8.0, none).any()
    spoil(data[1])
    assert rows_of(bad.clipped(data, 8.0, none, threads=2)) == [1288, 1289]
    assert not bad.clipped(data[:1], 8.0, none).any()


def test_r19_what_is_known_takes_no_part_and_stays_bad(make_irs2):
    data = make_irs2().data
    known = np.zeros(3200, bool)
    known[[8, 9]] = True
    data[:, :, 8:10] += 1e6
    data[:, :, 28:30] += 200
    assert rows_of(bad.clipped(data, 8.0, known)) == [8, 9, 28, 29]
    assert rows_of(bad.clipped(data, 8.0, np.zeros(3200, bool))) == [8, 9, 28, 29]


@pytest.mark.parametrize(
    ("row", "others", "donors"),
    [
        (648 + 40, (), (648 + 20, 648 + 60)),
        (648, (), (668,)),  # at the end of its sector
        (1268, (), (1248,)),
        (688, (668,), (708,)),
        (688, (668, 708), (690,)),
        (690, (670, 710), (688,)),
        (688, (668, 708, 690), ()),
    ],
)
def test_r19_choice_of_donors_by_hand(row, others, donors):
    mask = np.zeros(3200, bool)
    mask[[row, *others]] = True
    assert bad.patch(row, mask) == bad.Patch(row, donors)


def test_r19_bad_rows_are_averaged_or_zero():
    image = np.arange(3200, dtype=np.float32)[:, None].repeat(2, 1)
    for one in (bad.Patch(8, (28, 49)), bad.Patch(9, (29,)), bad.Patch(10, ())):
        one.apply(image)
    np.testing.assert_array_equal(image[8:12, 0], [38.5, 29, 0, 11])


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_r19_bad_pixels_are_flagged_and_replaced(make_irs2, make_weights, detector):
    """A pair that is replaced by equal values changes nothing; flags are of whole rows."""
    ramp, clean = make_irs2(detector, seed=5), make_irs2(detector, seed=5)
    for each in (ramp, clean):
        each.data[:, :, 2008:2010] = 0.5 * (each.data[:, :, 1988:1990] + each.data[:, :, 2028:2030])
    ramp.data[1, :, 2008:2010] += 400
    weights = make_weights(ramp)
    keep = {"ovr_corr_mitigation_ftr": 8.0, "preserve_irs2_refpix": True}
    run(ramp, weights, **keep)
    run(clean, weights, **keep)
    flagged = (ramp.pixeldq & FLAG) == FLAG
    assert rows_of(flagged.all(axis=1)) == rows_of(flagged.any(axis=1)) == [2008, 2009]
    np.testing.assert_array_equal(ramp.data, clean.data)


def test_r19_flags_of_science_rows_are_not_of_reference_pixels(make_irs2, make_weights):
    ramp = make_irs2()
    ramp.pixeldq[700, 0] |= np.uint32(PIXEL["BAD_REF_PIXEL"])
    before = ramp.pixeldq.copy()
    run(ramp, make_weights(ramp), ovr_corr_mitigation_ftr=HIGH, preserve_irs2_refpix=True)
    np.testing.assert_array_equal(ramp.pixeldq, before)


def test_r19_listed_columns_by_hand():
    lines = np.array(
        [(1, 1, 0b1), (1, 2, 0b10), (2, 1, 0b1), (2, 2, 1 << 31), (4, 2, 0)],
        [("output", "i2"), ("odd_even", "i2"), ("mask", "u4")],
    )
    assert list(bad.listed(lines)) == [
        [648, 649],
        [670, 671],
        [1290, 1291],
        [1288 + 620, 1289 + 620],
        [],
    ]


def test_r19_columns_listed_by_the_reference_are_replaced(make_irs2, make_weights):
    ramp, clean = make_irs2("NRS2"), make_irs2("NRS2")
    listed = make_weights(ramp, bad=[(3, 1, 0b110)])
    columns = next(bad.listed(listed["refpix"].columns("DQ", bad.LISTED)))
    ramp.data[:, :, 3199 - np.array(columns)] += 1e5
    run(ramp, listed, ovr_corr_mitigation_ftr=HIGH)
    run(clean, listed, ovr_corr_mitigation_ftr=HIGH)
    np.testing.assert_array_equal(ramp.data, clean.data)


def test_r19_form_of_build_9_3_by_hand():
    image = np.full((3200, 64), 100, np.float32)
    image[irs2.INTERLEAVED] += np.tile([0, 0, 2, 2], 160)[:, None]
    image[:, ::2] += 1
    expected = set()
    image[[648, 649]] = 250  # mean, and no scatter
    expected |= {648, 649}
    image[1310, ::2] += 60  # scatter, and difference to the other read
    expected |= {1310, 1311}
    image[1928:1930] = 0  # masked: no part
    assert set(rows_of(bad.by_factor(image, 1.8))) == expected


def test_r19_form_of_build_9_3_copies_the_nearest(make_irs2, make_weights):
    mask = np.zeros(3200, bool)
    mask[[648, 650, 668]] = True
    assert bad.nearest_patch(648, mask) == bad.Patch(648, (670,))
    mask[640:1280:2] = True
    assert bad.nearest_patch(648, mask) is None

    ramp = make_irs2()
    ramp.data[:, :, irs2.INTERLEAVED] = 100 + np.arange(512) % 7
    ramp.data[:, :, 2008:2010] *= 3
    step = prepared(ramp, make_weights(ramp), irs2_bad_pixels="factor", ovr_corr_mitigation_ftr=1.8)
    assert step.patches == [bad.Patch(2008, (2010,)), bad.Patch(2009, (2011,))]
    assert not (ramp.pixeldq & FLAG).any()
    step.repair(ramp, Piece(0, 1, 0, 3200))
    np.testing.assert_array_equal(ramp.data[0, 1, 2008:2010], ramp.data[0, 1, 2010:2012])


def test_r19_form_of_build_9_3_sets_listed_columns_to_zero(make_irs2, make_weights):
    ramp = make_irs2("NRS2")
    refs = make_weights(ramp, bad=[(1, 1, 1)])
    step = prepared(ramp, refs, irs2_bad_pixels="factor", ovr_corr_mitigation_ftr=HIGH)
    assert step.patches == [bad.Patch(3199 - 648, ()), bad.Patch(3199 - 649, ())]


@pytest.mark.parametrize("odd_even_columns", [True, False])
@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_mean_subtraction_in_sectors_and_parities(
    make_irs2, make_weights, detector, odd_even_columns
):
    ramp = make_irs2(detector, groups=(1, 1))
    ramp.pixeldq[::7, :2] |= DO_NOT_USE
    ramp.data[..., ::7, :2] = 1e6
    image = turned(ramp.data[0, 0].astype(np.float64), detector)
    good = turned(ramp.pixeldq & DO_NOT_USE, detector) == 0
    column = np.arange(3200)
    odd = np.where(irs2.INTERLEAVED, column % 4 < 2, column % 2 == 0)
    for sector in range(5):
        for parity in (odd, ~odd) if odd_even_columns else (np.ones(3200, bool),):
            part = parity & (column // 640 == sector)
            means = []
            for lines in (slice(0, 4), slice(-4, None)):
                values = image[lines, part][good[lines, part]]
                before = 0
                while before != values.size:
                    before = values.size
                    values = values[np.abs(values - values.mean()) <= 3 * values.std()]
                means.append(values.mean())
            image[:, part] -= np.mean(means)
    step = prepared(
        ramp,
        make_weights(ramp),
        irs2_mean_subtraction=True,
        odd_even_columns=odd_even_columns,
        ovr_corr_mitigation_ftr=HIGH,
    )
    step.repair(ramp, Piece(0, 0, 0, 3200))
    np.testing.assert_allclose(turned(ramp.data[0, 0], detector), image, rtol=1e-6, atol=1e-3)


def test_time_of_read_out():
    slots, reference = slow_time()
    np.testing.assert_array_equal(irs2.SLOT, slots)
    np.testing.assert_array_equal(irs2.INTERLEAVED, np.tile(reference, 5))
    assert spectra.GAPS.size == 200


def test_low_pass_of_a_detector():
    half = spectra.low_pass(2048)
    flat = 32 * 1024 - 2500
    assert half.size == 729089
    assert (half[: flat + 1] == 1).all()
    assert 0 < half[flat + 4999] < 1e-6
    assert not half[flat + 5000 : -flat - 5001].any()
    np.testing.assert_array_equal(half[:-1], half[-2::-1])


def test_interpolation_by_hand():
    time = np.array([1, 0, 0, 4, 0, 0, 0, 0], np.float32)
    for slots in (1, 2, 4, 8):
        series = np.ascontiguousarray(time.reshape(-1, slots).T)
        filled = np.empty_like(series)
        interpolate(series, np.array([1.0, 2.0, 1.0]), np.empty((2, 8 // slots)), filled)
        np.testing.assert_array_equal(filled.T.reshape(-1), [1, 1, 4, 4, 4, 0, 0, 1])


def test_interpolation_of_slots_that_are_gaps_in_every_line():
    rng = np.random.default_rng(1)
    time = rng.normal(0, 5, (6, 20)).astype(np.float32)
    time[:, 4:9] = time[:, 18:] = time[2, 12] = 0
    weights = rng.uniform(1, 2, 7)
    series = np.ascontiguousarray(time.T)
    filled = np.empty_like(series)
    interpolate(series, weights, np.empty((2, 6)), filled)
    expected = time.reshape(-1).astype(np.float64)
    for gap in np.flatnonzero(expected == 0):
        near = time.reshape(-1)[(gap + np.arange(-3, 4)) % 120].astype(np.float64)
        used = weights[::-1][near != 0]
        expected[gap] = near[near != 0] @ used / used.sum() if used.size else 0
    np.testing.assert_allclose(filled.T.reshape(-1), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"DETECTOR": "NRS3"}, ExposureError),
        ({"NRS_NORM": 8}, NotYetError),
    ],
)
def test_other_read_outs_are_refused(make_irs2, make_weights, keywords, error):
    ramp = make_irs2(**{"detector": keywords.pop("DETECTOR", "NRS1")}, **keywords)
    with pytest.raises(error):
        run(ramp, make_weights(ramp))
