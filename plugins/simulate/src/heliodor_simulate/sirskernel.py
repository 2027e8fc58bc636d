"""The reference file of simple improved reference subtraction (SIRS)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heliodor_simulate import fitsfile
from heliodor_simulate.arrangement import Setup
from heliodor_simulate.detector import Truth
from heliodor_simulate.headers import USEAFTER

SLOWEST = 64
"""Rows in a wave of the drift that is followed by half."""


def write_sirskernel(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write Fourier coefficients by which each amplifier follows the side reference pixels.

    Slow waves are followed, fast ones are taken for noise; of the two sides the nearer one counts
    more.

    Parameters
    ----------
    path : of the file
    setup : the arrangement; the file has all detectors of the instrument
    truth : has no part in it
    """
    import asdf

    nrows = setup.figures.size[abs(setup.device.axes.slow) - 1]
    waves = np.arange(nrows + 1)
    followed = 1 / (1 + (waves * SLOWEST / (2 * nrows)) ** 2)
    near = np.array([0.8, 0.6, 0.4, 0.2])[:, np.newaxis]
    coefficients = {"gamma": near * followed + 0j, "zeta": near[::-1] * followed + 0j}
    tree = {
        "meta": {
            "reftype": "sirskernel", "useafter": USEAFTER, "telescope": "JWST",
            "author": "Heliodor simulator", "pedigree": "SIMULATION",
            "description": "SIRS kernels of simulated detectors",
            "model_type": "SIRSKernelModel", "instrument": {"name": setup.figures.instrument},
        },
        **{name.lower(): coefficients for name in setup.figures.detectors},
    }  # fmt: skip
    with fitsfile.finished(path) as part:
        asdf.AsdfFile(tree).write_to(part)
    return path
