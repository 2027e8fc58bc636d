from __future__ import annotations

import json

import numpy as np
import pytest
from heliodor.bits import PIXEL
from heliodor_simulate import recovery
from heliodor_simulate.particles import EVENT, HIT

JUMP, FULL, USELESS = PIXEL["JUMP_DET"], PIXEL["SATURATED"], PIXEL["DO_NOT_USE"]
SHAPE = (20, 30)


@pytest.fixture
def truth():
    """A detector without a past: 10 groups of 2 frames, gain 2, read noise 10 electrons."""
    one = np.ones(SHAPE, np.float32)
    return {
        "rate_e": 2 * one, "flat": one, "gain": 2 * one, "dark": 0 * one, "readnoise": 5 * one,
        "mask": np.zeros(SHAPE, np.uint32), "refpix": np.zeros(SHAPE, bool),
        "hits": np.zeros(0, HIT), "first_saturated_group": np.full((1, *SHAPE), 255, np.uint8),
        "mode": json.dumps({"nframes": 2, "ngroups": 10, "tgroup": 1.0, "tframe": 0.5}),
    }  # fmt: skip


@pytest.fixture
def dq():
    return np.zeros((1, *SHAPE), np.uint32)


def hit(truth, *, group, frame, electrons, y=10, x=15):
    truth["hits"] = np.array([(0, group, frame, y, x, electrons)], HIT)


def test_pulls_count_errors(truth, dq):
    slope = np.full(SHAPE, 1.5)
    truth["refpix"][0] = True
    dq[0, 1] = USELESS
    error = np.full(SHAPE, 0.25)
    error[2] = 0
    pulls = recovery.pulls(slope, error, dq[0], truth)
    assert np.isnan(pulls[:3]).all()
    assert (pulls[3:] == 2).all()


def test_pulls_are_described_by_signal(truth):
    random = np.random.default_rng(1)
    truth["rate_e"] = np.repeat([0.5, 50], 10)[:, None] * np.ones(SHAPE)
    pulls = random.normal(0.5, 2, SHAPE)
    pulls[0, 0] = 100
    pulls[0, 1] = np.nan
    faint, bright = recovery.by_signal(pulls, truth)
    assert (faint.low, bright.low) == (0, 10)
    assert (faint.number, bright.number) == (299, 300)
    for each in (faint, bright):
        assert each.median == pytest.approx(0.5, abs=0.4)
        assert each.width == pytest.approx(2, abs=0.4)
    assert faint.beyond >= 1 / 299


def test_bins_with_few_pixels_say_nothing(truth):
    truth["rate_e"][:] = 0.5
    truth["rate_e"][0, :10] = 50
    assert [each.low for each in recovery.by_signal(np.zeros(SHAPE), truth)] == [0]


@pytest.mark.parametrize(
    ("group", "frame", "electrons", "counts"),
    [
        (5, 0, 90, True),  # sigma of a difference of two groups: (2 * 10**2 / 2 + 2) ** 0.5
        (5, 0, 70, False),
        (5, 1, 90, False),  # half of it is in one difference, half in the next
        (5, 1, 180, True),
        (0, 0, 900, False),  # there from the start
        (0, 1, 180, True),
        (9, 1, 180, True),
        (9, 1, 90, False),
    ],
)
def test_particles_that_have_to_be_found(truth, dq, group, frame, electrons, counts):
    hit(truth, group=group, frame=frame, electrons=electrons)
    assert recovery.jumps(dq, truth).number == counts
    if counts:
        assert recovery.jumps(dq, truth).caught == 0
        dq[0, 10, 15] = JUMP
        assert recovery.jumps(dq, truth).caught == 1


def test_flags_near_a_particle_are_not_false(truth, dq):
    hit(truth, group=5, frame=0, electrons=10)
    dq[0, 9:12, 14:17] = JUMP
    assert recovery.jumps(dq, truth).false == 0
    dq[0, 0, 0] = JUMP
    found = recovery.jumps(dq, truth)
    assert found.clean == 20 * 30 - 13
    assert found.false == 1 / found.clean


def test_particles_in_saturated_groups_are_lost(truth, dq):
    hit(truth, group=5, frame=0, electrons=1000)
    truth["first_saturated_group"][0, 11, 15] = 6  # flags of a neighbour grow by a pixel
    assert recovery.jumps(dq, truth).number == 1
    truth["first_saturated_group"][0, 11, 15] = 5
    assert recovery.jumps(dq, truth).number == 0


def test_saturation(truth, dq):
    truth["first_saturated_group"][0, 10, 14:16] = 3
    truth["mask"][10, 14] = PIXEL["NO_SAT_CHECK"]
    dq[0, 9:12, 14:17] = FULL
    assert recovery.saturation(dq, truth) == recovery.Found(1, 1.0, 20 * 30 - 3 * 4, 0.0)
    dq[0, 10, 15] = 0
    dq[0, 0, 0] = FULL
    found = recovery.saturation(dq, truth)
    assert found.caught == 0
    assert found.false == 1 / found.clean


def test_nothing_to_be_found_is_no_number(truth, dq):
    assert np.isnan(recovery.jumps(dq, truth).caught)
    assert np.isnan(recovery.saturation(dq, truth).caught)


def test_truth_is_read_from_its_file(truth, tmp_path):
    np.savez(tmp_path / "truth.npz", **truth)
    read = recovery.read_truth(tmp_path / "truth.npz")
    assert (recovery.true_slope(read) == 1).all()


def test_particles_in_groups_left_out_do_not_count(truth, dq):
    mode = json.loads(truth["mode"]) | {"groups_used": (2, 9)}
    truth["mode"] = json.dumps(mode)
    for group, counts in ((2, False), (3, True), (8, True), (9, False)):
        hit(truth, group=group, frame=0, electrons=900)
        assert recovery.jumps(dq, truth).number == counts


def test_snowballs_count_with_all_they_touch(truth, dq):
    ball = np.zeros(1, EVENT)
    ball["group"], ball["y"], ball["x"], ball["radius"] = 4, 10.4, 15.2, 1.0
    truth["events"] = ball
    y, x = np.nonzero(np.hypot(*(np.mgrid[:20, :30] - [[[10]], [[15]]])) < 4)
    truth["hits"] = np.zeros(y.size, HIT)
    truth["hits"]["y"], truth["hits"]["x"] = y, x
    found = recovery.snowballs(dq, truth)
    assert (found.number, found.caught, found.false) == (45, 0, 0)
    dq[0, 10, 12:19] = JUMP
    dq[0, 10, 15] = FULL
    dq[0, 0, 0] = JUMP
    found = recovery.snowballs(dq, truth)
    assert found.caught == 7 / 45
    assert found.false == 1 / found.clean
    ball["group"] = 0  # no step of the ramp shows it
    assert recovery.snowballs(dq, truth).number == 0
