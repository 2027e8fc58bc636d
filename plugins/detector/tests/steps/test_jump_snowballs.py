import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, PERSISTENCE, SATURATED

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
