import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, PERSISTENCE, SATURATED
from heliodor.engine import execute
from heliodor_detector.steps.saturation import SPEC as SATURATION
from heliodor_detector.steps.saturation.params import SaturationParams

NINTS, NGROUPS, NY, NX = 2, 6, 90, 110
Y, X = np.mgrid[:NY, :NX]


def disc(x, y, radius):
    return (X - x) ** 2 + (Y - y) ** 2 < radius**2


def flags():
    return np.zeros((NINTS, NGROUPS, NY, NX), np.uint8)


def snowball(groupdq, x, y, group=2, radius=8, core=3, integration=0, core_after=0):
    """Flag a disc of jumps whose core is saturated from the same or a later group on."""
    groupdq[integration, group][disc(x, y, radius)] |= JUMP_DET
    if core:
        groupdq[integration, group + core_after :, disc(x, y, core)] |= SATURATED
    both = (groupdq & SATURATED > 0) & (groupdq & JUMP_DET > 0)
    groupdq[both] &= 255 - JUMP_DET


@pytest.fixture
def run(run_jump):
    """Run the step on smooth ramps: all jumps are those flagged before."""

    def run(groupdq, **params):
        data = np.zeros(groupdq.shape, np.float32)
        ramp, _ = run_jump(data, groupdq, **({"expand_large_events": True} | params))
        intervals = NINTS * (NGROUPS - 1)
        return ramp.groupdq, ramp.keywords["EXTNCRS"] * intervals * 10 * NY * NX / 1e6

    return run


def test_a_snowball_and_its_core_grow(run):
    groupdq = flags()
    snowball(groupdq, 50, 40)
    groupdq[0, 2, 40, 54] = DO_NOT_USE | PERSISTENCE
    out, count = run(groupdq)
    assert count == pytest.approx(1)
    # jumps around the core: axes of 2 * sqrt(8**2 + 3**2) - 1 = 16.1, and twice that
    jumps = out[0, 2] & JUMP_DET > 0
    saturated = out[0, 2] & SATURATED > 0
    np.testing.assert_array_equal(jumps | saturated, disc(50, 40, 16))
    # the core of radius 3 is 4.6 wide: two pixels more on all sides
    np.testing.assert_array_equal(saturated, disc(50, 40, 4))
    for group in range(2, NGROUPS):
        np.testing.assert_array_equal(out[0, group] == SATURATED, disc(50, 40, 4))
    assert out[0, 2, 40, 54] == DO_NOT_USE | PERSISTENCE | JUMP_DET
    assert not (out[0, 3:] & JUMP_DET).any()
    assert not out[0, :2].any()


def test_cores_are_flagged_in_the_next_integration(run):
    groupdq = flags()
    snowball(groupdq, 50, 40)
    snowball(groupdq, 70, 60, integration=1)
    core = disc(50, 40, 2)
    for params, groups in (
        ({}, range(1, NGROUPS)),
        ({"snowball_time_masked_next_int": 39}, range(1, 3)),
        ({"snowball_time_masked_next_int": 19}, range(0)),
        ({"snowball_time_masked_next_int": 9}, range(0)),
        ({"mask_snowball_core_next_int": False}, range(0)),
    ):
        out, _ = run(groupdq, **params)
        without = disc(70, 60, 20)
        for group in range(NGROUPS):
            expected = core & (group in groups)
            np.testing.assert_array_equal((out[1, group] & JUMP_DET > 0) & ~without, expected)


def test_a_core_is_needed_but_not_at_edges(run):
    groupdq = flags()
    snowball(groupdq, 50, 40, core=0)
    assert run(groupdq)[1] == 0
    np.testing.assert_array_equal(run(groupdq)[0], groupdq)
    assert run(groupdq, sat_required_snowball=False)[1] == pytest.approx(1)
    for x, y, near in (
        (24, 40, 1),
        (26, 40, 0),
        (84, 40, 0),
        (86, 40, 1),
        (50, 24, 1),
        (50, 66, 1),
    ):
        groupdq = flags()
        snowball(groupdq, x, y, core=0)
        assert run(groupdq)[1] == pytest.approx(near), (x, y)
        assert run(groupdq, edge_size=0)[1] == 0


@pytest.mark.parametrize("as_jwst", [False, True])
@pytest.mark.parametrize("upright", [False, True])
def test_where_a_core_is_looked_for(run, as_jwst, upright):
    """A long region with its core off the centre: operations turn the ellipse the other way."""
    groupdq = flags()
    long, wide = (Y - 45, X - 55) if upright else (X - 55, Y - 45)
    region = (long / 18) ** 2 + (wide / 6) ** 2 < 1
    core = (long - 9) ** 2 + wide**2 < 1.5**2
    groupdq[0, 2][region & ~core] = JUMP_DET
    groupdq[0, 2:, core] = SATURATED
    out, count = run(groupdq, large_events_as_jwst=as_jwst)
    assert count == pytest.approx(0 if as_jwst else 1)
    assert (out[0, 2] & JUMP_DET > 0).sum() == region.sum() - core.sum() or not as_jwst


def test_edges_of_columns_as_jwst_has_them(run):
    """It takes the number of rows, here 90, for that of columns, 110."""
    groupdq = flags()
    snowball(groupdq, 70, 45, core=0)
    assert run(groupdq)[1] == 0
    assert run(groupdq, large_events_as_jwst=True)[1] == pytest.approx(1)
    assert run(groupdq, large_events_as_jwst=True, edge_size=10)[1] == 0


