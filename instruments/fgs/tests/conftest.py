"""Made-up guide star exposures and their reference files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

SHAPES = {
    "FGS_ID-IMAGE": (2, 2, 96, 64),
    "FGS_ID-STACK": (2, 2, 140, 40),
    "FGS_ACQ1": (6, 2, 32, 32),
    "FGS_ACQ2": (5, 2, 16, 16),
    "FGS_TRACK": (30, 2, 16, 16),
    "FGS_FINEGUIDE": (40, 8, 8, 8),
}
"""(nints, ngroups, ny, nx) by EXP_TYPE; smaller than in flight.  Stacked strips are higher than
the detector."""

CORNER = (9, 17)
TGROUP = 0.3012
_FULL = (128, 128)
_TABLES = {
    "Planned Reference Stars": (
        [("guide_star_order", ">i4"), ("reference_order", ">i4"), ("reference_star_id", "S12"),
         ("ra", ">f8"), ("dec", ">f8"), ("id_x", ">f8"), ("id_y", ">f8"), ("fgs_mag", ">f8"),
         ("fgs_mag_uncert", ">f8"), ("count_rate", ">f8"), ("count_rate_uncert", ">f8")],
        {},
    ),
    "Flight Reference Stars": (
        [("reference_star_id", "S2"), ("id_x", ">f8"), ("id_y", ">f8"), ("count_rate", ">f8")],
        {"NUMREFST": 3},
    ),
    "Pointing": (
        [("time", ">f8"), ("jitter", ">f8"), ("delta_ddc_ra", ">f8"), ("delta_ddc_dec", ">f8"),
         ("delta_aperture_pa", ">f8"), ("delta_v1_ra", ">f8"), ("delta_v1_dec", ">f8"),
         ("delta_v3_pa", ">f8"), ("delta_j1_ra", ">f8"), ("delta_j1_dec", ">f8"),
         ("delta_j3_pa", ">f8"), ("HGA_motion", "S16")],
        {"RA_V1": 86.1, "DEC_V1": -64.2, "PA_V3": 98.25, "JITTRAVG": 0.0012},
    ),
    "FGS Centroid Packet": (
        [("observatory_time", "S23"), ("centroid_time", "S23"), ("guide_star_position_x", ">f8"),
         ("guide_star_position_y", ">f8"), ("guide_star_instrument_counts_per_sec", ">f8"),
         ("signal_to_noise_current_frame", ">f8"), ("delta_signal", ">f8"), ("delta_noise", ">f8"),
         ("psf_width_x", ">i4"), ("psf_width_y", ">i4"), ("data_quality", ">i4"),
         ("bad_pixel_flag", "S4"), ("bad_centroid_dq_flag", "S12"), ("cosmic_ray_hit_flag", "S5"),
         ("sw_subwindow_loc_change_flag", "S5"),
         ("guide_star_at_detector_subwindow_boundary_flag", "S5"),
         ("subwindow_out_of_FOV_flag", "S5")],
        {"DETECTID": "GUIDER1", "GUIDESTA": "FINE_GUIDE"},
    ),
    "Track subarray table": (
        [("observatory_time", "S23"), ("x_corner", ">f8"), ("y_corner", ">f8"),
         ("x_size", ">i4"), ("y_size", ">i4")],
        {},
    ),
}  # fmt: skip


def _exposure(folder: Path, exp_type: str, seed: int = 1) -> Path:
    """Write a raw exposure with a star in its middle, noise, and all tables."""
    rng = np.random.default_rng(seed)
    nints, ngroups, ny, nx = SHAPES[exp_type]
    y, x = np.mgrid[:ny, :nx]
    star = 900 * np.exp(-((y - ny / 2) ** 2 + (x - nx / 2) ** 2) / 4)
    ramp = 10000 + np.arange(1, ngroups + 1)[:, None, None] * star
    data = rng.normal(ramp, 9, (nints, ngroups, ny, nx)).round().clip(0, 65535)
    primary = fits.PrimaryHDU()
    primary.header.update(
        {
            "TELESCOP": "JWST", "INSTRUME": "FGS", "DETECTOR": "GUIDER1", "EXP_TYPE": exp_type,
            "READPATT": "FGS", "DATAMODL": "GuiderRawModel", "FILETYPE": "raw",
            "DATE-OBS": "2024-03-01", "TIME-OBS": "12:00:00.000",
            "NINTS": nints, "NGROUPS": ngroups, "NFRAMES": 1,
            "GROUPGAP": 0, "TFRAME": TGROUP, "TGROUP": TGROUP, "SUBARRAY": "8X8",
            "SUBSTRT1": CORNER[0], "SUBSTRT2": CORNER[1], "SUBSIZE1": nx, "SUBSIZE2": ny,
        }
    )  # fmt: skip
    science = fits.ImageHDU(data.astype(np.uint16), name="SCI")
    science.header["BUNIT"] = "DN"
    if exp_type == "FGS_ID-STACK":
        primary.header.update({"SUBSTRT1": 1, "SUBSTRT2": 1})
    path = folder / f"jw01234001001_gs-{exp_type[4:].lower()}_uncal.fits"
    fits.HDUList([primary, science, *_tables(rng)]).writeto(path)
    return path


def _tables(rng: np.random.Generator) -> list[fits.BinTableHDU]:
    hdus = []
    for name, (columns, keywords) in _TABLES.items():
        table = np.zeros(3, columns)
        for column in table.dtype.names:
            kind = table.dtype[column].kind
            values = rng.integers(0, 99, 3)
            table[column] = [b"%d" % value for value in values] if kind == "S" else values
        hdu = fits.BinTableHDU(table, name=name)
        hdu.header.update(keywords)
        hdus.append(hdu)
    return hdus


def _references(folder: Path, exp_type: str, seed: int = 2) -> dict[str, Path]:
    """Write mask, gain, read noise and flat of a small detector; some of their pixels are bad.

    The mask of stacked strips is of their size.
    """
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    size = _FULL[::-1]
    bad = rng.random((3, *size)) < 0.02
    names = ("DO_NOT_USE", "HOT", "NO_FLAT_FIELD", "UNRELIABLE_FLAT")
    rows = [(bit, 1 << bit, name, "") for bit, name in enumerate(names)]
    columns = [("BIT", ">i4"), ("VALUE", ">u4"), ("NAME", "S40"), ("DESCRIPTION", "S80")]
    definitions = np.array(rows, columns)
    flat = rng.normal(1, 0.05, size).astype(np.float32)
    flat[bad[0]], flat[bad[1]] = np.nan, 0
    gain = rng.normal(1.7, 0.05, size).astype(np.float32)
    gain[bad[2]] = 0
    masked = SHAPES[exp_type][-2:] if exp_type == "FGS_ID-STACK" else size
    content = {
        "mask": {"DQ": rng.choice([0, 1, 2, 3], masked, p=[0.94, 0.02, 0.02, 0.02])},
        "gain": {"SCI": gain},
        "readnoise": {"SCI": rng.normal(9, 0.5, size).astype(np.float32)},
        "flat": {
            "SCI": flat,
            "ERR": rng.normal(0.02, 0.001, size).astype(np.float32),
            "DQ": rng.choice([0, 1, 2, 4, 8], size, p=[0.92, 0.02, 0.02, 0.02, 0.02]),
        },
    }
    models = {
        "mask": "MaskModel", "gain": "GainModel", "readnoise": "ReadnoiseModel", "flat": "FlatModel"
    }  # fmt: skip
    paths = {}
    for kind, planes in content.items():
        ny, nx = next(iter(planes.values())).shape
        primary = fits.PrimaryHDU()
        primary.header.update(
            {
                "TELESCOP": "JWST", "INSTRUME": "FGS", "DETECTOR": "GUIDER1",
                "REFTYPE": kind.upper(), "DATAMODL": models[kind], "SUBARRAY": "GENERIC",
                "USEAFTER": "2015-01-01T00:00:00", "PEDIGREE": "DUMMY", "DESCRIP": "made up",
                "AUTHOR": "tests", "SUBSTRT1": 1, "SUBSTRT2": 1, "SUBSIZE1": nx,
                "SUBSIZE2": ny,
            }
        )  # fmt: skip
        hdus = [
            fits.ImageHDU(plane.astype(np.uint32) if name == "DQ" else plane, name=name)
            for name, plane in planes.items()
        ]
        if "DQ" in planes:
            hdus.append(fits.BinTableHDU(definitions, name="DQ_DEF"))
        paths[kind] = folder / f"fgs_guider1_{kind}.fits"
        fits.HDUList([primary, *hdus]).writeto(paths[kind])
    return paths


@dataclass(frozen=True)
class Guiding:
    """A guide star exposure and its reference files.

    Attributes
    ----------
    exposure, files : the raw file, and a reference file by type
    shape : (nints, ngroups, ny, nx)
    corner : (x, y) of the first pixel on the detector, counted from 0
    tgroup : time between groups [s]
    """

    exposure: Path
    files: dict[str, Path]
    shape: tuple[int, int, int, int]
    corner: tuple[int, int]
    tgroup: float = TGROUP

    def only(self, *kinds: str) -> dict[str, Path]:
        """Give the reference files that a single step asks for."""
        return {kind: self.files[kind] for kind in kinds}


@pytest.fixture(scope="session")
def guide_star(tmp_path_factory):
    """Make a guide star exposure of an EXP_TYPE; once a session."""
    made: dict[str, Guiding] = {}

    def make(exp_type: str) -> Guiding:
        if exp_type not in made:
            folder = tmp_path_factory.mktemp("guiding")
            stacked = exp_type == "FGS_ID-STACK"
            made[exp_type] = Guiding(
                _exposure(folder, exp_type),
                _references(folder / "references", exp_type),
                SHAPES[exp_type],
                (0, 0) if stacked else (CORNER[0] - 1, CORNER[1] - 1),
            )
        return made[exp_type]

    return make


@pytest.fixture(scope="session", params=SHAPES)
def each_kind(request, guide_star):
    """Give guide star exposures of all kinds."""
    return guide_star(request.param)
