"""How two products of the same exposure are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

RELATIVE = 1e-5
"""Part of the value by which floating-point numbers may differ."""

SHARE = 1e-3
"""And part of the pixel's own error."""

SHARE_OF_VARIANCE = 1e-5
"""For parts of a variance, of the whole: they follow from medians, which may be near zero."""

READ_NOISE = 5.0
"""Stands for the error where there is none: in ramps, and in the pedestal of fits [DN]."""

MOST_BAD = 1e-5
"""Part of the values that may differ by more."""

ERRORS = {"SCI": "ERR", "ERR": "ERR", "SLOPE": "SIGSLOPE", "YINT": "SIGYINT"}
_IN_DN = ("SCI", "ZEROFRAME", "PEDESTAL")
_THEIRS = ("DATE", "CRDS_CTX", "CRDS_VER", "", "COMMENT", "HISTORY")
"""Keywords that depend on when and with what a product was made."""

_KEPT = {"S_REFPIX": ("SKIPPED", "COMPLETE"), "FILETYPE": (None, "raw")}
"""Values that differ on purpose, ours and theirs; the page on parity says why."""


@dataclass(frozen=True)
class Verdict:
    """How one array of one product compares.

    Attributes
    ----------
    product : ``jump``, ``rate``
    array : name of the extension
    size : number of values
    different : values that are not identical
    bad : those that differ by more than is allowed; for flags, at all
    worst : largest difference, as a part of what is allowed; 0 for flags
    problem : what else is wrong: ``only in one``, ``shapes differ``
    """

    product: str
    array: str
    size: int = 0
    different: int = 0
    bad: int = 0
    worst: float = 0.0
    problem: str = ""

    @property
    def flags(self) -> bool:
        """Whether it is an array of flags."""
        return self.array.endswith("DQ")

    @property
    def good(self) -> bool:
        """Whether the two are at parity."""
        allowed = 0 if self.flags else MOST_BAD * self.size
        return not self.problem and self.bad <= allowed


def compare(ours: Path, theirs: Path, product: str) -> Iterator[Verdict]:
    """Compare the images of two files."""
    with fits.open(ours) as a, fits.open(theirs) as b:
        left, right = _images(a), _images(b)
        for name in left | right:
            if name == "ERR" and name not in left and not right[name].any():
                continue  # of raw guide star exposures: nobody has made it
            if name not in left or name not in right:
                whose = "theirs" if name in right else "ours"
                yield Verdict(product, name, problem=f"only in {whose}")
            elif left[name].shape != right[name].shape:
                shapes = f"{left[name].shape} and {right[name].shape}"
                yield Verdict(product, name, problem=f"shapes differ: {shapes}")
            elif left[name].dtype != right[name].dtype:
                types = f"{left[name].dtype.name} and {right[name].dtype.name}"
                yield Verdict(product, name, problem=f"types differ: {types}")
            else:
                yield _verdict(product, name, left[name], right[name], _margin(name, right))


def _images(hdus: fits.HDUList) -> dict[str, np.ndarray]:
    return {hdu.name: hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None}


def _margin(name: str, images: dict[str, np.ndarray]) -> np.ndarray | float:
    """Give by how much values may differ whatever they are."""
    if name in ERRORS and ERRORS[name] in images:
        return SHARE * np.nan_to_num(images[ERRORS[name]].astype(float))
    if name.startswith("VAR_") and "ERR" in images:
        return SHARE_OF_VARIANCE * np.nan_to_num(images["ERR"].astype(float)) ** 2
    return SHARE * READ_NOISE if name in _IN_DN else 0.0


def _verdict(
    product: str, name: str, ours: np.ndarray, theirs: np.ndarray, margin: np.ndarray | float
) -> Verdict:
    equal = ours == theirs
    if ours.dtype.kind == "f":
        equal |= np.isnan(ours) & np.isnan(theirs)
    different = equal.size - int(np.count_nonzero(equal))
    if ours.dtype.kind != "f" or not different:
        return Verdict(product, name, ours.size, different, different)
    mine, other = ours[~equal].astype(float), theirs[~equal].astype(float)
    allowed = RELATIVE * np.abs(other) + np.broadcast_to(margin, equal.shape)[~equal]
    part = np.full(different, np.inf)
    comparable = np.isfinite(mine) & np.isfinite(other) & (allowed > 0)
    np.divide(np.abs(mine - other), allowed, out=part, where=comparable)
    bad = int(np.count_nonzero(part > 1))
    return Verdict(product, name, ours.size, different, bad, float(part.max()))


def keywords(ours: Path, theirs: Path) -> list[str]:
    """Name the keywords of `theirs` that `ours` has not, or with another value."""
    names = []
    for hdu in ("PRIMARY", "SCI"):
        left, right = fits.getheader(ours, hdu), fits.getheader(theirs, hdu)
        for name in set(right) - set(_THEIRS):
            value = right[name]
            # references are recorded with their folder when they are given by name
            wanted = Path(value).name if name.startswith("R_") and value != "N/A" else value
            if name.startswith("R_") and wanted == "N/A" and name not in left:
                continue  # one that a step may have, and there is none
            if left.get(name) != wanted and _KEPT.get(name) != (left.get(name), wanted):
                names.append(name)
    return sorted(names)
