import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, PIXEL
from heliodor_fgs.steps.flat_field.kernel import blank, divide, make_ready

NO_FLAT = PIXEL["NO_FLAT_FIELD"] | DO_NOT_USE
UNRELIABLE = PIXEL["UNRELIABLE_FLAT"]


def test_what_has_no_flat_stays_as_it_is_and_is_flagged():
    flat = np.array([[np.nan, 0.0, 0.5, 0.5, 0.5, -0.5]], np.float32)
    dq = np.array([[0, UNRELIABLE, PIXEL["NO_FLAT_FIELD"], DO_NOT_USE, UNRELIABLE, 0]], np.uint32)
    make_ready(flat, dq)
    np.testing.assert_array_equal(flat, [[1, 1, 1, 1, 0.5, -0.5]])
    np.testing.assert_array_equal(
        dq, [[NO_FLAT, NO_FLAT | UNRELIABLE, NO_FLAT, DO_NOT_USE, UNRELIABLE, 0]]
    )


def test_rates_and_errors_by_hand():
    """10 +- 3 by 0.5 +- 0.05: 20, and an error of 20 x 0.05 / 0.5 is added."""
    data, err = np.full((2, 1, 1), 10, np.float32), np.full((2, 1, 1), 3, np.float32)
    divide(data, err, np.full((1, 1), 0.5, np.float32), np.full((1, 1), 0.05, np.float32))
    np.testing.assert_array_equal(data, 20)
    np.testing.assert_allclose(err, np.sqrt(9 + 2**2), rtol=1e-6)


def test_nan_in_one_is_nan_in_both():
    data, err = np.array([1, np.nan, 3], np.float32), np.array([np.nan, 2, 3], np.float32)
    blank(data, err)
    np.testing.assert_array_equal(data, [np.nan, np.nan, 3])
    np.testing.assert_array_equal(err, data)


@pytest.mark.parametrize("options", [{}, {"inverse": True}])
def test_as_a_step(guide_star, options):
    """One image by another way: the flat cut by hand, in double precision."""
    import heliodor
    from astropy.io import fits

    case = guide_star("FGS_ACQ1")
    before = heliodor.run(case.exposure, references={**case.files, "flat": "N/A"})["cal"]
    after = heliodor.run_step("flat_field", before, references=case.only("flat"), **options)
    assert after.meta.cal_step.flat_field == "COMPLETE"
    assert after.meta.ref_file.flat.name.endswith("fgs_guider1_flat.fits")

    x, y = case.corner
    with fits.open(case.files["flat"]) as hdus:
        cut = np.s_[y : y + 32, x : x + 32]
        flat, flags = hdus["SCI"].data[cut].astype(float), hdus["DQ"].data[cut]
    unusable = np.isnan(flat) | (flat == 0) | (flags & 5 != 0)
    flat[unusable] = 1
    expected = before.data * flat if options else before.data / flat
    seen = ~np.isnan(before.err)
    np.testing.assert_allclose(after.data[seen], expected[seen], rtol=1e-6)
    assert np.isnan(after.data[~seen]).all()
    assert (after.dq[unusable] & DO_NOT_USE).all()
    if options:
        np.testing.assert_array_equal(after.err[seen], before.err[seen])
    else:
        assert (after.err[seen] >= before.err[seen]).all()


def test_a_flat_of_the_users_own(guide_star, tmp_path):
    import heliodor

    case = guide_star("FGS_TRACK")
    own = tmp_path / "my_flat.fits"
    own.write_bytes(case.files["flat"].read_bytes())
    files = case.only("mask", "gain", "readnoise")
    given = {"flat_field.user_supplied_flat": str(own)}
    result = heliodor.run(case.exposure, references=files, parameters=given)["cal"]
    expected = heliodor.run(case.exposure, references=case.files)["cal"]
    np.testing.assert_array_equal(result.data, expected.data)
    assert result.meta.ref_file.flat.name == "my_flat.fits"
