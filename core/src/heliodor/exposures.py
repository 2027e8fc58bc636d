"""What an exposure's file is, from its headers; and its ramp, as native arrays.

Looking at a file costs milliseconds: only headers are read.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from heliodor.data import RAMP_MODEL, Keywords, Product, Ramp
from heliodor.errors import ExposureError, UsageError
from heliodor.fitsarrays import StoredArray, read_image
from heliodor.fitsopen import compressed, opened
from heliodor.hashes import file_sha256
from heliodor.products.names import split_suffix
from heliodor.stripes import Stripes
from heliodor.workspace import MEMORY, Workspace

log = logging.getLogger(__name__)

NEEDED = ("INSTRUME", "DETECTOR", "EXP_TYPE", "TGROUP")
"""Keywords without which no raw data can be calibrated."""

NEEDED_OF_RAMPS = ("READPATT", "NINTS", "NGROUPS", "NFRAMES")
"""And those without which no slopes can be fitted."""

RAMP_LEVELS = ("uncal", "ramp")

SIZES = ("nints", "ngroups", "ny", "nx")

STAGES = {"uncal": 1, "ramp": 1, "rate": 2, "rateints": 2, "cal": 3, "calints": 3}
"""The stage that takes exposures of a level."""

_LEVELS = {
    "Level1bModel": "uncal",
    "RampModel": "ramp",
    "SuperstripeRampModel": "ramp",
    "GuiderRawModel": "uncal",
    "GuiderCalModel": "cal",
}


@dataclass(frozen=True)
class Exposure:
    """An exposure's file, known by its headers.

    Attributes
    ----------
    path : of the file
    keywords : of its primary and SCI headers
    shape : of the SCI array: (nints, ngroups, ny, nx) for a ramp
    level : ``uncal``, ``ramp``, ``rate``, ``rateints``, ``cal``, ``calints``, or ``other``
    planes : names of its extensions, in order
    rootname, suffix : the two parts of its name; suffix is empty if it is not a known one
    size : in bytes
    """

    path: Path
    keywords: Keywords
    shape: tuple[int, ...]
    level: str
    planes: tuple[str, ...]
    rootname: str
    suffix: str
    size: int

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths of its axes by name, of `SIZES`; of an image or a stack, without groups."""
        names = {4: SIZES, 3: ("nints", "ny", "nx"), 2: ("ny", "nx")}.get(len(self.shape), ())
        return dict(zip(names, self.shape, strict=True))

    @property
    def in_memory(self) -> int:
        """What its arrays take in memory [bytes]: float32, and flags of a byte for ramps."""
        samples = math.prod(self.shape)
        if self.level in RAMP_LEVELS:
            return 5 * samples + 4 * math.prod(self.shape[-2:])
        return 4 * samples * len(self.planes)

    @property
    def sha256(self) -> str:
        """Hash of the whole file; computed once for each state of the file."""
        return file_sha256(self.path)

    def open(self) -> AbstractContextManager[fits.HDUList]:
        """Open the file for a while; see `heliodor.fitsopen.opened`."""
        return opened(self.path)


def look(path: str | Path, stage: int | None = None) -> Exposure:
    """Read the headers of an exposure.

    Parameters
    ----------
    path : a FITS file
    stage : 1 if it must be a ramp

    Raises
    ------
    heliodor.errors.ExposureError
        The file is missing, empty, truncated, not FITS, of another level than `stage` takes,
        or lacks keywords.
    """
    path = Path(path)
    size = _readable_size(path)
    try:
        with opened(path) as hdus:
            planes = tuple(hdu.name for hdu in hdus[1:])
            ends = [info["datLoc"] + info["datSpan"] for hdu in hdus if (info := hdu.fileinfo())]
            primary = hdus[0].header
            science = hdus["SCI"].header if "SCI" in planes else None
    except (OSError, ValueError, KeyError, TypeError, fits.VerifyError) as error:
        raise ExposureError(
            f"{path}: not a FITS file, or one with a broken header ({error}). "
            "Expected an exposure such as jw..._uncal.fits."
        ) from error
    if not compressed(path) and ends[-1] > size:
        raise ExposureError(
            f"{path}: truncated: {size} bytes, but its headers announce {ends[-1]}. Fetch it again."
        )
    if science is None:
        found = ", ".join(planes) or "none"
        raise ExposureError(f"{path}: has no SCI extension (extensions: {found}).")
    shape = tuple(science[f"NAXIS{axis}"] for axis in range(science["NAXIS"], 0, -1))
    stem = path.name.removesuffix(".gz").removesuffix(".fits")
    rootname, _, suffix = split_suffix(stem)
    exposure = Exposure(
        path=path,
        keywords=Keywords(primary, science),
        shape=shape,
        level=_level(primary, science, shape),
        planes=planes,
        rootname=rootname,
        suffix=suffix,
        size=size,
    )
    if stage == 1:
        check_ramp(exposure)
    return exposure


