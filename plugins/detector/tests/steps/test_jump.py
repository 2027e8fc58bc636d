import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, NO_GAIN_VALUE, PERSISTENCE, SATURATED
from heliodor.engine import execute
from heliodor.errors import ExposureError
from heliodor_detector.steps.jump import SPEC
from heliodor_detector.steps.jump.params import JumpParams

GROUP_TIME = 10.0


@pytest.fixture
def run(run_jump):
    return run_jump


def slopes(nints, ngroups, ny, nx, rate=20.0):
    """Make noiseless ramps."""
    groups = np.arange(ngroups, dtype=np.float32)[:, None, None] * rate
    return np.broadcast_to(groups, (nints, ngroups, ny, nx)).copy()


def jumps(ramp):
    return np.argwhere(ramp.groupdq & JUMP_DET).tolist()


@pytest.mark.parametrize("ngroups", [5, 12], ids=["iterative", "single pass"])
def test_one_hit_is_flagged_with_its_neighbours(run, ngroups):
    data = slopes(1, ngroups, 5, 6)
    # sigma = sqrt(2 * 20 + 10**2) = 11.8 e-: 100 DN are 16.9 sigma
    data[0, 3:, 2, 3] += 100
    ramp, outcome = run(data)
    assert outcome.status == "COMPLETE"
    assert jumps(ramp) == [[0, 3, 1, 3], [0, 3, 2, 2], [0, 3, 2, 3], [0, 3, 2, 4], [0, 3, 3, 3]]


@pytest.mark.parametrize(
    ("height", "flagged"), [(20, 0), (30, 1), (50, 1), (70, 5), (5800, 5), (6000, 1)]
)
def test_neighbours_are_flagged_within_a_range_of_heights(run, height, flagged):
    # sigma = 11.83 e- = 5.92 DN: 3.4, 5.1, 8.5, 11.8, 980 and 1014 sigma
    data = slopes(1, 12, 3, 3)
    data[0, 6:, 1, 1] += height
    ramp, _ = run(data)
    assert len(jumps(ramp)) == flagged


def test_neighbours_at_the_edge_and_switched_off(run):
    data = slopes(1, 5, 3, 3)
    data[0, 2:, 0, 2] += 100
    assert jumps(run(data)[0]) == [[0, 2, 0, 1], [0, 2, 0, 2], [0, 2, 1, 2]]
    assert jumps(run(data, flag_4_neighbors=False)[0]) == [[0, 2, 0, 2]]


def test_neighbours_that_cannot_be_used_stay_as_they_are(run):
    data = slopes(1, 5, 3, 3)
    data[0, 2:, 1, 1] += 100
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 2:, 1, 0] = SATURATED
    groupdq[0, 2, 0, 1] = DO_NOT_USE | PERSISTENCE
    ramp, _ = run(data, groupdq)
    assert jumps(ramp) == [[0, 2, 1, 1], [0, 2, 1, 2], [0, 2, 2, 1]]
    assert ramp.groupdq[0, 2, 0, 1] == DO_NOT_USE | PERSISTENCE


def test_several_hits_of_a_pixel_are_found_one_after_another(run):
    data = slopes(2, 6, 1, 1)
    data[0, 2:] += 1000
    data[0, 4:] += 200
    data[1, 1:] += 50
    ramp, _ = run(data)
    assert jumps(ramp) == [[0, 2, 0, 0], [0, 4, 0, 0], [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("ngroups", "sigmas", "flagged"),
    # with two differences the smaller is the median, with three the middle one
    [(3, 5.9, 0), (3, 6.1, 1), (4, 4.9, 0), (4, 5.1, 1), (5, 3.9, 0), (5, 4.1, 1)],
)
def test_thresholds_for_few_groups(run, ngroups, sigmas, flagged):
    data = slopes(1, ngroups, 1, 1)
    data[0, 1:] += sigmas * np.sqrt(2 * 20 + 10**2) / 2
    ramp, _ = run(data)
    assert len(jumps(ramp)) == flagged


def test_two_usable_differences_among_more(run):
    data = slopes(1, 6, 1, 2)
    data[0, 1:] += 5 * np.sqrt(2 * 20 + 10**2) / 2
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 3:, 0, 0] = SATURATED
    ramp, _ = run(data, groupdq)  # 5 sigma: enough with five differences, not with two
    assert jumps(ramp) == [[0, 1, 0, 1]]