def breakthrough(use_readpatt, make_ramp, make_reference):
    """Run saturation on a snowball whose core is hit in the last of a group's four frames."""
    data = np.broadcast_to(1000.0 + 50 * np.arange(NGROUPS)[:, None, None], (1, NGROUPS, NY, NX))
    data = data.copy()
    data[0, 1:, disc(50, 40, 9)] += 3000
    # one frame of four at full well, and all of the next group
    data[0, 1, disc(50, 40, 4)] = 16000
    data[0, 2:, disc(50, 40, 4)] = 60000
    ramp = make_ramp(data, NFRAMES=4, TGROUP=10.0)
    plane = {name: np.full((NY, NX), value, np.float32)
             for name, value in (("saturation", 58000), ("superbias", 0))}  # fmt: skip
    refs = {name: make_reference(name, ramp, SCI=value) for name, value in plane.items()}
    execute(SATURATION, ramp, SaturationParams(use_readpatt=use_readpatt), refs)
    return ramp


@pytest.mark.parametrize("use_readpatt", [True, False])
def test_b15_breakthrough_snowballs_are_found(make_ramp, make_reference, run_jump, use_readpatt):
    ramp = breakthrough(use_readpatt, make_ramp, make_reference)
    core = disc(50, 40, 4)
    hidden = (ramp.groupdq[0, 1] & DO_NOT_USE) > 0
    np.testing.assert_array_equal(hidden[core], use_readpatt)
    out, _ = run_jump(ramp.data, ramp.groupdq, expand_large_events=True)
    assert out.keywords["EXTNCRS"] > 0
    flagged = out.groupdq[0, 1] & (JUMP_DET | DO_NOT_USE) > 0
    assert flagged[disc(50, 40, 15)].all()
    assert (out.groupdq[0, 2:] & SATURATED > 0)[:, disc(50, 40, 6)].all()


def test_without_required_cores_saturation_does_not_grow(run):
    groupdq = flags()
    snowball(groupdq, 50, 40)
    out, _ = run(groupdq, sat_required_snowball=False)
    np.testing.assert_array_equal(out & SATURATED, groupdq & SATURATED)
    assert not out[1].any()


@pytest.mark.parametrize(("later", "found"), [(0, 1), (1, 1), (2, 0)])
def test_the_core_may_saturate_in_the_next_group(run, later, found):
    groupdq = flags()
    snowball(groupdq, 50, 40, core_after=later)
    out, count = run(groupdq)
    assert count == pytest.approx(found)
    # but what saturates grows anyhow
    assert out[0, 2 + later, 40, 53] & SATURATED
    assert out[0, 1 + later, 40, 53] & SATURATED == 0


def test_what_was_saturated_before_is_no_core(run):
    groupdq = flags()
    groupdq[0, :, disc(50, 40, 3)] = SATURATED
    groupdq[0, 2][disc(50, 40, 8) & ~disc(50, 40, 3)] = JUMP_DET
    out, count = run(groupdq)
    assert count == 0
    np.testing.assert_array_equal(out, groupdq)


def test_a_core_outside_does_not_count(run):
    groupdq = flags()
    snowball(groupdq, 40, 40, core=0)
    groupdq[0, 2:, disc(60, 40, 3)] = SATURATED
    assert run(groupdq)[1] == 0


def test_small_ones(run):
    groupdq = flags()
    snowball(groupdq, 50, 40, radius=2.5, core=1)  # 21 pixels, one of them saturated
    assert run(groupdq, min_jump_area=21)[1] == pytest.approx(1)
    assert run(groupdq, min_jump_area=22)[1] == 0
    assert run(groupdq, min_sat_area=2)[1] == 0
    out, _ = run(groupdq)
    np.testing.assert_array_equal(out & SATURATED, groupdq & SATURATED)
    assert not out[1].any()


def test_sizes(run):
    groupdq = flags()
    snowball(groupdq, 50, 40)
    out, _ = run(groupdq, max_extended_radius=11, sat_expand=4)
    np.testing.assert_array_equal(out[0, 2] > 0, disc(50, 40, 11))
    np.testing.assert_array_equal(out[0, 2] == SATURATED, disc(50, 40, 6))
    out, _ = run(groupdq, expand_factor=1, min_sat_radius_extend=5)
    np.testing.assert_array_equal(out[0, 3] == SATURATED, disc(50, 40, 3))
    assert not out[1].any()


def test_many_at_once_whatever_the_threads(run):
    rng = np.random.default_rng(11)
    groupdq = flags()
    for _ in range(12):
        x, y = rng.uniform(0, NX), rng.uniform(0, NY)
        i, group = rng.integers(NINTS), rng.integers(1, NGROUPS)
        snowball(groupdq, x, y, group, rng.uniform(3, 12), rng.uniform(0, 5), i)
    groupdq[rng.random(groupdq.shape) < 0.01] |= JUMP_DET
    first, count = run(groupdq)
    assert count > 5
    for threads, strip in ((2, 7), (3, 90)):
        again, same = run(groupdq, threads=threads, strip=strip)
        np.testing.assert_array_equal(again, first)
        assert same == count


def test_r12_rate_of_snowballs_in_the_header(run_jump):
    # per million pixels and second; a group that is not to be used is not observed
    groupdq = flags()
    snowball(groupdq, 50, 40)
    snowball(groupdq, 70, 20, integration=1)
    groupdq[1, -1] = DO_NOT_USE
    ramp, _ = run_jump(np.zeros(groupdq.shape), groupdq, expand_large_events=True)
    observed = 10.0 * (NINTS * (NGROUPS - 1) - 1) * NY * NX
    assert ramp.keywords["EXTNCRS"] == pytest.approx(2e6 / observed)


def test_off_by_default(run):
    groupdq = flags()
    snowball(groupdq, 50, 40)
    out, count = run(groupdq, expand_large_events=False)
    np.testing.assert_array_equal(out, groupdq)
    assert count == 0