def read_ramp(
    exposure: Exposure,
    threads: int = 1,
    workspace: Workspace = MEMORY,
    model: str = RAMP_MODEL,
) -> Ramp:
    """Read an exposure's ramp, every array once and straight into its final form.

    Parameters
    ----------
    exposure : of level ``uncal`` or ``ramp``
    threads : how many decode at once
    workspace : where its arrays live
    model : the `stdatamodels.jwst.datamodels` class of its mode's ramps

    Returns
    -------
    Ramp
        With zero GROUPDQ and PIXELDQ if the file has none.

    Raises
    ------
    heliodor.errors.ExposureError
        It is not a ramp, or the file cannot be read.
    """
    check_ramp(exposure, model)
    nints, _, ny, nx = exposure.shape
    path = exposure.path
    stripes = _stripes(str(path), exposure.keywords, nints)
    flags_shape = stripes.planes((ny, nx)) if stripes else (ny, nx)

    try:
        with exposure.open() as hdus:

            def plane(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray | None:
                if name not in exposure.planes or not hdus[name].header["NAXIS"]:
                    return None
                array = _read(path, hdus[name], dtype, threads, workspace)
                if array.shape != shape:
                    raise ExposureError(
                        f"{path}: {name} has shape {array.shape}; with SCI {exposure.shape} "
                        f"it must have {shape}."
                    )
                return array

            data = plane("SCI", exposure.shape, np.float32)
            groupdq = plane("GROUPDQ", exposure.shape, np.uint8)
            flags = "PIXELDQ" if model == RAMP_MODEL else "DQ"
            pixeldq = plane(flags, flags_shape, np.uint32)
            average_dark = plane("AVDRKCUR", (ny, nx), np.float32)
            # without the keyword the steps leave this plane alone: it stays in the file
            zeroframe = None
            if exposure.keywords.get("ZEROFRAM") is True:
                zeroframe = plane("ZEROFRAME", (nints, ny, nx), np.float32)
            times = _read_times(hdus) if exposure.level == "ramp" else None
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise ExposureError(f"{path}: its arrays cannot be read: {error}") from error
    assert data is not None
    return Ramp(
        data=data,
        groupdq=workspace.zeros(exposure.shape, np.uint8) if groupdq is None else groupdq,
        pixeldq=np.zeros(flags_shape, np.uint32) if pixeldq is None else pixeldq,
        keywords=exposure.keywords.copy(),
        zeroframe=zeroframe,
        extra={} if average_dark is None else {"AVDRKCUR": average_dark},
        source=exposure,
        stripes=stripes,
        read_times=times,
        model=model,
    )


def _read_times(hdus: fits.HDUList) -> np.ndarray | None:
    """Find the times of groups that are not evenly spaced."""
    if "ASDF" not in hdus:
        return None
    from heliodor.products.tree import READ_TIMES, read_entry

    times = read_entry(hdus["ASDF"].data["ASDF_METADATA"].tobytes(), *READ_TIMES)
    return np.array(times, np.float64) if times else None


def _stripes(name: str, keywords: Keywords, nints: int) -> Stripes | None:
    """Find the stripes of a ramp; its mode knows what is particular about them."""
    if keywords.get("MSTR_RD1") is None:
        return None
    from heliodor.plugins import registry

    layout = None
    with suppress(UsageError):
        layout = registry().recognise(keywords).layout
    try:
        stripes = Stripes.of(keywords, layout)
    except ExposureError as error:
        raise ExposureError(f"{name}: {error}") from error
    if stripes is not None and stripes.superstripes and nints % len(stripes.lines):
        raise ExposureError(
            f"{name}: {nints} integrations are not a multiple of {len(stripes.lines)} superstripes."
        )
    return stripes


def read_ramp_from_model(model: Any) -> Ramp:
    """Take a ramp from a `stdatamodels` model in memory; the model is left as it is.

    Parameters
    ----------
    model : a ``RampModel``, ``SuperstripeRampModel``, ``Level1bModel`` or ``GuiderRawModel``

    Returns
    -------
    Ramp
        With arrays of its own.
    """
    from heliodor.products.models import RAMP_PLANES, source_of

    if model.data is None or model.data.ndim != 4:
        raise ExposureError(
            f"{model}: stage 1 takes models of ramps with data (nints, ngroups, ny, nx)."
        )
    # without the keyword the steps leave this plane alone: it stays in the source
    held = RAMP_PLANES if model.meta.exposure.zero_frame else RAMP_PLANES - {"zeroframe"}
    source = source_of(model, held)
    keywords = _keywords_of(source)
    shape = model.data.shape

    def plane(name: str, dtype: Any) -> np.ndarray | None:
        array = getattr(model, name, None)
        return None if array is None else np.array(array, dtype, order="C")

    groupdq = plane("groupdq", np.uint8)
    kind = type(model).__name__
    kind = kind if kind == "GuiderRawModel" else RAMP_MODEL
    pixeldq = plane("pixeldq" if kind == RAMP_MODEL else "dq", np.uint32)
    average_dark = plane("average_dark_current", np.float32)
    stripes = _stripes(str(model), keywords, shape[0])
    # looking at an attribute that is not there would make it
    times = model.meta.exposure.instance.get("read_times")
    flags_shape = stripes.planes(shape[-2:]) if stripes else shape[-2:]
    return Ramp(
        data=np.array(model.data, np.float32, order="C"),
        groupdq=np.zeros(shape, np.uint8) if groupdq is None else groupdq,
        pixeldq=np.zeros(flags_shape, np.uint32) if pixeldq is None else pixeldq,
        keywords=keywords,
        zeroframe=plane("zeroframe", np.float32) if keywords.get("ZEROFRAM") is True else None,
        extra={} if average_dark is None else {"AVDRKCUR": average_dark},
        source=source,
        stripes=stripes,
        read_times=np.array(times, np.float64) if times else None,
        model=kind,
    )


def read_product(data: Any) -> Product:
    """Take an image of slopes from a file or a `stdatamodels` model; neither is changed.

    Parameters
    ----------
    data : path of a product, or a model with ``data`` (ny, nx) or (nints, ny, nx)

    Returns
    -------
    Product
        With arrays of its own: those of its model class that it has.

    Raises
    ------
    heliodor.errors.ExposureError
        It is a ramp, or cannot be read.
    """
    if isinstance(data, str | Path):
        return _read_product_file(look(data))
    return _take_product(data)


def _read_product_file(exposure: Exposure) -> Product:
    from heliodor.products.layout import layout

    path, keywords = exposure.path, exposure.keywords
    _check_product(str(path), exposure.shape)
    default = "ImageModel" if len(exposure.shape) == 2 else "CubeModel"
    model = str(keywords.get("DATAMODL") or default)
    planes = {}
    try:
        with exposure.open() as hdus:
            for plane in layout(model).planes.values():
                if plane.dtype and plane.hdu in exposure.planes and hdus[plane.hdu].shape:
                    planes[plane.name] = _read(path, hdus[plane.hdu], plane.dtype)
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise ExposureError(f"{path}: its arrays cannot be read: {error}") from error
    unit = str(keywords.get("BUNIT") or "DN/s")
    return Product(exposure.level, model, planes, keywords.copy(), unit, exposure)


def _take_product(model: Any) -> Product:
    from heliodor.products.layout import layout
    from heliodor.products.models import source_of

    kind = type(model).__name__
    shape = () if model.data is None else model.data.shape
    _check_product(str(model), shape)
    planes = {
        plane.name: np.array(getattr(model, plane.name), plane.dtype, order="C")
        for plane in layout(kind).planes.values()
        if plane.dtype and model.hasattr(plane.name)
    }
    source = source_of(model, set(planes))
    keywords = _keywords_of(source)
    level = _level({"DATAMODL": kind}, keywords, shape)
    return Product(level, kind, planes, keywords, str(keywords.get("BUNIT") or "DN/s"), source)


def _keywords_of(source: Any) -> Keywords:
    with source.open() as hdus:
        return Keywords(hdus[0].header, hdus["SCI"].header if "SCI" in hdus else {})


def _check_product(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) not in (2, 3) or 0 in shape:
        raise ExposureError(
            f"{name}: SCI has shape {shape}; this step takes slopes, (ny, nx) or (nints, ny, nx)."
        )


def _readable_size(path: Path) -> int:
    if not path.exists():
        raise ExposureError(f"{path}: there is no such file.")
    if path.is_dir():
        raise ExposureError(f"{path}: is a folder; name a FITS file in it.")
    if not os.access(path, os.R_OK):
        raise ExposureError(f"{path}: may not be read (permissions).")
    size = path.stat().st_size
    if size == 0:
        raise ExposureError(f"{path}: is empty.")
    return size


def _read(
    path: Path, hdu: Any, dtype: Any, threads: int = 1, workspace: Workspace = MEMORY
) -> np.ndarray:
    if compressed(path):
        return StoredArray(hdu).read(..., dtype)
    return read_image(path, hdu, dtype, threads, workspace=workspace)


def _level(primary: Mapping[str, Any], science: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    known = _LEVELS.get(str(primary.get("DATAMODL")))
    if known:
        return known
    if len(shape) == 4:
        return "uncal" if science["BITPIX"] == 16 else "ramp"
    unit = str(science.get("BUNIT", "")).replace(" ", "").upper()
    name = "rate" if unit == "DN/S" else "cal"
    return {2: name, 3: f"{name}ints"}.get(len(shape), "other")


def check_ramp(exposure: Exposure, model: str = RAMP_MODEL) -> None:
    """Make sure that an exposure is a ramp with the keywords that stage 1 needs.

    Parameters
    ----------
    exposure : known by its headers
    model : the `stdatamodels.jwst.datamodels` class of its mode's ramps

    Raises
    ------
    heliodor.errors.ExposureError
        It is of another level, has other axes, or lacks keywords.
    """
    path, keywords = exposure.path, exposure.keywords
    if exposure.level not in RAMP_LEVELS:
        raise ExposureError(
            f"{path}: is of level {exposure.level} (DATAMODL = {keywords.get('DATAMODL')}, SCI "
            f"{exposure.shape}); stage 1 takes ramps: uncal or ramp files."
        )
    if len(exposure.shape) != 4 or 0 in exposure.shape:
        raise ExposureError(
            f"{path}: SCI has shape {exposure.shape}; a ramp has (nints, ngroups, ny, nx)."
        )
    sloped = model == RAMP_MODEL
    needed = (*NEEDED, *NEEDED_OF_RAMPS) if sloped else NEEDED
    missing = [name for name in needed if keywords.get(name) is None]
    if missing:
        raise ExposureError(f"{path}: lacks the keyword(s) {', '.join(missing)}.")
    if sloped and keywords["NGROUPS"] != exposure.shape[1]:
        raise ExposureError(
            f"{path}: NGROUPS = {keywords['NGROUPS']}, but SCI holds {exposure.shape[1]} groups."
        )
