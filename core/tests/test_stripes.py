"""Where the lines of stripes lie: numbers by hand, from how the modes are read."""

from __future__ import annotations

import numpy as np
import pytest
from heliodor.declare import Layout
from heliodor.errors import ExposureError
from heliodor.stripes import Stripes


def keywords(reads1, skips1, reads2, skips2, repeat, interleave, step=0, number=0, **more):
    """Header of an array of stripes; by default of 2048 columns, read by rows from the first."""
    return {
        "SUBARRAY": "STRIPES", "FASTAXIS": 1, "SLOWAXIS": 2, "SUBSTRT1": 1, "SUBSTRT2": 1,
        "SUBSIZE1": 2048,
        "MSTR_RD1": reads1, "MSTR_SK1": skips1, "MSTR_RD2": reads2, "MSTR_SK2": skips2,
        "MSTR_RPT": repeat, "MSTR_ILV": interleave, "SSTR_STP": step, "SSTR_NST": number,
        **more,
    }  # fmt: skip


def lines(*pieces):
    return np.concatenate([np.arange(*piece) for piece in pieces])


DHS = keywords(1, 1526, 40, 85, 1, 1, SUBSIZE2=164)
DHS_LINES = lines((0, 1), (1527, 1567), (0, 1), (1652, 1692), (0, 1), (1777, 1817), (0, 1),
                  (1902, 1942))  # fmt: skip


def test_no_stripes():
    assert Stripes.of({"SUBARRAY": "FULL", "SLOWAXIS": 2}) is None


def test_each_stripe_after_a_reference_row():
    stripes = Stripes.of(DHS)
    assert stripes.axis == -2
    assert not stripes.superstripes
    np.testing.assert_array_equal(stripes.lines, [DHS_LINES])
    np.testing.assert_array_equal(stripes.index(), DHS_LINES)
    kinds = np.concatenate([np.r_[-1, np.full(40, n)] for n in range(4)])
    np.testing.assert_array_equal(stripes.repeats, kinds)
    assert stripes.planes((164, 2048)) == (164, 2048)


def test_a_mirrored_axis_is_read_from_its_other_end():
    mirrored = Stripes.of({**DHS, "SLOWAXIS": -2, "SUBSTRT2": 2048})
    np.testing.assert_array_equal(mirrored.lines, [2047 - DHS_LINES[::-1]])
    # the first line of the file is the last that was read
    assert mirrored.repeats[0] == 3
    assert mirrored.repeats[-1] == -1


def test_early_files_call_the_first_line_of_a_mirrored_axis_1():
    wrong = Stripes.of({**DHS, "SLOWAXIS": -2, "SUBSTRT2": 1})
    right = Stripes.of({**DHS, "SLOWAXIS": -2, "SUBSTRT2": 2048})
    np.testing.assert_array_equal(wrong.lines, right.lines)


def test_a_mode_may_count_from_the_edge():
    layout = Layout(striped_from_edge=("SUB164STRIPE4_DHS",))
    named = {**DHS, "SUBARRAY": "SUB164STRIPE4_DHS", "SUBSTRT2": 31}
    np.testing.assert_array_equal(Stripes.of(named, layout).lines, [DHS_LINES])
    np.testing.assert_array_equal(Stripes.of(named).lines, [DHS_LINES + 30])


def test_the_same_stripe_again_and_again():
    stripes = Stripes.of(keywords(1, 971, 40, 0, 1, 0, SUBSIZE2=164))
    np.testing.assert_array_equal(stripes.lines, [np.tile(lines((0, 1), (972, 1012)), 4)])
    assert stripes.repeats.max() == 3


def test_stripes_without_going_back():
    stripes = Stripes.of(keywords(2, 3, 4, 5, 0, 0, SUBSIZE2=10))
    np.testing.assert_array_equal(stripes.lines, [lines((0, 2), (5, 9), (14, 18))])
    np.testing.assert_array_equal(stripes.repeats, [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1])


SOSS = keywords(
    4, 0, 204, 0, 1, 1, 204, 10, FASTAXIS=-2, SLOWAXIS=-1, SUBSTRT1=2048, SUBSTRT2=1793,
    SUBSIZE1=208, SUBSIZE2=256, SUBARRAY="SUB204STRIPE_SOSS",
)  # fmt: skip


def test_superstripes_along_columns():
    stripes = Stripes.of(SOSS)
    assert stripes.axis == -1
    assert stripes.superstripes
    assert stripes.lines.shape == (10, 208)
    np.testing.assert_array_equal(stripes.lines[0], lines((1840, 2044), (2044, 2048)))
    np.testing.assert_array_equal(stripes.lines[9], lines((4, 208), (2044, 2048)))
    assert stripes.extent == (4, 2040)
    assert stripes.planes((256, 208)) == (10, 256, 208)
    np.testing.assert_array_equal(stripes.index(), stripes.lines)


def test_a_mode_may_join_superstripes_to_the_whole_detector():
    layout = Layout(joined_to_full=("SUB204STRIPE_SOSS",))
    assert Stripes.of(SOSS, layout).extent == (0, 2048)


def test_superstripes_without_reference_rows():
    stripes = Stripes.of(keywords(0, 0, 0, 0, 0, 0, 8, 8, SLOWAXIS=-2, SUBSTRT2=1880, SUBSIZE2=8))
    np.testing.assert_array_equal(stripes.lines[0], np.arange(1872, 1880))
    np.testing.assert_array_equal(stripes.lines[7], np.arange(1816, 1824))
    assert stripes.extent == (1816, 64)


def test_superstripes_that_are_read_repeatedly():
    stripes = Stripes.of(
        keywords(1, 165, 1, 0, 1, 0, 1, 64, SLOWAXIS=-2, SUBSTRT2=2046, SUBSIZE2=8)
    )
    np.testing.assert_array_equal(stripes.lines[0], [1879, 2045] * 4)
    np.testing.assert_array_equal(stripes.lines[63], [1816, 2045] * 4)
    np.testing.assert_array_equal(stripes.repeats, [3, -1, 2, -1, 1, -1, 0, -1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SUBSIZE2": 163}, "163 lines is not made of stripes of 40 with 1"),
        ({"SUBSIZE2": 40}, "not made of stripes"),
        ({"MSTR_RD2": 0}, "MSTR_RD2 = 0 lines cannot be read"),
        ({"MSTR_SK1": 1900}, "reach from line 0 to 2315 of a detector of 2048"),
        ({"SUBSTRT2": -5}, "reach from line -6"),
        ({"SLOWAXIS": 3}, "SLOWAXIS = 3"),
        ({"MSTR_SK2": None}, "whole number in MSTR_SK2, not None"),
        ({"SSTR_NST": 1.5}, "whole number in SSTR_NST, not 1.5"),
    ],
)
def test_what_cannot_be(changes, message):
    with pytest.raises(ExposureError, match=message):
        Stripes.of({**DHS, **changes})
