"""Simulating to disk: the exposure, its truth beside it, and its reference files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from heliodor.errors import OutputError

from heliodor_simulate import fitsfile, guiding, keywords
from heliodor_simulate.arrangement import arrange
from heliodor_simulate.figures import Figures
from heliodor_simulate.ramps import Exposure, start
from heliodor_simulate.references import write_references
from heliodor_simulate.settling import groups_used


@dataclass(frozen=True)
class Simulated:
    """What was written.

    Attributes
    ----------
    exposure : the raw exposure
    truth : what is true of it, a NumPy archive
    references : reference files by type; empty if none were asked for
    """

    exposure: Path
    truth: Path
    references: dict[str, Path]


def simulate(
    mode: Figures | Any,
    out: str | Path,
    *,
    subarray: str | None = None,
    ngroups: int = 5,
    nints: int = 1,
    readpatt: str | None = None,
    filter: str | None = None,
    pupil: str | None = None,
    sky: float | tuple[float, float] | None = None,
    seed: int = 1,
    without: Iterable[str] = (),
    also: Iterable[str] = (),
    references: str | Path | None = None,
    detector: str | None = None,
    size: int | tuple[int, int] | None = None,
) -> Simulated:
    """Write a raw exposure and its truth, and the reference files that stage 1 needs for it.

    The same arguments give the same bytes.

    Parameters
    ----------
    mode : figures of the mode, or where they are; see `heliodor_simulate.figures.read_figures`
    out : folder for the exposure and its truth
    references : folder for reference files; None: write none
    subarray, ngroups, nints, readpatt, filter, pupil, sky, seed, without, also, detector, size :
        see `heliodor_simulate.arrangement.arrange`

    Raises
    ------
    heliodor.errors.UsageError
        A name or number that is not allowed.
    heliodor.errors.OutputError
        A file that cannot be written.
    """
    setup = arrange(
        mode,
        subarray=subarray,
        size=size,
        ngroups=ngroups,
        nints=nints,
        readpatt=readpatt,
        detector=detector,
        filter=filter,
        pupil=pupil,
        sky=sky,
        seed=seed,
        without=without,
        also=also,
    )
    folder = Path(out)
    root = keywords.root_name(setup)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        exposure = start(setup)
        raw = write_exposure(folder / f"{root}_uncal.fits", exposure)
        truth = write_truth(folder / f"{root}_truth.npz", exposure)
        made = {} if references is None else write_references(setup, references, exposure.truth)
    except OSError as error:
        raise OutputError(f"{folder}: the simulation cannot be written: {error}") from error
    return Simulated(raw, truth, made)


def write_exposure(path: Path, exposure: Exposure) -> Path:
    """Write a started exposure as a level 1b file, group by group.

    Parameters
    ----------
    path : of the file
    exposure : from `heliodor_simulate.ramps.start`; its groups are read out here
    """
    setup = exposure.setup
    primary = keywords.primary_keywords(setup)

    def groups() -> Iterator[np.ndarray]:
        for _, _, image in exposure.groups():
            yield image

    with fitsfile.finished(path) as part:
        fitsfile.primary_hdu(primary).writeto(part)
        shape = (setup.nints, setup.ngroups, *exposure.read_shape)
        fitsfile.stream(part, "SCI", shape, groups(), **keywords.sci_keywords(setup))
        if primary["DATAMODL"] == guiding.MODEL:
            tables = guiding.tables(exposure)
        else:
            tables = [
                fits.BinTableHDU(keywords.group_table(setup), name="GROUP"),
                fits.BinTableHDU(keywords.int_times_table(setup), name="INT_TIMES"),
            ]
        hdus = [*tables, fitsfile.asdf_hdu(primary)]
        if setup.figures.amplifiers == "interlaced" and setup.is_full:
            hdus.insert(0, fitsfile.image_hdu("REFOUT", exposure.reference_output()))
        if exposure.zeroframe is not None:
            hdus.insert(0, fitsfile.image_hdu("ZEROFRAME", exposure.zeroframe, BUNIT="DN"))
        fitsfile.append(part, hdus)
    return path


def write_truth(path: Path, exposure: Exposure) -> Path:
    """Write what is true of an exposure that has been read out.

    Parameters
    ----------
    path : of a NumPy archive; its arrays are those of `heliodor_simulate.detector.Truth` and
        `heliodor_simulate.ramps.Exposure`, under the names of the docs
    exposure : read out
    """
    setup, truth = exposure.setup, exposure.truth
    mode = {
        "instrument": setup.figures.instrument, "detector": setup.detector,
        "subarray": setup.subarray, "corner": setup.corner, "size": setup.size,
        "readpatt": setup.readpatt, "nframes": setup.nframes, "groupgap": setup.groupgap,
        "tframe": setup.tframe, "tgroup": setup.tgroup, "ngroups": setup.ngroups,
        "nints": setup.nints, "groups_used": groups_used(setup), "bandpass": setup.bandpass,
        "sky": setup.sky, "seed": setup.seed, "effects": sorted(setup.effects),
    }  # fmt: skip
    with fitsfile.finished(path) as part, part.open("wb") as file:
        np.savez(
            file,
            rate_e=truth.rate,
            flat=truth.flat,
            gain=truth.gain,
            dark=truth.dark,
            bias=truth.bias,
            readnoise=truth.read_noise,
            linearity=truth.linearity,
            full_well=truth.full_well,
            sat_dn=truth.saturation,
            mask=truth.mask,
            refpix=setup.reference_pixels,
            stars=truth.stars,
            events=exposure.events,
            hits=exposure.hits,
            first_saturated_group=exposure.first_saturated,
            mode=json.dumps(mode),
        )
    return path
