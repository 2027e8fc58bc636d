"""Reference files of stage 1 that describe a simulated detector, in the archive's formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from heliodor.bits import PIXEL

from heliodor_simulate import fitsfile
from heliodor_simulate.arrangement import WINDOW, Setup
from heliodor_simulate.detector import Truth, make_truth
from heliodor_simulate.keywords import window_keywords
from heliodor_simulate.ramps import couple
from heliodor_simulate.sirskernel import write_sirskernel

USEAFTER = "2015-01-01T00:00:00"
LARGEST_DARK = 2**30
"""Bytes of single frames above which a dark is written with the exposure's own groups."""


def write_references(setup: Setup, out: str | Path, truth: Truth | None = None) -> dict[str, Path]:
    """Write the reference files that stage 1 needs for an exposure.

    As in the archive, superbias and dark belong to the subarray, and all others hold the whole
    detector, to be cut; for a window that is no subarray, all are of the window, and for an
    exposure in stripes of all the lines that it could have; the dark, which is not cut, is of those
    that it has in the end.

    Parameters
    ----------
    setup : the arrangement
    out : folder
    truth : of the exposure's array, made if None

    Returns
    -------
    path of each file, by reference type
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    truth = truth or make_truth(setup)
    window = setup.subarray == WINDOW or setup.striped is not None
    partial = not window and setup.size != setup.figures.size
    array = setup.whole() if partial else setup
    whole = make_truth(array) if partial else truth
    files = {}
    writers: dict[str, tuple[Callable[..., Path], Setup, Truth]] = {
        "mask": (_mask, array, whole),
        "saturation": (_saturation, array, whole),
        "superbias": (_superbias, setup, truth),
        "linearity": (_linearity, array, whole),
        "gain": (_gain, array, whole),
        "readnoise": (_readnoise, array, whole),
        "dark": (_dark, setup, truth),
        "ipc": (_ipc, array, whole),
    }
    for kind, (write, of, pixels) in writers.items():
        files[kind] = write(folder / _file_name(of, kind), of, pixels)
    if setup.figures.sirs and setup.size == setup.figures.size:
        name = f"{setup.figures.instrument}_sirskernel.asdf".lower()
        files["sirskernel"] = write_sirskernel(folder / name, setup, USEAFTER)
    return files


def _file_name(setup: Setup, kind: str) -> str:
    parts = [setup.figures.instrument, setup.detector]
    if not _for_all_subarrays(setup, kind):
        window = setup.subarray == WINDOW
        parts.append("{}x{}".format(*setup.size) if window else setup.subarray)
    if kind == "dark":
        parts.append(setup.readpatt)
    return "_".join([*parts, kind]).lower() + ".fits"


def _for_all_subarrays(setup: Setup, kind: str) -> bool:
    return setup.size == setup.figures.size and kind not in ("superbias", "dark")


def _mask(path: Path, setup: Setup, truth: Truth) -> Path:
    # the bits that other references carry are not in the mask
    names = (
        "DO_NOT_USE", "DEAD", "HOT", "WARM", "LOW_QE", "UNRELIABLE_SLOPE", "REFERENCE_PIXEL",
    )  # fmt: skip
    return fitsfile.write(
        path,
        _primary(setup, "MASK", "MaskModel", READPATT="ANY", EXP_TYPE="ANY"),
        _flags(truth.mask, names),
    )


def _saturation(path: Path, setup: Setup, truth: Truth) -> Path:
    return fitsfile.write(
        path,
        _primary(setup, "SATURATION", "SaturationModel"),
        [
            fitsfile.image_hdu("SCI", truth.saturation, BUNIT="DN"),
            *_flags(truth.mask, ("NO_SAT_CHECK",)),
        ],
    )


def _superbias(path: Path, setup: Setup, truth: Truth) -> Path:
    return fitsfile.write(
        path,
        _primary(setup, "SUPERBIAS", "SuperBiasModel", READPATT="ANY"),
        [
            fitsfile.image_hdu("SCI", truth.bias, BUNIT="DN"),
            fitsfile.image_hdu("ERR", np.zeros_like(truth.bias), BUNIT="DN"),
            *_flags(truth.mask, ("UNRELIABLE_BIAS",)),
        ],
    )


def _linearity(path: Path, setup: Setup, truth: Truth) -> Path:
    ny, nx = setup.shape
    coefficients = np.zeros((5, ny, nx), np.float32)
    coefficients[1] = 1
    coefficients[2:] = truth.linearity
    return fitsfile.write(
        path,
        _primary(setup, "LINEARITY", "LinearityModel"),
        [
            fitsfile.image_hdu("COEFFS", coefficients),
            *_flags(truth.mask, ("NONLINEAR", "NO_LIN_CORR")),
        ],
    )


def _gain(path: Path, setup: Setup, truth: Truth) -> Path:
    primary = _primary(setup, "GAIN", "GainModel")
    return fitsfile.write(path, primary, [fitsfile.image_hdu("SCI", truth.gain)])


def _readnoise(path: Path, setup: Setup, truth: Truth) -> Path:
    # archive files hold the noise of the difference of two reads
    difference = truth.read_noise * np.float32(2**0.5)
    return fitsfile.write(
        path,
        _primary(setup, "READNOISE", "ReadnoiseModel", READPATT="ANY"),
        [fitsfile.image_hdu("SCI", difference, BUNIT="DN")],
    )


def _dark(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the signal of the dark current [DN] in each group of an integration."""
    frames = setup.ngroups * (setup.nframes + setup.groupgap)
    single = setup.figures.dark_frames == "single" and (
        frames * 4 * setup.size[0] * setup.size[1] <= LARGEST_DARK
    )
    if single:
        ngroups, nframes, groupgap, readpatt = frames, 1, 0, "ANY"
    else:
        ngroups, nframes, groupgap = setup.ngroups, setup.nframes, setup.groupgap
        readpatt = setup.readpatt
    primary = _primary(
        setup, "DARK", "DarkModel",
        EXP_TYPE=setup.figures.dark_exp_type, P_EXP_TY=f"{setup.exp_type}|",
        READPATT=readpatt, NOUTPUTS=setup.outputs,
        NINTS=1, NGROUPS=ngroups, NFRAMES=nframes, GROUPGAP=groupgap, TFRAME=setup.tframe,
        TGROUP=setup.tframe * (nframes + groupgap),
        **(setup.striped.joined_keywords() if setup.striped else {}),
    )  # fmt: skip
    rate = np.zeros(setup.shape, np.float32)
    strength = setup.figures.pixels.coupling if setup.has("coupling") else 0.0
    rate[setup.live] = couple((truth.dark / truth.gain)[setup.live], strength)
    mask = truth.mask
    if setup.striped:
        rate, mask = setup.striped.joined(rate), setup.striped.joined(mask)

    def groups() -> Iterator[np.ndarray]:
        for group in range(ngroups):
            frame = group * (nframes + groupgap) + (nframes + 1) / 2
            yield rate * np.float32(frame * setup.tframe)

    with fitsfile.finished(path) as part:
        fitsfile.primary_hdu(primary).writeto(part)
        fitsfile.stream(part, "SCI", (ngroups, *rate.shape), groups(), BUNIT="DN")
        fitsfile.append(part, _flags(mask, ("HOT", "WARM", "UNRELIABLE_DARK")))
    return path


