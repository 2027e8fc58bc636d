"""The examples of `examples/` do what they say: steps of ramps, and of several exposures."""

from __future__ import annotations

from pathlib import Path

import heliodor
import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE
from heliodor.plugins import registry
from heliodor.stepfiles import find
from heliodor.testing import conformance

EXAMPLES = Path(__file__).parents[1] / "examples"


def step(example: str, name: str):
    """Give the declaration of a step of an example."""
    return find(f"{EXAMPLES / example / 'my_steps.py'}:{name}", registry()).spec


def saved_after(folder: Path, label: str, suffix: str) -> Path:
    """Write edits that keep the ramp as a step leaves it."""
    path = folder / f"save_{suffix}.yaml"
    path.write_text(
        f"extends: calwebb_detector1\nedits: [{{insert: {{save: {suffix}}}, after: {label}}}]\n"
    )
    return path


def status(result, label: str) -> list[str]:
    """Tell whether a step was done."""
    return [outcome.status for planned, outcome in result.outcomes if planned.label == label]


# ------------------------------------------------------------------ 24


@pytest.fixture(scope="module")
def coronagraph(simulated):
    return simulated("miri-coron", size=64, ngroups=5)


def test_24_the_edge_is_masked(coronagraph):
    edits = EXAMPLES / "24-edge-mask" / "edits.yaml"
    plain = heliodor.run(coronagraph.exposure, folders=coronagraph.references)
    masked = heliodor.run(
        coronagraph.exposure,
        folders=coronagraph.references,
        pipeline=edits,
        parameters={"edge_mask.width": 3},
    )
    with plain["rate"] as before, masked["rate"] as after:
        inside = (slice(3, -3), slice(3, -3))
        np.testing.assert_array_equal(after.dq[inside], before.dq[inside])
        np.testing.assert_array_equal(after.data[inside], before.data[inside])
        edge = np.ones(after.dq.shape, bool)
        edge[inside] = False
        assert (after.dq[edge] & DO_NOT_USE).all()
        assert not (before.dq[edge] & DO_NOT_USE).all()
        assert np.isnan(after.data[edge]).all()


def test_24_is_left_out_of_other_modes(small_nircam):
    plan = heliodor.plan(small_nircam.exposure, pipeline=EXAMPLES / "24-edge-mask" / "edits.yaml")
    (planned,) = [each for each in plan.steps if each.label == "edge_mask"]
    assert not planned.runs


def test_24_keeps_the_rules():
    conformance(step("24-edge-mask", "edge_mask"))