def test_a_falling_step_counts_by_its_size_in_a_single_pass_only(run):
    data = slopes(1, 12, 1, 1)
    data[0, 5:] -= 40
    assert jumps(run(data)[0]) == [[0, 5, 0, 0]]
    # as in operations, the iterative search takes absolute values: |20 - 40| is no different
    assert jumps(run(data[:, :8])[0]) == []


@pytest.mark.parametrize("nints", [20, 30])
@pytest.mark.parametrize("only_use_ints", [True, False])
def test_r10_clipping_over_integrations(run, nints, only_use_ints):
    rng = np.random.default_rng(nints)
    data = slopes(nints, 3, 2, 2) + rng.normal(size=(nints, 3, 2, 2))
    data[7, 2:, 1, 0] += 100
    params = {"minimum_sigclip_groups": 20, "only_use_ints": only_use_ints}
    ramp, _ = run(data, flag_4_neighbors=False, **params)
    assert jumps(ramp) == [[7, 2, 1, 0]]
    assert ramp.keywords["PRIMECRS"] == pytest.approx(1000 / (2 * nints * GROUP_TIME * 4))


def test_r10_a_group_that_is_clipped_everywhere_is_no_cosmic_ray(run):
    # flags that are nothing but JUMP_DET go, others stay
    data = slopes(20, 4, 2, 2)
    data[5, 2:] += 1000
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[5, 2, 0, 0] = PERSISTENCE
    ramp, _ = run(data, groupdq, minimum_sigclip_groups=20, flag_4_neighbors=False)
    assert jumps(ramp) == [[5, 2, 0, 0]]


def test_r10_r11_when_clipping_is_chosen(run):
    # by integrations, or by usable groups of all of them
    data = slopes(10, 4, 1, 2)
    # 5 sigma; as one of n it is n / sqrt(n - 1) standard deviations: 3.3 of 10, 5.6 of 30
    data[3, 2:, 0, 0] += 30
    for params, flagged in (
        ({"minimum_sigclip_groups": 10}, 0),
        ({"minimum_sigclip_groups": 11}, 1),
        ({"minimum_sigclip_groups": 40, "only_use_ints": False}, 1),
    ):
        ramp, _ = run(data, **params)
        assert len(jumps(ramp)) == flagged, params


def test_r11_defaults_are_those_of_operations():
    params = JumpParams()
    assert params.minimum_groups == 3
    assert params.minimum_sigclip_groups == 100
    assert params.only_use_ints is True


def test_r10_clipping_needs_as_many_integrations_as_the_parameter_says(run):
    # 99 are compared with the noise of the references, 100 with each other
    data = slopes(100, 4, 1, 2)
    data[5, 2:, 0, 0] += 70  # 0.7 sigma of the references; all others are the same
    for nints in (99, 100):
        ramp, _ = run(data[:nints], readnoise=100.0, flag_4_neighbors=False)
        assert len(jumps(ramp)) == (nints == 100)


def test_r11_too_few_usable_groups(run):
    # complete, but nothing is found and nothing counted
    data = slopes(1, 4, 1, 1)
    data[0, 2:] += 1000
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[:, 3] = DO_NOT_USE
    assert jumps(run(data, groupdq)[0]) == [[0, 2, 0, 0]]
    groupdq[:, 0] = DO_NOT_USE
    ramp, outcome = run(data, groupdq)
    assert outcome.status == "COMPLETE"
    assert jumps(ramp) == []
    assert "PRIMECRS" not in ramp.keywords
    assert jumps(run(data, minimum_groups=5)[0]) == []


@pytest.mark.parametrize("ngroups", [1, 2])
def test_short_ramps_are_skipped(run, ngroups):
    ramp, outcome = run(slopes(2, ngroups, 2, 2), gain=-1.0)
    assert outcome.status == "SKIPPED"
    assert "NGROUPS" in outcome.reason
    assert not ramp.pixeldq.any()


def test_r12_rate_of_jumps_in_the_header(run):
    # per 1000 pixels and second, before neighbours; unusable groups are not observed
    data = slopes(2, 7, 4, 5)
    data[1, 3:, 2, 2] += 100
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 6] = DO_NOT_USE
    ramp, _ = run(data, groupdq)
    assert len(jumps(ramp)) == 5
    assert ramp.keywords["PRIMECRS"] == pytest.approx(1000 * 1 / (11 * GROUP_TIME * 20))
    assert ramp.keywords["EXTNCRS"] == 0


