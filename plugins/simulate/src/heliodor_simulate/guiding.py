"""Tables of guide star exposures."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from heliodor_simulate.ramps import Exposure

MODEL = "GuiderRawModel"
"""DATAMODL of raw guide star exposures, whose columns the model's schema tells."""


def tables(exposure: Exposure) -> list[fits.BinTableHDU]:
    """Make all tables of a guide star exposure, for a spacecraft that stands still.

    The brightest star on the array is the guide star; it is planned, found, and followed.

    Parameters
    ----------
    exposure : simulated; its truth knows the stars
    """
    from stdatamodels.jwst import datamodels

    setup, stars = exposure.setup, exposure.truth.stars
    star = stars[np.argmax(stars["rate"])] if stars.size else np.zeros((), stars.dtype)
    known = {
        "guide_star_order": 1, "reference_order": 1, "reference_star_id": b"1",
        "id_x": star["x"], "id_y": star["y"], "count_rate": star["rate"],
        "guide_star_position_x": star["x"], "guide_star_position_y": star["y"],
        "guide_star_instrument_counts_per_sec": star["rate"],
        "x_corner": setup.corner[0], "y_corner": setup.corner[1],
        "x_size": setup.size[0], "y_size": setup.size[1],
    }  # fmt: skip
    hdus = []
    for entry in getattr(datamodels, MODEL)().schema["properties"].values():
        columns = entry.get("datatype")
        if not isinstance(columns, list):
            continue
        table = np.zeros(1, [(each["name"], _dtype(each["datatype"])) for each in columns])
        for name in set(known) & set(table.dtype.names or ()):
            table[name] = known[name]
        hdus.append(fits.BinTableHDU(table, name=entry["fits_hdu"]))
    return hdus


def _dtype(datatype: str | list) -> str:
    return f"S{datatype[1]}" if isinstance(datatype, list) else datatype