def _ipc(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the kernel that undoes the coupling when an image is convolved with it."""
    strength = setup.figures.pixels.coupling if setup.has("coupling") else 0.0
    coupled = np.zeros((16, 16))
    coupled[8, 8] = 1
    inverse = np.fft.ifft2(1 / np.fft.fft2(np.fft.ifftshift(couple(coupled, strength)))).real
    kernel = np.fft.fftshift(inverse)[7:10, 7:10]
    # what lies further out is added to the nearest, so that a uniform image stays as it is
    kernel[[0, 1, 1, 2], [1, 0, 2, 1]] += (1 - kernel.sum()) / 4
    return fitsfile.write(
        path,
        _primary(setup, "IPC", "IPCModel"),
        [fitsfile.image_hdu("SCI", kernel.astype(np.float32))],
    )


def _primary(setup: Setup, reftype: str, model: str, **more: Any) -> dict[str, Any]:
    every = _for_all_subarrays(setup, reftype.lower())
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


def _flags(mask: np.ndarray, names: tuple[str, ...]) -> list[Any]:
    """Make the DQ extension with bits of its own, and the table that names them."""
    flags = np.zeros(mask.shape, np.uint32)
    for bit, name in enumerate(names):
        flags[mask & PIXEL[name] != 0] |= np.uint32(1 << bit)
    return [fitsfile.image_hdu("DQ", flags), fitsfile.dq_definitions(names)]
