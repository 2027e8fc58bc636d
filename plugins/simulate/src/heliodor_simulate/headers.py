"""What all reference files have: the primary header, and flags with a table that names them."""

from __future__ import annotations

from typing import Any

import numpy as np
from heliodor.bits import PIXEL

from heliodor_simulate import fitsfile
from heliodor_simulate.arrangement import WINDOW, Setup
from heliodor_simulate.keywords import window_keywords

USEAFTER = "2015-01-01T00:00:00"

OF_SUBARRAY = ("superbias", "dark", "reset")
"""Types of which each subarray has files of its own."""


def for_all_subarrays(setup: Setup, kind: str) -> bool:
    """Tell whether a file of the whole detector serves every subarray."""
    return setup.is_full and kind not in OF_SUBARRAY


def primary_of(setup: Setup, reftype: str, model: str, **more: Any) -> dict[str, Any]:
    """Give the primary header of a reference file."""
    every = for_all_subarrays(setup, reftype.lower())
    return {
        "DATE": "2024-03-02T00:00:00.000", "ORIGIN": "STSCI", "TELESCOP": "JWST",
        "REFTYPE": reftype, "DATAMODL": model, "PEDIGREE": "SIMULATION",
        "DESCRIP": f"{reftype} of a simulated detector", "AUTHOR": "Heliodor simulator",
        "USEAFTER": USEAFTER,
        "INSTRUME": setup.figures.instrument, "DETECTOR": setup.detector,
        "SUBARRAY": WINDOW if every else setup.subarray, **window_keywords(setup),
        **more,
        "HISTORY": f"Simulated with seed {setup.seed}; not for science.",
    }  # fmt: skip


def flags_of(mask: np.ndarray, names: tuple[str, ...]) -> list[Any]:
    """Make the DQ extension with bits of its own, and the table that names them."""
    flags = np.zeros(mask.shape, np.uint32)
    for bit, name in enumerate(names):
        flags[mask & PIXEL[name] != 0] |= np.uint32(1 << bit)
    return [fitsfile.image_hdu("DQ", flags), fitsfile.dq_definitions(names)]
