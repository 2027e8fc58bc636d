"""Reference files of stage 1 that describe a simulated detector, in the archive's formats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from heliodor.bits import PIXEL

from heliodor_simulate import fitsfile, interleaved, peculiar
from heliodor_simulate.arrangement import WINDOW, Setup
from heliodor_simulate.detector import Truth, make_truth
from heliodor_simulate.headers import flags_of, for_all_subarrays, primary_of
from heliodor_simulate.ramps import couple
from heliodor_simulate.settling import INTEGRATIONS, SettlingSignal
from heliodor_simulate.sirskernel import write_sirskernel

LARGEST_DARK = 2**30
"""Bytes of single frames above which a dark is written with the exposure's own groups."""


def write_references(
    setup: Setup,
    out: str | Path,
    truth: Truth | None = None,
    only: Collection[str] | None = None,
    prefix: str = "",
) -> dict[str, Path]:
    """Write the reference files that stage 1 needs for an exposure.

    As in the archive, superbias, dark and reset belong to the subarray, and all others hold the
    whole detector, to be cut; for a window that is no subarray, all are of the window, and for an
    exposure in stripes of all the lines that it could have; the dark, which is not cut, is of those
    that it has in the end.

    Parameters
    ----------
    setup : the arrangement
    out : folder
    truth : of the exposure's array, made if None
    only : types to write; all if None
    prefix : of their names

    Returns
    -------
    path of each file, by reference type
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    truths = {id(setup): truth or make_truth(setup)}
    files = {}
    for kind, (write, of) in _writers(setup).items():
        if only is None or kind in only:
            if id(of) not in truths:
                truths[id(of)] = make_truth(of)
            files[kind] = write(folder / f"{prefix}{_file_name(of, kind)}", of, truths[id(of)])
    return files


def file_names(setup: Setup) -> dict[str, str]:
    """Give the names of the files that `write_references` writes, by type."""
    return {kind: _file_name(of, kind) for kind, (_, of) in _writers(setup).items()}


Writer = tuple[Callable[[Path, Setup, Truth], Path], Setup]


def _writers(setup: Setup) -> dict[str, Writer]:
    """Give who writes the files that the mode's pipeline asks for, and of which array."""
    figures = setup.figures
    window = setup.subarray == WINDOW or setup.striped is not None
    array = setup if window or setup.size == figures.size else setup.whole()
    writers: dict[str, Writer] = {
        "mask": (_mask, array),
        "saturation": (_saturation, array),
        "linearity": (_linearity, array),
        "gain": (_gain, array),
        "readnoise": (_readnoise, array),
        "dark": (_dark, setup),
        "ipc": (_ipc, array),
        "flat": (_flat, array),
    }
    if figures.linear_from == "bias":
        writers["superbias"] = (_superbias, setup)
    if figures.settling is not None:
        writers["reset"] = (peculiar.reset, setup)
        writers["rscd"] = (peculiar.rscd, array)
    if figures.interference is not None:
        writers["emicorr"] = (peculiar.emicorr, setup)
    if figures.glow and setup.is_full:
        writers["pictureframe"] = (peculiar.pictureframe, setup)
    if figures.sirs and setup.is_full:
        writers["sirskernel"] = (write_sirskernel, setup)
    if setup.pattern.interleaved:
        writers["refpix"] = (peculiar.refpix, setup)
    return writers


def _file_name(setup: Setup, kind: str) -> str:
    suffix = "asdf" if kind in ("emicorr", "sirskernel") else "fits"
    if kind == "sirskernel":  # of all detectors
        return f"{setup.figures.instrument}_{kind}.{suffix}".lower()
    parts = [setup.figures.instrument, setup.detector]
    if not for_all_subarrays(setup, kind):
        window = setup.subarray == WINDOW
        parts.append("{}x{}".format(*setup.size) if window else setup.subarray)
    if kind == "flat":
        parts.append(setup.bandpass)
    if kind in ("dark", "reset") or setup.pattern.interleaved:
        parts.append(setup.readpatt)
    return f"{'_'.join([*parts, kind])}.{suffix}".lower()


def _mask(path: Path, setup: Setup, truth: Truth) -> Path:
    # the bits that other references carry are not in the mask
    names = (
        "DO_NOT_USE", "DEAD", "HOT", "WARM", "LOW_QE", "UNRELIABLE_SLOPE", "REFERENCE_PIXEL",
    )  # fmt: skip
    if setup.pattern.interleaved:
        primary = primary_of(setup, "MASK", "MaskModel", EXP_TYPE="ANY", READPATT=setup.readpatt)
        border = PIXEL["REFERENCE_PIXEL"]
        return fitsfile.write(
            path, primary, flags_of(interleaved.expand(setup, truth.mask, border), names)
        )
    primary = primary_of(setup, "MASK", "MaskModel", READPATT="ANY", EXP_TYPE="ANY")
    return fitsfile.write(path, primary, flags_of(truth.mask, names))


def _saturation(path: Path, setup: Setup, truth: Truth) -> Path:
    return fitsfile.write(
        path,
        primary_of(setup, "SATURATION", "SaturationModel"),
        [
            fitsfile.image_hdu("SCI", truth.saturation, BUNIT="DN"),
            *flags_of(truth.mask, ("NO_SAT_CHECK",)),
        ],
    )


