import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import PIXEL
from heliodor.engine import execute
from heliodor.errors import OutputError, ReferenceError
from heliodor_detector.steps.dark_current import SPEC
from heliodor_detector.steps.dark_current.kernel import extrapolate
from heliodor_detector.steps.dark_current.params import DarkCurrentParams

SINGLE = {"NFRAMES": 1, "GROUPGAP": 0}


def run(ramp, make_reference, dark, header=SINGLE, how=None, params=None, **planes):
    reference = make_reference("dark", ramp, header, SCI=np.asarray(dark, np.float32), **planes)
    params = DarkCurrentParams(**(params or {}))
    return execute(SPEC, ramp, params, {"dark": reference}, **(how or {}))


def column(*values):
    """One pixel's groups as (ngroups, 1, 1)."""
    return np.array(values, np.float32).reshape(-1, 1, 1)


def test_matching_dark_is_subtracted_group_by_group(make_ramp, make_reference):
    rng = np.random.default_rng(1)
    data = rng.normal(1e4, 1e3, (2, 3, 5, 4)).astype(np.float32)
    dark = rng.normal(10, 3, (6, 5, 4)).astype(np.float32)
    pattern = {"NFRAMES": 4, "GROUPGAP": 1}
    ramp = make_ramp(data, **pattern)
    outcome = run(ramp, make_reference, dark, pattern)
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data, data - dark[:3])


def test_single_frames_are_averaged_and_skipped_as_the_exposure_was(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((1, 2, 1, 1)), NFRAMES=2, GROUPGAP=3)
    run(ramp, make_reference, column(1, 3, 50, 50, 50, 7, 11, 50))
    np.testing.assert_array_equal(ramp.data.ravel(), [-2, -9])


def test_frames_are_skipped_without_being_averaged(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((1, 3, 1, 1)), NFRAMES=1, GROUPGAP=1)
    run(ramp, make_reference, column(1, 2, 3, 4, 5))
    np.testing.assert_array_equal(ramp.data.ravel(), [-1, -3, -5])


def test_averages_are_made_in_single_precision(make_ramp, make_reference):
    dark = np.random.default_rng(2).normal(100, 30, (8, 3, 4)).astype(np.float32)
    ramp = make_ramp(np.zeros((1, 2, 3, 4)), NFRAMES=4, GROUPGAP=0)
    run(ramp, make_reference, dark)
    np.testing.assert_array_equal(ramp.data[0, 0], -dark[:4].mean(axis=0, dtype=np.float32))
    np.testing.assert_array_equal(ramp.data[0, 1], -dark[4:].mean(axis=0, dtype=np.float32))


def test_unknown_dark_counts_as_zero(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((1, 1, 1, 1)), NFRAMES=2, GROUPGAP=0)
    run(ramp, make_reference, column(np.nan, 8))
    assert ramp.data.item() == -4


def test_unknown_dark_of_a_matching_group_is_written_as_zero(make_ramp, make_reference, tmp_path):
    path = tmp_path / "subtracted.fits"
    ramp = make_ramp(np.full((2, 3, 1, 1), 10), NFRAMES=1, GROUPGAP=0)
    run(ramp, make_reference, column(np.nan, 8), params={"dark_output": str(path)})
    with fits.open(path) as hdus:
        # the last group goes on with a difference that is unknown
        np.testing.assert_array_equal(hdus["SCI"].data.ravel(), [0, 8, 0])
    np.testing.assert_array_equal(ramp.data.reshape(2, 3), [[10, 2, 10], [10, 2, 10]])


def test_short_dark_goes_on_with_its_last_difference(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((2, 4, 1, 1)), **SINGLE)
    run(ramp, make_reference, column(1, 10, 12))
    np.testing.assert_array_equal(ramp.data[1].ravel(), [-1, -10, -12, -14])


def test_short_dark_is_extrapolated_before_it_is_averaged(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((1, 3, 1, 1)), NFRAMES=2, GROUPGAP=1)
    # frames 0 1 | 3 4 | 6 7 of 10, 12, 14, 16, (18, 20, 22, 24)
    run(ramp, make_reference, column(10, 12, 14, 16))
    np.testing.assert_array_equal(ramp.data.ravel(), [-11, -17, -23])


