"""Reference pixels among stripes, and superstripes joined."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.data import Keywords, Ramp
from heliodor.declare import Layout
from heliodor.engine import execute
from heliodor.errors import NotYetError
from heliodor.stripes import KEYWORDS, Stripes
from heliodor_detector.steps.refpix import SPEC as PLAIN
from heliodor_detector.steps.refpix_stripes import SPEC
from heliodor_detector.steps.refpix_stripes.join import join_stripes, read_times
from heliodor_detector.steps.refpix_stripes.params import StripesRefPixParams

AXES = [(1, 2), (-1, 2), (1, -2), (-1, -2), (2, 1), (-2, 1), (2, -1), (-2, -1)]


def header(reads1, skips1, reads2, skips2, repeat, interleave, step=0, number=0, **more):
    return {
        "INSTRUME": "NIRCAM", "SUBARRAY": "STRIPES", "NOUTPUTS": 1, "NFRAMES": 1, "GROUPGAP": 0,
        "MSTR_RD1": reads1, "MSTR_SK1": skips1, "MSTR_RD2": reads2, "MSTR_SK2": skips2,
        "MSTR_RPT": repeat, "MSTR_ILV": interleave, "SSTR_STP": step, "SSTR_NST": number, **more,
    }  # fmt: skip


def placed(keywords, axes, lines, width, start=1):
    """Place an array of so many lines, each of some pixels from `start`."""
    fast, slow = axes
    return {
        **keywords, "FASTAXIS": fast, "SLOWAXIS": slow,
        f"SUBSIZE{abs(slow)}": lines, f"SUBSTRT{abs(slow)}": 1 if slow > 0 else 2048,
        f"SUBSIZE{abs(fast)}": width, f"SUBSTRT{abs(fast)}": start,
    }  # fmt: skip


def turned(plane, keywords):
    """View a plane of the file in the order of read-out, as (lines, pixels of a line)."""
    fast, slow = keywords["FASTAXIS"], keywords["SLOWAXIS"]
    plane = plane if abs(fast) == 1 else np.swapaxes(plane, -1, -2)
    return plane[..., :: 1 if slow > 0 else -1, :: 1 if fast > 0 else -1]


def exposure(keywords, nints, ngroups, seed=0, layout=None, source=None):
    """Noise, whose lines of reference pixels and pixels at the detector's sides are flagged."""
    rng = np.random.default_rng(seed)
    stripes = Stripes.of(keywords, layout or Layout())
    shape = keywords["SUBSIZE2"], keywords["SUBSIZE1"]
    data = rng.normal(100, 8, (nints, ngroups, *shape)).astype(np.float32)
    data += rng.choice([0, 300], p=[0.99, 0.01], size=data.shape).astype(np.float32)
    pixeldq = np.zeros((len(stripes.lines), *shape), np.uint32)
    first = keywords[f"SUBSTRT{abs(keywords['FASTAXIS'])}"] - 1
    for plane, lines in zip(pixeldq, stripes.lines, strict=True):
        lines_first = plane if stripes.axis == -2 else plane.T
        lines_first[(lines < 4) | (lines >= 2044)] = REFERENCE_PIXEL
        column = first + np.arange(lines_first.shape[1])
        lines_first[:, (column < 4) | (column >= 2044)] = REFERENCE_PIXEL
    pixeldq[rng.random(pixeldq.shape) < 0.1] |= DO_NOT_USE
    return Ramp(
        data=data,
        groupdq=rng.integers(0, 8, data.shape).astype(np.uint8),
        pixeldq=pixeldq if stripes.superstripes else pixeldq[0],
        keywords=Keywords({"NINTS": nints, "NGROUPS": ngroups, **keywords}),
        stripes=stripes,
        source=source,
    )


def run(ramp, threads=1, **params):
    return execute(SPEC, ramp, StripesRefPixParams(**params), {}, threads=threads)


def clipped(values, limit):
    while values.size:
        kept = values[np.abs(values - values.mean()) <= limit * values.std() * (1 + 1e-12)]
        if kept.size == values.size:
            return values.mean()
        values = kept
    return None


