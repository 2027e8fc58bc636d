"""Reference files of steps that only one instrument has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from heliodor_simulate import disturbances, fitsfile, interleaved
from heliodor_simulate.arrangement import Setup
from heliodor_simulate.detector import Truth
from heliodor_simulate.headers import USEAFTER, flags_of, primary_of
from heliodor_simulate.settling import CORRECTED, INTEGRATIONS, SettlingSignal

PHASES = 256
"""Parts of a period in which a wave is tabulated."""


def reset(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write what the first groups have too much after a reset (MIRI)."""
    settling = SettlingSignal(setup)
    ngroups = min(CORRECTED, setup.ngroups)
    signal = np.zeros((INTEGRATIONS, ngroups, *setup.shape), np.float32)
    for integration in range(INTEGRATIONS):
        for group in range(ngroups):
            signal[integration, group][setup.live] = settling.reset(integration, group)
    primary = primary_of(
        setup, "RESET", "ResetModel", READPATT=setup.readpatt, NINTS=INTEGRATIONS, NGROUPS=ngroups
    )
    hdus = [
        fitsfile.image_hdu("SCI", signal, BUNIT="DN"),
        *flags_of(truth.mask, ("UNRELIABLE_DARK",)),
    ]
    return fitsfile.write(path, primary, hdus)


def rscd(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write how many first groups are left out, for every subarray and read pattern (MIRI)."""
    assert setup.figures.settling is not None
    names = [*setup.figures.subarrays, "GENERIC"]
    rows = [
        (name, pattern, *setup.figures.settling.skip)
        for name in names
        for pattern in setup.figures.patterns
    ]
    columns = [
        ("subarray", "S17"), ("readpatt", "S12"), ("group_skip1", ">i4"), ("group_skip", ">i4"),
    ]  # fmt: skip
    table = fits.BinTableHDU(np.array(rows, columns), name="RSCD_GROUP_SKIP")
    return fitsfile.write(path, primary_of(setup, "RSCD", "RSCDModel"), [table])


def emicorr(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the shape of the wave, and the clock of the exposure's read-out (MIRI)."""
    import asdf

    figures = setup.figures.interference
    assert figures is not None
    speed = "SLOW" if "SLOW" in setup.readpatt else "FAST"
    row, _ = disturbances.clocks(setup)
    names = [figures.name]
    case = {
        "rowclocks": row,
        "frameclocks": row * setup.shape[0],
        "freqs": {speed: names if speed == "FAST" else {setup.detector: names}},
    }
    shape = figures.amplitude * disturbances.wave((np.arange(PHASES) + 0.5) / PHASES)
    tree = {
        "meta": {
            "telescope": "JWST", "reftype": "emicorr", "model_type": "EmiModel",
            "pedigree": "SIMULATION", "description": "EMICORR of a simulated detector",
            "author": "Heliodor simulator", "useafter": USEAFTER, "date": "2024-03-02T00:00:00",
            "instrument": {"name": setup.figures.instrument, "detector": setup.detector},
        },
        "frequencies": {
            figures.name: {"frequency": figures.frequency, "phase_amplitudes": shape.tolist()}
        },
        "subarray_cases": {
            f"FULL_{speed}" if setup.subarray == "FULL" else setup.subarray: case
        },
    }  # fmt: skip
    with fitsfile.finished(path) as part:
        asdf.AsdfFile(tree).write_to(part)
    return path


def pictureframe(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the shape of the warm frame (NIRSpec)."""
    shape = disturbances.frame(setup)
    primary = primary_of(setup, "PICTUREFRAME", "PictureFrameModel")
    hdus = [fitsfile.image_hdu("SCI", shape), *flags_of(np.zeros_like(truth.mask), ())]
    return fitsfile.write(path, primary, hdus)


def refpix(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the weights of interleaved reference pixels (NIRSpec, IRS2)."""
    primary = primary_of(setup, "REFPIX", "IRS2Model", READPATT=setup.readpatt)
    hdus = [
        fits.BinTableHDU(interleaved.weights_table(setup), name="IRS2"),
        fits.BinTableHDU(interleaved.known_bad_table(), name="DQ"),
    ]
    return fitsfile.write(path, primary, hdus)
