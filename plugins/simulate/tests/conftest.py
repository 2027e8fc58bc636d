from __future__ import annotations

from pathlib import Path

import pytest
from heliodor_simulate import EFFECTS, arrange, read_figures


@pytest.fixture
def tiny():
    """Figures of a small detector with a subarray, and fast and averaging read patterns."""
    return read_figures(Path(__file__).parent / "tiny.yaml")


@pytest.fixture
def midinfrared(tiny):
    """Figures of the same detector read as MIRI's are: four columns at once, no dark rows."""
    content = tiny.model_dump() | {
        "border": (4, 0),
        "amplifiers": "interlaced",
        "linear_from": "zero",
        "zeroframe": False,
        "dark_frames": "as exposed",
        "settling": {
            "reset": 20.0, "reset_groups": 1.5, "first_reset": 1.5, "first": 30.0,
            "first_groups": 0.4, "skip": (1, 4), "last": -12.0, "dark": 3.0, "dark_time": 30.0,
        },
        "interference": {"name": "Hz10", "frequency": 10.0, "amplitude": 2.5},
    }  # fmt: skip
    content["subarrays"]["FULL"]["rowclocks"] = 50
    return read_figures(content)


@pytest.fixture
def only(tiny):
    """Arrange an exposure with a few effects only."""

    def arrange_only(*effects, **more):
        return arrange(tiny, without=set(EFFECTS) - set(effects), **more)

    return arrange_only
