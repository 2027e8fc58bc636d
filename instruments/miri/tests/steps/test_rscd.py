import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, PIXEL, SATURATED
from heliodor.engine import execute
from heliodor_miri.steps.rscd import SPEC
from heliodor_miri.steps.rscd.params import RscdParams
from numpy.lib.recfunctions import drop_fields

FLUX_ESTIMATED = PIXEL["FLUX_ESTIMATED"]


def skips(first, later, subarray="FULL"):
    rows = [
        ("SUB64", "FASTR1", 9, 9),
        (subarray, "SLOWR1", 9, 9),
        (subarray, "FASTR1", first, later),
    ]
    return np.array(
        rows,
        [("subarray", "S17"), ("readpatt", "S12"), ("group_skip1", "i4"), ("group_skip", "i4")],
    )


@pytest.fixture
def run(make_ramp, make_reference):
    """Run the step on given flags."""

    def run(groupdq, table=None, how=(), **keywords):
        keywords = {"SUBARRAY": "FULL", "READPATT": "FASTR1", "NINTS": len(groupdq), **keywords}
        ramp = make_ramp(np.zeros(groupdq.shape), groupdq=groupdq.copy(), **keywords)
        table = skips(2, 4) if table is None else table
        reference = make_reference("rscd", ramp, RSCD_GROUP_SKIP=table)
        return ramp, execute(SPEC, ramp, RscdParams(), {"rscd": reference}, **dict(how))

    return run


def rejected(ramp):
    """Give how many leading groups of each ramp are rejected; no others may be."""
    bad = (ramp.groupdq & DO_NOT_USE) != 0
    count = bad.sum(axis=1)
    assert (bad == (np.arange(bad.shape[1])[:, None, None] < count[:, None])).all()
    return count


def clean(nints, ngroups, ny=3, nx=2):
    return np.zeros((nints, ngroups, ny, nx), np.uint8)


def test_the_first_integration_has_a_number_of_its_own(run):
    ramp, outcome = run(clean(3, 10))
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(rejected(ramp)[:, 0, 0], [2, 4, 4])
    assert ramp.keywords.changed == {
        "INT1SKIP": 2, "INT1UGP1": 0, "INT1BORS": 0, "INT2SKIP": 4, "INT2UGP1": 0, "INT2BORS": 0,
    }  # fmt: skip


def test_a_later_segment_has_no_first_integration(run):
    ramp, _ = run(clean(2, 10), INTSTART=3, NINTS=4)
    np.testing.assert_array_equal(rejected(ramp)[:, 0, 0], [4, 4])
    assert set(ramp.keywords.changed) == {"INT2SKIP", "INT2UGP1", "INT2BORS"}


def test_a_single_integration(run):
    ramp, _ = run(clean(1, 10))
    assert rejected(ramp)[0, 0, 0] == 2
    assert set(ramp.keywords.changed) == {"INT1SKIP", "INT1UGP1", "INT1BORS"}


@pytest.mark.parametrize(
    ("ngroups", "expected"), [(3, [0, 0]), (4, [1, 1]), (5, [1, 1]), (6, [2, 3]), (7, [2, 4])]
)
def test_short_ramps_keep_three_groups(run, ngroups, expected):
    ramp, _ = run(clean(2, ngroups))
    np.testing.assert_array_equal(rejected(ramp)[:, 0, 0], expected)


def test_two_groups_are_too_few(run):
    ramp, outcome = run(clean(2, 2))
    assert outcome.status == "SKIPPED"
    assert not ramp.groupdq.any()


@pytest.mark.parametrize("keywords", [{"READPATT": "FAST"}, {"SUBARRAY": "SUB128"}])
def test_read_out_that_the_reference_does_not_know(run, keywords):
    ramp, outcome = run(clean(1, 10), **keywords)
    assert outcome.status == "SKIPPED"
    assert not ramp.groupdq.any()


def test_old_names_and_old_files(run):
    table = skips(-1, 4, "SLITLESSPRISM")
    ramp, _ = run(clean(2, 10), table, SUBARRAY="SUBPRISM")
    np.testing.assert_array_equal(rejected(ramp)[:, 0, 0], [1, 4])
    older = drop_fields(table, "group_skip1")
    ramp, _ = run(clean(2, 10), older, SUBARRAY="SUBPRISM")
    np.testing.assert_array_equal(rejected(ramp)[:, 0, 0], [1, 4])


@pytest.mark.parametrize(
    ("saturated_from", "kept"), [(6, 4), (5, 3), (4, 2), (3, 1), (2, 0), (1, 0), (0, 4)]
)
def test_early_saturation_gives_groups_back(run, saturated_from, kept):
    # four groups are rejected; two more are wanted before saturation
    flags = clean(2, 10)
    flags[1, saturated_from:, 1, 1] = SATURATED
    ramp, _ = run(flags)
    expected = np.full((2, 3, 2), 4)
    expected[0] = 2
    expected[1, 1, 1] = kept
    np.testing.assert_array_equal(rejected(ramp), expected)
    assert (ramp.pixeldq[1, 1] == FLUX_ESTIMATED) == (kept < 4)
    assert np.count_nonzero(ramp.pixeldq) == (kept < 4)
    assert ramp.keywords["INT2BORS"] == (kept < 4)
    assert ramp.keywords["INT2UGP1"] == (kept == 0)
    assert ramp.keywords["INT1BORS"] == 0


def plain(groupdq, pixeldq, begin, end, skip):
    """Do the same pixel by pixel."""
    for y, x in np.ndindex(pixeldq.shape):
        for integration in range(begin, end):
            ramp = groupdq[integration, :, y, x]
            count = skip
            if not ramp[0] & SATURATED:
                good = 0  # groups before saturation, at most those that are looked at
                while good < skip + 2 and not ramp[good] & SATURATED:
                    good += 1
                count = max(skip - (skip + 2 - good), 0)
            ramp[:count] |= DO_NOT_USE
            if count < skip:
                pixeldq[y, x] |= FLUX_ESTIMATED


@pytest.mark.parametrize("how", [{}, {"strip": 2, "threads": 3}])
def test_random_ramps(run, how):
    rng = np.random.default_rng(3)
    flags = rng.choice([0, JUMP_DET], (3, 9, 20, 11), p=[0.9, 0.1]).astype(np.uint8)
    since = rng.integers(0, 14, (3, 20, 11))
    flags[np.arange(9)[:, None, None] >= since[:, None]] |= SATURATED
    expected, pixeldq = flags.copy(), np.zeros((20, 11), np.uint32)
    plain(expected, pixeldq, 0, 1, 2)
    plain(expected, pixeldq, 1, 3, 4)
    ramp, _ = run(flags, how=how)
    np.testing.assert_array_equal(ramp.groupdq, expected)
    np.testing.assert_array_equal(ramp.pixeldq, pixeldq)
