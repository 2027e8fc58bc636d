"""JWST exposures and their reference files, with known truth.

Examples
--------
>>> from heliodor_simulate import arrange, expose                    # doctest: +SKIP
>>> setup = arrange("simulation.yaml", size=64, ngroups=5, without=["cosmic-rays"])
>>> ramp = expose(setup).ramp()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliodor_simulate.arrangement import EFFECTS, Setup, arrange
    from heliodor_simulate.detector import Truth, make_truth
    from heliodor_simulate.exposure import Simulated, simulate
    from heliodor_simulate.figures import Figures, read_figures
    from heliodor_simulate.ramps import Exposure, expose
    from heliodor_simulate.references import write_references
    from heliodor_simulate.segments import split

__all__ = [
    "EFFECTS",
    "Exposure",
    "Figures",
    "Setup",
    "Simulated",
    "Truth",
    "arrange",
    "expose",
    "make_truth",
    "read_figures",
    "simulate",
    "split",
    "write_references",
]

_HOMES = {
    "detector": ("Truth", "make_truth"),
    "exposure": ("Simulated", "simulate"),
    "arrangement": ("EFFECTS", "Setup", "arrange"),
    "figures": ("Figures", "read_figures"),
    "ramps": ("Exposure", "expose"),
    "references": ("write_references",),
    "segments": ("split",),
}


def __getattr__(name: str) -> Any:
    """Import a room when something of it is asked for: declaring the plugin stays cheap."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