def slow_correction(image, flags, keywords, odd_even=True, siglimit=3.0):
    """Correct one image, amplifier by amplifier, in double precision."""
    out = turned(image.astype(np.float64), keywords).copy()
    flags = turned(flags, keywords)
    good = ((flags & REFERENCE_PIXEL) != 0) & ((flags & DO_NOT_USE) == 0)
    fast = keywords["FASTAXIS"]
    first, length = (keywords[f"{name}{abs(fast)}"] for name in ("SUBSTRT", "SUBSIZE"))
    column = first - 1 + np.arange(length)
    column = column if fast > 0 else 2047 - column[::-1]
    for amplifier in range(4):
        sets = [(column // 512 == amplifier) & (column % 2 == parity) for parity in (0, 1)]
        if not odd_even:
            sets = [sets[0] | sets[1]]
        means = [clipped(out[good & one].copy(), siglimit) for one in sets]
        for one, mean in zip(sets, means, strict=True):
            if None not in means:
                out[:, one] -= mean
    return out


DHS = header(1, 1526, 40, 85, 1, 1, NOUTPUTS=4)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("odd_even", [True, False])
def test_stripes_equal_slow_version(axes, odd_even):
    keywords = placed(DHS, axes, 164, 1100)
    ramp = exposure(keywords, 1, 2)
    expected = [slow_correction(image, ramp.pixeldq, keywords, odd_even) for image in ramp.data[0]]
    assert run(ramp, odd_even_columns=odd_even).status == "COMPLETE"
    np.testing.assert_allclose(turned(ramp.data[0], keywords), expected, rtol=0, atol=1e-4)
    # nothing is joined: the array stays as it is
    assert ramp.shape == (1, 2, keywords["SUBSIZE2"], keywords["SUBSIZE1"])
    assert ramp.keywords["MSTR_RD1"] == 1


SOSS = header(4, 0, 30, 0, 1, 1, 30, 3)


@pytest.mark.parametrize("axes", AXES)
def test_superstripes_equal_slow_version(axes):
    keywords = placed(SOSS, axes, 34, 64)
    ramp = exposure(keywords, 6, 2)
    before, flags = ramp.data.copy(), ramp.pixeldq.copy()
    assert run(ramp).status == "COMPLETE"
    joined = turned(ramp.data, keywords)
    assert joined.shape == (2, 2, 90, 64)
    for integration in range(6):
        stripe = integration % 3
        for group in range(2):
            one = slow_correction(before[integration, group], flags[stripe], keywords)
            place = joined[integration // 3, group, 30 * stripe : 30 * (stripe + 1)]
            np.testing.assert_allclose(place, one[4:], rtol=0, atol=1e-4)
    expected = np.concatenate([turned(plane, keywords)[4:] for plane in flags])
    np.testing.assert_array_equal(turned(ramp.pixeldq, keywords), expected)


def test_only_a_stripes_own_flags_count():
    keywords = placed(SOSS, (1, 2), 34, 64)
    results = {}
    for how in ("own", "first"):
        ramp = exposure(keywords, 3, 1)
        ramp.pixeldq[1:, :, :4] |= DO_NOT_USE
        ramp.pixeldq[0] &= ~np.uint32(DO_NOT_USE)
        before, flags = ramp.data.copy(), ramp.pixeldq.copy()
        run(ramp, superstripe_flags=how)
        results[how] = ramp.data
        for stripe in range(3):
            used = flags[stripe if how == "own" else 0]
            one = slow_correction(before[stripe, 0], used, keywords)
            place = ramp.data[0, 0, 30 * stripe : 30 * (stripe + 1)]
            np.testing.assert_allclose(place, one[4:], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(results["own"][..., :30, :], results["first"][..., :30, :])
    assert (results["own"] != results["first"]).any()


def test_without_reference_pixels_superstripes_are_only_joined():
    keywords = placed(header(0, 500, 0, 0, 0, 0, 8, 4), (1, 2), 8, 16, start=900)
    ramp = exposure(keywords, 4, 3)
    before = ramp.data.copy()
    assert run(ramp).status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data[0], np.concatenate(before, axis=1))


def test_the_first_frame_is_corrected_and_joined():
    keywords = placed(SOSS, (1, -2), 34, 64)
    ramp = exposure(keywords, 3, 1)
    ramp.zeroframe = ramp.data[:, 0].copy()
    ramp.zeroframe[:, 5, 7] = 0
    before, flags = ramp.zeroframe.copy(), ramp.pixeldq.copy()
    run(ramp)
    joined = turned(ramp.zeroframe, keywords)[0]
    for stripe in range(3):
        one = slow_correction(before[stripe], flags[stripe], keywords)
        zero = turned(before[stripe], keywords) == 0
        place = joined[30 * stripe : 30 * (stripe + 1)]
        expected = np.where(zero, 0, one)[4:]
        np.testing.assert_allclose(place, expected, rtol=0, atol=1e-4)


def test_independent_of_threads():
    keywords = placed(SOSS, (-2, -1), 34, 64)
    results = []
    for threads in (1, 3):
        ramp = exposure(keywords, 6, 2)
        run(ramp, threads)
        results.append((ramp.data.tobytes(), ramp.groupdq.tobytes(), ramp.pixeldq.tobytes()))
    assert results[0] == results[1]


def test_joined_keywords():
    keywords = placed({**SOSS, "MSTR_SK1": 100}, (1, -2), 34, 64)
    ramp = exposure({**keywords, "INTSTART": 7, "INTEND": 12}, 6, 2)
    run(ramp)
    assert ramp.shape == (2, 2, 90, 64)
    expected = {
        "INTSTART": 3, "INTEND": 4, "NINTS": 2, "NGROUPS": 2, "SUBSIZE1": 64, "SUBSIZE2": 90,
        "SUBSTRT1": 1, "SUBSTRT2": 2048 - 104 - 90 + 1,
    }  # fmt: skip
    assert {name: ramp.keywords[name] for name in expected} == expected
    assert all(ramp.keywords[name] is None for name in KEYWORDS)
    assert ramp.stripes is None
    assert ramp.read_times is None


def test_lines_that_nobody_read():
    keywords = placed({**SOSS, "SSTR_STP": 40}, (1, 2), 34, 8)
    ramp = exposure(keywords, 3, 1, layout=Layout(joined_to_full=("STRIPES",)))
    run(ramp)
    assert ramp.shape == (1, 1, 2048, 8)
    unread = np.r_[0:4, 34:44, 74:84, 114:2048]
    assert np.isnan(ramp.data[..., unread, :]).all()
    assert (ramp.pixeldq[unread] == REFERENCE_PIXEL).all()
    assert not ramp.groupdq[..., unread, :].any()
    assert np.isfinite(np.delete(ramp.data, unread, axis=2)).all()


REPEATED = header(1, 165, 1, 0, 1, 0, 1, 4, NFRAMES=2, GROUPGAP=1)


def test_repeats_become_groups():
    keywords = placed(REPEATED, (1, -2), 8, 64)
    ramp = exposure(keywords, 8, 3)
    ramp.zeroframe = ramp.data[:, 0].copy()
    run(ramp)
    assert ramp.shape == (2, 12, 4, 64)
    assert ramp.keywords["NGROUPS"] == 12
    assert ramp.read_times.shape == (12, 2)

    ramp = exposure(keywords, 8, 3)
    ramp.zeroframe = ramp.data[:, 0].copy()
    data, groupdq, flags = ramp.data.copy(), ramp.groupdq.copy(), ramp.pixeldq.copy()
    join_stripes(ramp)
    # the file's last lines are read first, and its last line is the first superstripe's
    for group in range(3):
        for repeat in range(4):
            line = 6 - 2 * repeat
            for stripe in range(4):
                place = np.s_[1, 4 * group + repeat, 3 - stripe]
                np.testing.assert_array_equal(ramp.data[place], data[4 + stripe, group, line])
                np.testing.assert_array_equal(ramp.groupdq[place], groupdq[4 + stripe, group, line])
    for stripe in range(4):
        np.testing.assert_array_equal(ramp.pixeldq[3 - stripe], flags[stripe, 6])
        np.testing.assert_array_equal(ramp.zeroframe[1, 3 - stripe], data[4 + stripe, 0, 6])


def test_times_of_repeats_by_hand():
    # (64 + 12) samples a line, two lines of overhead a frame, none between repeats
    keywords = placed({**REPEATED, "NFRAMES": 1, "GROUPGAP": 0}, (1, -2), 8, 64)
    first, step = 76 * 4e-5, 76 * 2e-5
    expected = [
        [first], [first + step], [first + 2 * step], [first + 3 * step],
        [2 * first + 3 * step], [2 * first + 4 * step],
    ]  # fmt: skip
    np.testing.assert_allclose(read_times(keywords, 2)[:6], expected, rtol=1e-12)
    # frames of a group are a whole frame apart, and so much passes in a gap
    frame = 76 * 10e-5
    averaged = read_times(placed(REPEATED, (1, -2), 8, 64), 2)
    np.testing.assert_allclose(averaged[:, 1] - averaged[:, 0], frame)
    np.testing.assert_allclose(averaged[4, 0], first + 3 * step + 2 * frame + first)


@pytest.mark.parametrize(
    ("outputs", "width", "line", "spare"), [(4, 2048, 524, 1), (1, 8, 20, 3), (1, 9, 21, 2)]
)
def test_the_first_repeat_waits_for_the_reset(outputs, width, line, spare):
    keywords = placed({**REPEATED, "NOUTPUTS": outputs}, (1, 2), 8, width)
    samples = line * (2 + spare) + (outputs == 4)
    np.testing.assert_allclose(read_times(keywords, 1)[0, 0], samples * 1e-5, rtol=1e-12)


class Source:
    """A file in memory."""

    def __init__(self, *tables):
        content = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(content)
        self.content = content.getvalue()

    def open(self):
        return fits.open(io.BytesIO(self.content))


def times(count):
    moments = [f"int_{at}_{of}" for of in ("MJD_UTC", "BJD_TDB") for at in ("start", "mid", "end")]
    table = np.zeros(count, [("integration_number", ">i4"), *((name, ">f8") for name in moments)])
    table["integration_number"] = np.arange(count) + 1
    for number, name in enumerate(moments):
        table[name] = 60000 + np.arange(count) + 0.1 * number
    return fits.BinTableHDU(table, name="INT_TIMES")


def test_times_of_superstripes_have_their_own_table():
    source = Source(times(6), fits.BinTableHDU(np.zeros(12, [("group", ">i2")]), name="GROUP"))
    keywords = {**placed(SOSS, (1, 2), 34, 8), "INTSTART": 4}
    ramp = exposure(keywords, 6, 2, source=source)
    run(ramp)
    with ramp.source.open() as hdus:
        joined, single = hdus["INT_TIMES"].data, hdus["INT_TIMES_STRIPE"].data
        assert "GROUP" not in hdus
        np.testing.assert_array_equal(joined["integration_number"], [2, 3])
        np.testing.assert_array_equal(joined["int_start_MJD_UTC"], [60000, 60003])
        np.testing.assert_array_equal(joined["int_end_MJD_UTC"], [60002.2, 60005.2])
        np.testing.assert_allclose(joined["int_mid_MJD_UTC"], [60001.1, 60004.1], rtol=1e-14)
        np.testing.assert_allclose(joined["int_mid_BJD_TDB"], [60001.4, 60004.4], rtol=1e-14)
        np.testing.assert_array_equal(single["integration_number"], [2, 2, 2, 3, 3, 3])
        np.testing.assert_array_equal(single["stripe_number"], [1, 2, 3, 1, 2, 3])
        np.testing.assert_array_equal(single["int_mid_MJD_UTC"], 60000.1 + np.arange(6))


def test_an_exposure_without_times_is_joined_as_well():
    ramp = exposure(placed(SOSS, (1, 2), 34, 8), 3, 1, source=Source())
    source = ramp.source
    run(ramp)
    assert ramp.source is source


def test_superstripes_of_several_stripes_are_not_there_yet():
    keywords = placed(header(0, 0, 2, 3, 0, 0, 10, 2), (1, 2), 4, 8)
    with pytest.raises(NotYetError, match="several stripes each"):
        run(exposure(keywords, 2, 1))


def test_it_is_for_stripes_alone():
    assert SPEC.applies.accepts({"INSTRUME": "NIRCAM", "MSTR_RD1": 0})
    assert not SPEC.applies.accepts({"INSTRUME": "NIRCAM"})
    assert SPEC.applies.within(PLAIN.applies)
