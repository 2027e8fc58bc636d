import numpy as np
import pytest
from heliodor_fgs.steps.guider_cds.kernel import error, rise, rise_of_averages, smallest_rise


def ramps(*integrations):
    """Make (nints, ngroups, 1, 1) of the values of each integration's groups."""
    return np.array(integrations, np.float32)[..., None, None]


def test_rise_is_the_second_group_less_the_first():
    np.testing.assert_array_equal(rise(ramps([10, 13], [10, 4])).ravel(), [3, -6])


def test_the_smaller_of_two_rises_has_no_particle():
    found = smallest_rise(ramps([10, 510], [20, 23], [7, 0]))
    assert found.shape == (1, 1, 1)
    assert found.item() == 3


def test_a_single_integration_is_its_own_smallest():
    assert smallest_rise(ramps([10, 14])).item() == 4


def test_averages_of_four_groups_at_either_end():
    ramp = np.arange(10) ** 2
    found = rise_of_averages(ramps(ramp))
    assert found.item() == np.float32((36 + 49 + 64 + 81) / 4 - (0 + 1 + 4 + 9) / 4)


def test_averages_may_share_groups():
    assert rise_of_averages(ramps([0, 1, 2, 3, 4])).item() == 1


def test_error_by_hand():
    """Two reads of 6 DN, 100 DN of light at 2 electron/DN, 0.5 s."""
    one = np.ones((1, 1), np.float32)
    found = error(np.full((1, 1, 1), 100, np.float32), 0.5, 2 * one, 6 * one)
    assert found.item() == pytest.approx(np.sqrt(2 * 12**2 + 100 / (2 * 0.5)))
    assert found.dtype == np.float32


def test_a_negative_rise_has_no_noise_of_light():
    one = np.ones((1, 1), np.float32)
    found = error(np.full((1, 1, 1), -100, np.float32), 2.0, one, 6 * one)
    assert found.item() == pytest.approx(np.sqrt(2) * 3)


def test_error_without_a_gain():
    rises = np.array([[[0.0, 1.0, -1.0]]], np.float32)
    found = error(rises, 1.0, np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32))
    np.testing.assert_array_equal(found, [[[np.nan, np.inf, np.sqrt(np.float32(2))]]])