def _superbias(path: Path, setup: Setup, truth: Truth) -> Path:
    bias, mask, readpatt = truth.bias, truth.mask, "ANY"
    if setup.pattern.interleaved:
        bias, mask = interleaved.bias(setup, truth), interleaved.expand(setup, mask, 0)
        readpatt = setup.readpatt
    return fitsfile.write(
        path,
        primary_of(setup, "SUPERBIAS", "SuperBiasModel", READPATT=readpatt),
        [
            fitsfile.image_hdu("SCI", bias, BUNIT="DN"),
            fitsfile.image_hdu("ERR", np.zeros_like(bias), BUNIT="DN"),
            *flags_of(mask, ("UNRELIABLE_BIAS",)),
        ],
    )


def _linearity(path: Path, setup: Setup, truth: Truth) -> Path:
    ny, nx = setup.shape
    coefficients = np.zeros((5, ny, nx), np.float32)
    coefficients[1] = 1
    coefficients[2:] = truth.linearity
    return fitsfile.write(
        path,
        primary_of(setup, "LINEARITY", "LinearityModel"),
        [
            fitsfile.image_hdu("COEFFS", coefficients),
            *flags_of(truth.mask, ("NONLINEAR", "NO_LIN_CORR")),
        ],
    )


def _gain(path: Path, setup: Setup, truth: Truth) -> Path:
    primary = primary_of(setup, "GAIN", "GainModel")
    return fitsfile.write(path, primary, [fitsfile.image_hdu("SCI", truth.gain)])


def _readnoise(path: Path, setup: Setup, truth: Truth) -> Path:
    # archive files hold the noise of the difference of two reads
    difference = truth.read_noise * np.float32(2**0.5)
    return fitsfile.write(
        path,
        primary_of(setup, "READNOISE", "ReadnoiseModel", READPATT="ANY"),
        [fitsfile.image_hdu("SCI", difference, BUNIT="DN")],
    )


def _flat(path: Path, setup: Setup, truth: Truth) -> Path:
    flat = truth.flat.copy()
    dead = truth.mask & PIXEL["DEAD"] != 0
    flat[dead] = np.nan
    flags = np.where(dead, PIXEL["NO_FLAT_FIELD"] | PIXEL["DO_NOT_USE"], 0)
    primary = primary_of(setup, "FLAT", "FlatModel", READPATT="ANY", **setup.optics.keywords)
    hdus = [
        fitsfile.image_hdu("SCI", flat),
        fitsfile.image_hdu("ERR", np.zeros_like(flat)),
        *flags_of(flags, ("DO_NOT_USE", "NO_FLAT_FIELD")),
    ]
    return fitsfile.write(path, primary, hdus)


def _dark(path: Path, setup: Setup, truth: Truth) -> Path:
    """Write the signal of the dark current [DN] in each group of an integration.

    Where the first integration is different, all that follow share a second one.
    """
    frames = setup.ngroups * (setup.nframes + setup.groupgap)
    single = setup.figures.dark_frames == "single" and (
        frames * 4 * setup.size[0] * setup.size[1] <= LARGEST_DARK
    )
    if single:
        ngroups, nframes, groupgap, readpatt = frames, 1, 0, "ANY"
    else:
        ngroups, nframes, groupgap = setup.ngroups, setup.nframes, setup.groupgap
        readpatt = setup.readpatt
    settling = SettlingSignal(setup)
    nints = 1 if setup.figures.settling is None else INTEGRATIONS
    primary = primary_of(
        setup, "DARK", "DarkModel" if setup.figures.settling is None else "DarkMIRIModel",
        EXP_TYPE=setup.figures.dark_exp_type, P_EXP_TY=f"{setup.figures.exp_type}|",
        READPATT=readpatt, NOUTPUTS=setup.outputs,
        NINTS=nints, NGROUPS=ngroups, NFRAMES=nframes, GROUPGAP=groupgap, TFRAME=setup.tframe,
        TGROUP=setup.tframe * (nframes + groupgap),
        **(setup.striped.joined_keywords() if setup.striped else {}),
    )  # fmt: skip
    rate = np.zeros(setup.shape, np.float32)
    strength = setup.figures.pixels.coupling if setup.has("coupling") else 0.0
    rate[setup.live] = couple((truth.dark / truth.gain)[setup.live], strength)

    def groups() -> Iterator[np.ndarray]:
        for integration in range(nints):
            for group in range(ngroups):
                start = group * (nframes + groupgap)
                times = setup.tframe * (start + np.arange(1, nframes + 1))
                dark = rate * np.float32(times.mean())
                rise = np.mean([settling.dark(integration, time) for time in times])
                dark[setup.live] += np.float32(rise)
                yield setup.striped.joined(dark) if setup.striped else dark

    mask = setup.striped.joined(truth.mask) if setup.striped else truth.mask
    flags = flags_of(mask, ("HOT", "WARM", "UNRELIABLE_DARK"))
    shape: tuple[int, ...] = (ngroups, *mask.shape)
    if setup.figures.settling is not None:
        shape = (nints, *shape)
        flags[0] = fitsfile.image_hdu("DQ", np.repeat(flags[0].data[None, None], nints, axis=0))
    with fitsfile.finished(path) as part:
        fitsfile.primary_hdu(primary).writeto(part)
        fitsfile.stream(part, "SCI", shape, groups(), BUNIT="DN")
        fitsfile.append(part, flags)
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
        primary_of(setup, "IPC", "IPCModel"),
        [fitsfile.image_hdu("SCI", kernel.astype(np.float32))],
    )