def test_r12_no_rate_where_no_time_was_observed(run):
    data = slopes(2, 4, 2, 2)
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[:, 1:] = DO_NOT_USE  # one usable group each: no difference, no seconds
    ramp, outcome = run(data, groupdq, minimum_sigclip_groups=2)
    assert outcome.status == "COMPLETE"
    assert not {"PRIMECRS", "EXTNCRS"} & set(ramp.keywords)
    groupdq[0, 1] = 0
    ramp, _ = run(data, groupdq, minimum_sigclip_groups=2)
    assert ramp.keywords["PRIMECRS"] == ramp.keywords["EXTNCRS"] == 0


def test_groups_after_large_jumps(run):
    data = slopes(2, 9, 1, 4)
    data[0, 2:, 0, 0] += 150
    data[0, 2:, 0, 1] += 90
    data[0, 2:, 0, 2] += 40
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, 4, 0, 0] = DO_NOT_USE
    ramp, _ = run(
        data, groupdq, flag_4_neighbors=False,
        after_jump_flag_dn1=80, after_jump_flag_time1=29.9,
        after_jump_flag_dn2=120, after_jump_flag_time2=1000,
    )  # fmt: skip
    flagged = ramp.groupdq[:, :, 0] & JUMP_DET > 0
    assert np.flatnonzero(flagged[0, :, 0]).tolist() == [2, 3, 5, 6, 7, 8]
    assert np.flatnonzero(flagged[0, :, 1]).tolist() == [2, 3, 4]
    assert np.flatnonzero(flagged[0, :, 2]).tolist() == [2]
    assert not flagged[1].any()
    assert not flagged[:, :, 3].any()


def test_height_of_large_jumps_is_that_of_the_middle_gain(run):
    gain = np.array([[1, 1, 4, np.nan]])  # its median is 1: 80 DN are 80 e-, 20 DN here
    data = slopes(1, 9, 1, 4)
    data[0, 2:, 0, 2] += 50
    ramp, _ = run(
        data, gain=gain, flag_4_neighbors=False, after_jump_flag_dn1=80, after_jump_flag_time1=20
    )
    assert jumps(ramp) == [[0, 2, 0, 2], [0, 3, 0, 2], [0, 4, 0, 2]]


def test_redundant_flags_are_removed_whatever_set_them(run):
    groupdq = np.zeros((1, 4, 1, 3), np.uint8)
    groupdq[0, 0, 0] = JUMP_DET | SATURATED, JUMP_DET | DO_NOT_USE | PERSISTENCE, JUMP_DET
    ramp, _ = run(slopes(1, 4, 1, 3), groupdq)
    assert ramp.groupdq[0, 0, 0].tolist() == [SATURATED, DO_NOT_USE | PERSISTENCE, JUMP_DET]


def test_pixels_without_gain_and_noise(run):
    gain = np.array([[0, -2, np.nan, 2, 2]])
    readnoise = np.array([[5, 5, 5, 0, np.nan]])
    data = slopes(1, 6, 1, 5)
    data[0, :, 0, 3] = 0
    data[0, 3:, 0, :] += 1000
    ramp, _ = run(data, gain=gain, readnoise=readnoise, flag_4_neighbors=False)
    bad = NO_GAIN_VALUE | DO_NOT_USE
    assert ramp.pixeldq[0].tolist() == [bad, bad, bad, 0, 0]
    # no signal and no read noise: sigma is zero, so nothing can stand out
    assert jumps(ramp) == [[0, 3, 0, 1]]


def test_pixels_without_data(run):
    data = slopes(1, 6, 1, 4)
    data[0, :, 0, 0] = np.nan
    data[0, 3, 0, 1] = np.nan
    data[0, 4, 0, 2] = np.inf
    data[0, 2:, 0, 1:3] += 500
    groupdq = np.zeros(data.shape, np.uint8)
    groupdq[0, :, 0, 3] = SATURATED
    ramp, _ = run(data, groupdq, flag_4_neighbors=False)
    assert jumps(ramp) == [[0, 2, 0, 1], [0, 2, 0, 2]]


def test_keywords_that_must_be_there(make_ramp, make_reference):
    ramp = make_ramp(slopes(1, 5, 1, 1), TGROUP=1.0)
    plane = np.ones((1, 1), np.float32)
    references = {name: make_reference(name, ramp, SCI=plane) for name in ("gain", "readnoise")}
    with pytest.raises(ExposureError, match="NFRAMES"):
        execute(SPEC, ramp, JumpParams(), references)