def test_extrapolate_counts_from_the_end_of_the_dark():
    tail = column(5, 7)
    none = np.empty((0, 1, 1), np.float32)
    np.testing.assert_array_equal(extrapolate(none, tail, 2, 2).ravel(), [13, 15])
    np.testing.assert_array_equal(extrapolate(column(7), tail, -1, 3).ravel(), [7, 9, 11])
    inside = extrapolate(column(1, 2), tail, -4, 2)
    np.testing.assert_array_equal(inside.ravel(), [1, 2])
    assert inside.dtype == np.float64


def test_dark_of_one_group_cannot_be_extrapolated(make_ramp, make_reference):
    with pytest.raises(ReferenceError, match="one group"):
        run(make_ramp(np.zeros((1, 2, 1, 1)), **SINGLE), make_reference, column(1))


@pytest.mark.parametrize("pattern", [{"NFRAMES": 4, "GROUPGAP": 0}, {"NFRAMES": 1, "GROUPGAP": 2}])
def test_skipped_for_a_dark_of_coarser_pattern(make_ramp, make_reference, pattern):
    ramp = make_ramp(np.ones((1, 2, 1, 1)), NFRAMES=2, GROUPGAP=1)
    flags = np.ones((1, 1), np.uint32)
    outcome = run(ramp, make_reference, column(5, 6), pattern, DQ=flags)
    assert outcome.status == "SKIPPED"
    assert "greater" in outcome.reason
    assert (ramp.data == 1).all()
    assert not ramp.pixeldq.any()
    assert "AVDRKCUR" in ramp.extra


@pytest.mark.parametrize(
    ("of_dark", "of_exposure", "subtracted"),
    [
        ((2, 0), (4, 2), [1.5, 4.5]),  # two groups, and one is left out
        ((4, 1), (4, 6), [1, 3]),  # every other group
        ((2, 0), (2, 2), [1, 3]),
    ],
)
def test_averages_are_averaged_again(make_ramp, make_reference, of_dark, of_exposure, subtracted):
    def pattern(pair):
        return dict(zip(("NFRAMES", "GROUPGAP"), pair, strict=True))

    ramp = make_ramp(np.zeros((1, 2, 1, 1)), **pattern(of_exposure))
    run(ramp, make_reference, column(1, 2, 3, 4, 5, 6), pattern(of_dark))
    np.testing.assert_array_equal(ramp.data.ravel(), -np.array(subtracted))


@pytest.mark.parametrize("pattern", [(8, 2), (5, 1), (4, 3)])
def test_dark_of_another_pattern_is_refused(make_ramp, make_reference, pattern):
    ramp = make_ramp(np.ones((1, 2, 1, 1)), NFRAMES=pattern[0], GROUPGAP=pattern[1])
    with pytest.raises(ReferenceError, match="groups of 4 frames"):
        run(ramp, make_reference, column(5, 6), {"NFRAMES": 4, "GROUPGAP": 1})


def test_flags_of_the_dark_are_taken_over(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((1, 1, 1, 2)), **SINGLE)
    ramp.pixeldq[0, 0] = 1
    flags = np.array([[1, 0]], np.uint32)
    run(ramp, make_reference, np.zeros((1, 1, 2)), DQ=flags, dq_def=("HOT",))
    np.testing.assert_array_equal(ramp.pixeldq, [[1 | PIXEL["HOT"], 0]])


def test_mean_dark_current_of_parameter_then_plane_then_keyword(make_ramp, make_reference):
    plane = np.array([[0.25, 0.5]], np.float32)
    with_keyword = {**SINGLE, "AVDRKCUR": 0.125}

    def found(header=SINGLE, params=None, **planes):
        ramp = make_ramp(np.zeros((1, 1, 1, 2)), **SINGLE)
        run(ramp, make_reference, np.zeros((1, 1, 2)), header, params=params, **planes)
        assert ramp.extra["AVDRKCUR"].dtype == np.float32
        return ramp.extra["AVDRKCUR"].tolist()

    given = {"average_dark_current": 1.5}
    assert found(with_keyword, given, AVDRKCUR=plane) == [[1.5, 1.5]]
    assert found(with_keyword, AVDRKCUR=plane) == [[0.25, 0.5]]
    assert found(with_keyword, AVDRKCUR=0 * plane) == [[0.125, 0.125]]
    assert found(with_keyword) == [[0.125, 0.125]]
    assert found() == [[0, 0]]


