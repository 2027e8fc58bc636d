"""Reading one reference file: cutting, data quality, tables, what is broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import PIXEL
from heliodor.errors import ReferenceError
from heliodor.references.files import Reference
from heliodor.stripes import Stripes

NY, NX = 12, 16
PLANE = np.arange(NY * NX, dtype=np.float32).reshape(NY, NX)
CUBE = np.arange(3 * NY * NX, dtype=np.float32).reshape(3, NY, NX)
DEF = np.dtype([("BIT", "i4"), ("VALUE", "i4"), ("NAME", "S24"), ("DESCRIPTION", "S40")])


def definitions(*rows: tuple[int, int, str]) -> np.ndarray:
    return np.array([(bit, value, name, "") for bit, value, name in rows], DEF)


@pytest.fixture
def reference(write):
    """Write a reference file and open it for an exposure of a shape and position."""
    opened = []

    def make(extensions, shape=(NY, NX), at=(1, 1), **keywords):
        path = write("ref.fits", extensions, **keywords)
        exposure = {"SUBSTRT1": at[0], "SUBSTRT2": at[1]}
        opened.append(Reference("gain", path, exposure, shape))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


# ------------------------------------------------------------------ planes


def test_a_plane_of_the_same_shape_comes_whole(reference):
    plane = reference({"SCI": PLANE}).plane()
    np.testing.assert_array_equal(plane, PLANE)
    assert plane.dtype == np.dtype("=f4")
    assert plane.dtype.isnative
    assert plane.flags.c_contiguous
    assert plane.flags.writeable


@pytest.mark.parametrize("stored", ["f4", "f8", "i2", "u2", "i4", "u1"])
@pytest.mark.parametrize("wanted", [np.float32, np.float64, np.int32])
def test_types_are_converted(reference, stored, wanted):
    plane = reference({"SCI": PLANE.astype(stored)}).plane("SCI", wanted)
    assert plane.dtype == wanted
    np.testing.assert_array_equal(plane, PLANE.astype(wanted))


def test_what_is_changed_stays_out_of_the_file(reference):
    ref = reference({"SCI": PLANE})
    ref.plane()[:] = -1
    np.testing.assert_array_equal(ref.plane(), PLANE)


def test_full_frame_is_cut_to_the_subarray(reference):
    ref = reference({"SCI": PLANE, "COEFFS": CUBE}, shape=(4, 5), at=(3, 7))
    np.testing.assert_array_equal(ref.plane(), PLANE[6:10, 2:7])
    np.testing.assert_array_equal(ref.plane("COEFFS"), CUBE[:, 6:10, 2:7])
    assert ref.plane("COEFFS").flags.c_contiguous
    np.testing.assert_array_equal(ref.whole("COEFFS"), CUBE)


def test_the_files_own_position_counts(reference):
    ref = reference({"SCI": PLANE}, shape=(4, 5), at=(103, 207), SUBSTRT1=101, SUBSTRT2=201)
    np.testing.assert_array_equal(ref.plane(), PLANE[6:10, 2:7])


def test_the_last_window_that_fits(reference):
    ref = reference({"SCI": PLANE}, shape=(4, 5), at=(NX - 4, NY - 3))
    np.testing.assert_array_equal(ref.plane(), PLANE[-4:, -5:])


@pytest.mark.parametrize("at", [(NX - 3, 1), (1, NY - 2), (0, 1), (1, -3)])
def test_a_window_beyond_the_file_is_an_error(reference, at):
    ref = reference({"SCI": PLANE}, shape=(4, 5), at=at, SUBSTRT1=1, SUBSTRT2=1)
    if at[0] == 0:  # as if it were missing: the first column
        np.testing.assert_array_equal(ref.plane(), PLANE[:4, :5])
        return
    with pytest.raises(ReferenceError, match=r"ref.fits: SCI .* 16 x 12 .* 5 x 4 at SUBSTRT1"):
        ref.plane()


def test_a_file_smaller_than_the_exposure_is_an_error(reference):
    with pytest.raises(ReferenceError, match=r"16 x 12 pixels and does not hold"):
        reference({"SCI": PLANE}, shape=(2 * NY, NX)).plane()


# ------------------------------------------------------------------ stripes

ROWS = Stripes(-2, np.array([[5, 6, 0, 9]]), np.array([0, 0, -1, 1]), False, (0, 12))
TURNS = Stripes(-2, np.array([[5, 6, 0], [7, 8, 0]]), np.array([0, 0, -1]), True, (5, 4))
COLUMNS = Stripes(-1, np.array([[1, 3], [5, 7], [9, 11]]), np.array([0, 0]), True, (1, 11))


def test_stripes_are_cut_out_line_by_line(reference):
    ref = reference({"SCI": PLANE, "COEFFS": CUBE}, shape=(4, 5), at=(3, 100))
    ref.stripes = ROWS
    np.testing.assert_array_equal(ref.plane(), PLANE[[5, 6, 0, 9], 2:7])
    np.testing.assert_array_equal(ref.plane("COEFFS"), CUBE[:, [5, 6, 0, 9], 2:7])
    rows = ref.cube("COEFFS")
    assert rows.shape == (3, 4, 5)
    np.testing.assert_array_equal(rows.rows(1, 3), CUBE[:, [6, 0], 2:7])
    np.testing.assert_array_equal(rows.plane(2), CUBE[2][[5, 6, 0, 9], 2:7])
    images = [image.copy() for image in rows.images(1, 3)]
    np.testing.assert_array_equal(images, CUBE[:, [6, 0], 2:7])
    np.testing.assert_array_equal(ref.dq(), np.zeros((4, 5)))


def test_a_file_of_the_stripes_themselves_is_not_cut(reference):
    ref = reference({"SCI": PLANE[:4, :5]}, shape=(4, 5), at=(3, 100))
    ref.stripes = ROWS
    np.testing.assert_array_equal(ref.plane(), PLANE[:4, :5])


@pytest.mark.parametrize(("start", "lines"), [(1, [7, 8, 2, 11]), (3, [5, 6, 0, 9])])
def test_the_files_own_first_line_counts(reference, start, lines):
    ref = reference({"SCI": PLANE}, shape=(4, NX), SUBSTRT2=start)
    ref.stripes = replace(ROWS, lines=ROWS.lines + 2)
    np.testing.assert_array_equal(ref.plane(), PLANE[lines])


def test_superstripes_have_a_plane_each(reference):
    # not even a file of their own shape goes for all of them
    ref = reference({"SCI": PLANE[:10]}, shape=(3, 8), at=(9, 1))
    ref.stripes = TURNS
    plane = ref.plane()
    np.testing.assert_array_equal(plane, [PLANE[[5, 6, 0], 8:], PLANE[[7, 8, 0], 8:]])
    assert plane.flags.c_contiguous
    assert ref.dq().shape == (2, 3, 8)


def test_superstripes_of_columns(reference):
    ref = reference({"SCI": PLANE}, shape=(4, 2), at=(1, 7))
    ref.stripes = COLUMNS
    plane = ref.plane("SCI", np.int64)
    expected = [PLANE[6:10, [1, 3]], PLANE[6:10, [5, 7]], PLANE[6:10, [9, 11]]]
    np.testing.assert_array_equal(plane, expected)
    assert plane.flags.c_contiguous


def test_a_file_must_hold_all_superstripes(reference):
    ref = reference({"SCI": PLANE[:3]}, shape=(3, NX))
    ref.stripes = TURNS
    with pytest.raises(ReferenceError, match=r"does not hold the exposure's 16 x 3 in stripes"):
        ref.plane()


def test_superstripes_have_no_rows_of_cubes(reference):
    ref = reference({"SCI": CUBE}, shape=(3, NX))
    ref.stripes = TURNS
    with pytest.raises(ReferenceError, match="cannot be read by rows for superstripes"):
        ref.cube()


# ------------------------------------------------------------------ cubes by rows


@pytest.mark.parametrize("shape", [(3, NY, NX), (2, 3, NY, NX)])
def test_rows_of_a_cube(reference, shape):
    cube = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    rows = reference({"SCI": cube}).cube()
    assert rows.shape == shape
    part = rows.rows(3, 8)
    np.testing.assert_array_equal(part, cube[..., 3:8, :])
    assert part.flags.c_contiguous
    assert part.dtype == np.dtype("=f4")


def test_rows_of_a_cut_cube(reference):
    rows = reference({"SCI": CUBE}, shape=(4, 5), at=(3, 7)).cube()
    assert rows.shape == (3, 4, 5)
    np.testing.assert_array_equal(rows.rows(1, 3), CUBE[:, 7:9, 2:7])
    np.testing.assert_array_equal(rows.plane(2), CUBE[2, 6:10, 2:7])
    images = [image.copy() for image in rows.images(1, 3, slice(1, 3))]
    np.testing.assert_array_equal(images, CUBE[1:3, 7:9, 2:7])


def test_planes_of_a_four_dimensional_cube(reference):
    cube = np.random.default_rng(1).normal(size=(2, 3, NY, NX)).astype(np.float32)
    np.testing.assert_array_equal(reference({"SCI": cube}).cube().plane(1, 2), cube[1, 2])


# ------------------------------------------------------------------ data quality


def test_without_the_extension_nothing_is_flagged(reference):
    dq = reference({"SCI": PLANE}, shape=(4, 5)).dq()
    assert dq.dtype == np.uint32
    assert dq.shape == (4, 5)
    assert not dq.any()


def test_bits_are_translated_by_name(reference):
    local = np.zeros((NY, NX), np.uint8)
    local[0, :4] = [1, 2, 3, 4]
    table = definitions((0, 1, "HOT"), (1, 2, "DO_NOT_USE"), (2, 4, "UNHEARD_OF"))
    dq = reference({"DQ": local, "DQ_DEF": table}).dq()
    hot, rejected = PIXEL["HOT"], PIXEL["DO_NOT_USE"]
    assert dq[0, :5].tolist() == [hot, rejected, hot | rejected, 0, 0]
    assert dq.sum() == 2 * (hot + rejected)


def test_two_local_bits_may_have_one_name(reference):
    local = np.array([[1, 2, 3]], np.uint32)
    table = definitions((0, 1, "DEAD"), (1, 2, "DEAD"))
    dq = reference({"DQ": local, "DQ_DEF": table}, shape=(1, 3)).dq()
    assert (dq == PIXEL["DEAD"]).all()


def test_without_definitions_bits_are_the_pipelines(reference):
    local = np.full((NY, NX), PIXEL["REFERENCE_PIXEL"] | 1, np.uint32)
    dq = reference({"DQ": local}, shape=(4, 5), at=(2, 2)).dq()
    assert (dq == (1 << 31) + 1).all()


@pytest.mark.parametrize("value", [-(1 << 31), 1 << 30])
def test_the_highest_bits_of_a_signed_table(reference, value):
    local = np.full((NY, NX), value & 0xFFFFFFFF, np.uint32)
    dq = reference({"DQ": local, "DQ_DEF": definitions((31, value, "REFERENCE_PIXEL"))}).dq()
    assert (dq == PIXEL["REFERENCE_PIXEL"]).all()


def test_data_quality_of_another_extension_and_more_axes(reference):
    local = np.zeros((2, NY, NX), np.uint8)
    local[1, 7, 3] = 1
    table = definitions((0, 1, "NO_LIN_CORR"))
    dq = reference({"PDQ": local, "DQ_DEF": table}, shape=(4, 5), at=(3, 7)).dq("PDQ")
    assert dq.shape == (2, 4, 5)
    assert dq[1, 1, 1] == PIXEL["NO_LIN_CORR"]


# ------------------------------------------------------------------ tables


def test_a_table_has_its_true_values(reference):
    columns = fits.ColDefs(
        [
            fits.Column("NAME", "8A", array=["a", "bc"]),
            fits.Column("COUNT", "I", bzero=32768, array=np.array([1, 65000], np.uint16)),
            fits.Column("GOOD", "L", array=[True, False]),
            fits.Column("TAU", "2E", array=[[1.5, 2.5], [3.5, 4.5]]),
        ]
    )
    table = reference({"TRAPS": fits.FITS_rec.from_columns(columns)}).table("TRAPS")
    assert [str(name).strip() for name in table["NAME"]] == ["a", "bc"]
    assert table["COUNT"].tolist() == [1, 65000]
    assert table["GOOD"].tolist() == [True, False]
    assert table["TAU"].tolist() == [[1.5, 2.5], [3.5, 4.5]]
    assert table["TAU"].dtype.isnative


def test_a_column_of_a_table(reference):
    columns = [fits.Column("A", "E", array=[1.5, 2.5]), fits.Column("B", "J", array=[3, 4])]
    ref = reference({"TABLE": fits.FITS_rec.from_columns(fits.ColDefs(columns))})
    column = ref.column("TABLE", "A")
    assert column.tolist() == [1.5, 2.5]
    assert column.dtype == np.float32
    assert column.dtype.isnative
    assert column.flags.c_contiguous
    with pytest.raises(ReferenceError, match=r"lacks the column\(s\) C; it has a, b"):
        ref.column("TABLE", "C")


# ------------------------------------------------------------------ what is broken


def test_has(reference):
    ref = reference({"SCI": PLANE})
    assert ref.has("SCI")
    assert not ref.has("ERR")
    assert not ref.has("PRIMARY")


def test_columns_have_lower_case_names_and_those_needed_must_be_there(reference):
    table = np.array([(1, 2.5)], [("Group_Skip", "i4"), ("OTHER", "f4")])
    opened = reference({"SKIPS": table})
    columns = opened.columns("SKIPS", ("group_skip",))
    assert {name: column.tolist() for name, column in columns.items()} == {
        "group_skip": [1],
        "other": [2.5],
    }
    with pytest.raises(
        ReferenceError, match=r"ref\.fits: SKIPS of this gain reference lacks"
    ) as told:
        opened.columns("SKIPS", ("group_skip", "subarray", "readpatt"))
    assert "subarray, readpatt; it has group_skip, other" in str(told.value)


@pytest.mark.parametrize("read", ["plane", "whole", "cube"])
def test_tables_are_no_images_and_images_no_tables(reference, read):
    opened = reference({"SCI": PLANE, "SKIPS": np.array([(1,)], [("N", "i4")])})
    with pytest.raises(ReferenceError, match=r"ref\.fits: SKIPS is a table, not an image"):
        getattr(opened, read)("SKIPS")
    with pytest.raises(ReferenceError, match=r"ref\.fits: SCI is an image, not a table"):
        opened.table("SCI")


@pytest.mark.parametrize("read", ["plane", "whole", "cube", "table"])
def test_a_missing_extension_is_named(reference, read):
    ref = reference({"SCI": PLANE})
    with pytest.raises(ReferenceError, match=r"ref\.fits: this gain reference has no COEFFS"):
        getattr(ref, read)("COEFFS")


def test_a_file_that_is_no_fits_file(tmp_path):
    path = tmp_path / "gain.fits"
    path.write_bytes(b"an HTML page that says 404")
    with pytest.raises(ReferenceError, match=r"gain\.fits: not a readable gain reference"):
        Reference("gain", path, {}, (NY, NX))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ReferenceError, match=r"nothing\.fits: not a readable gain"):
        Reference("gain", tmp_path / "nothing.fits", {}, (NY, NX))


@pytest.mark.filterwarnings("ignore:.*truncated")
@pytest.mark.parametrize("lost", [2880, 4 * 200 * 100])
@pytest.mark.parametrize("read", ["plane", "whole", "cube"])
def test_a_truncated_file(write, lost, read):
    path = write("ref.fits", {"SCI": np.ones((200, 200), np.float32)})
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - lost)
    with pytest.raises(ReferenceError, match=r"ref\.fits: .*(truncated|no SCI)"):
        getattr(Reference("gain", path, {}, (200, 200)), read)("SCI")
