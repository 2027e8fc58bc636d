"""The step destripe: a known answer, and what every step promises."""

from __future__ import annotations

import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE
from heliodor.testing import conformance, make_ramp, run_step

from heliodor_destripe import plugin
from heliodor_destripe.destripe import destripe

STRIPES = np.array([[1.0], [5.0], [3.0]])


def test_a_known_answer():
    image = np.zeros((3, 4)) + STRIPES
    groupdq = np.zeros((3, 4), np.uint8)
    image[1, 2], groupdq[1, 2] = 900, DO_NOT_USE
    expected = np.zeros((3, 4))
    expected[1, 2] = 895
    np.testing.assert_array_equal(destripe(image, groupdq), expected)


def test_a_row_without_good_pixels_stays():
    groupdq = np.full((3, 4), DO_NOT_USE, np.uint8)
    np.testing.assert_array_equal(destripe(np.ones((3, 4)), groupdq), np.ones((3, 4)))


@pytest.mark.parametrize(("strength", "left"), [(1.0, 0.0), (0.5, 0.5)])
def test_it_runs_on_a_ramp(strength, left):
    ramp = make_ramp(np.zeros((2, 3, 3, 4)) + STRIPES)
    assert run_step(plugin.SPEC, ramp, strength=strength).status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data, np.zeros((2, 3, 3, 4)) + left * STRIPES)


def test_what_every_step_promises():
    conformance(plugin.SPEC)


def test_what_every_plugin_promises():
    conformance(plugin)