@pytest.mark.parametrize(
    ("intstart", "used"), [(None, [0, 1, 2, 2, 2]), (1, [0, 1, 2, 2, 2]), (2, [2] * 5)]
)
def test_r13_integrations_of_the_dark(make_ramp, make_reference, intstart, used):
    dark = np.arange(3.0).reshape(3, 1, 1, 1).repeat(2, axis=1)
    keywords = {} if intstart is None else {"INTSTART": intstart}
    flags = np.array([1, 2, 4], np.uint32).reshape(3, 1, 1, 1)
    ramp = make_ramp(np.zeros((5, 2, 1, 1)), **SINGLE, **keywords)
    run(ramp, make_reference, dark, DQ=flags)
    np.testing.assert_array_equal(ramp.data[:, 0].ravel(), -np.array(used))
    np.testing.assert_array_equal(ramp.data[:, 1], ramp.data[:, 0])
    np.testing.assert_array_equal(ramp.pixeldq, [[7]])


def test_fewer_integrations_than_in_the_dark(make_ramp, make_reference):
    ramp = make_ramp(np.zeros((2, 1, 1, 1)), **SINGLE)
    run(ramp, make_reference, np.arange(4.0).reshape(4, 1, 1, 1))
    np.testing.assert_array_equal(ramp.data.ravel(), [0, -1])


def test_dark_output_holds_what_was_subtracted(make_ramp, make_reference, tmp_path):
    path = tmp_path / "averaged.fits"
    ramp = make_ramp(np.zeros((2, 2, 1, 1)), NFRAMES=2, GROUPGAP=1)
    header = {**SINGLE, "REFTYPE": "DARK"}
    flags = np.array([[PIXEL["HOT"]]], np.uint32)
    params = {"dark_output": str(path)}
    run(ramp, make_reference, column(1, 3, 50, 7, 9), header, params=params, DQ=flags)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, -ramp.data[0])
        np.testing.assert_array_equal(hdus["DQ"].data, flags)
        written = hdus[0].header
        assert (written["NGROUPS"], written["NFRAMES"], written["GROUPGAP"]) == (2, 2, 1)
        assert written["REFTYPE"] == "DARK"


@pytest.mark.parametrize("intstart", [1, 4])
def test_dark_output_of_several_integrations(make_ramp, make_reference, tmp_path, intstart):
    """All that the dark has, also those that serve no integration of the exposure."""
    path = tmp_path / "averaged.fits"
    ramp = make_ramp(np.zeros((2, 1, 1, 1)), NFRAMES=2, GROUPGAP=0, INTSTART=intstart)
    dark = np.array([[1, 3], [5, 7], [9, 11]]).reshape(3, 2, 1, 1)
    flags = np.array([1, 2, 4], np.uint32).reshape(3, 1, 1, 1)
    run(ramp, make_reference, dark, params={"dark_output": str(path)}, DQ=flags)
    np.testing.assert_array_equal(ramp.data.ravel(), [-2, -6] if intstart == 1 else [-10, -10])
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, [[[[2]]], [[[6]]], [[[10]]]])
        np.testing.assert_array_equal(hdus["DQ"].data, flags)


def test_dark_output_that_cannot_be_written(make_ramp, make_reference, tmp_path):
    ramp = make_ramp(np.zeros((1, 1, 1, 1)), **SINGLE)
    params = {"dark_output": str(tmp_path / "nowhere" / "dark.fits")}
    with pytest.raises(OutputError, match="dark_output"):
        run(ramp, make_reference, column(1), params=params)


def test_strips_and_threads_make_no_difference(make_ramp, make_reference):
    rng = np.random.default_rng(3)
    dark = rng.normal(10, 3, (7, 20, 5)).astype(np.float32)
    data = rng.normal(1e4, 1e3, (2, 3, 20, 5)).astype(np.float32)
    results = []
    for how in ({}, {"strip": 3, "threads": 3}):
        ramp = make_ramp(data, NFRAMES=2, GROUPGAP=1)
        run(ramp, make_reference, dark, how=how)
        results.append(ramp.data)
    np.testing.assert_array_equal(results[0], results[1])
