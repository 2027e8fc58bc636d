"""Correct for interpixel capacitance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from heliodor.data import Ramp
from heliodor.errors import NotYetError, ReferenceError
from heliodor.references.files import Reference
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.steps.ipc.kernel import convolve
from heliodor_detector.steps.ipc.params import IpcParams


class Ipc(Step[IpcParams]):
    """Convolve every group with the kernel that undoes interpixel capacitance.

    Attributes
    ----------
    size : columns and rows of the detector
    frame : how wide its reference pixels are at the bottom, top, left and right
    """

    Params = IpcParams
    size: ClassVar[tuple[int, int]] = (2048, 2048)
    frame: ClassVar[tuple[int, int, int, int]] = (4, 4, 4, 4)

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Read the kernel and find the reference pixels, which take no part."""
        if "ipc" not in refs:
            return Skipped("there is no ipc reference file for this exposure")
        if ramp.stripes is not None:
            return Skipped("lines of stripes have other neighbours on the detector")
        ny, nx = ramp.data.shape[-2:]
        if max(ny, nx) > 2048:
            raise NotYetError("ipc for IRS2 comes with the package heliodor-nirspec")
        self.weights = read_weights(refs["ipc"])
        self.border = reference_border(ramp.keywords, (ny, nx), self.size, self.frame)
        return None

    def convolve(self, ramp: Ramp, piece: Piece) -> None:
        """Convolve one group."""
        image = ramp.data[piece.integration, piece.group]
        convolve(image, self.weights, self.border, self.params.edge == "nearest")


def read_weights(reference: Reference) -> np.ndarray:
    """Read a kernel that is the same everywhere, or one for each pixel of the exposure.

    Returns
    -------
    (height, width, 1, 1) or (height, width, ny, nx) float32
    """
    weights = reference.whole("SCI")
    height, width = weights.shape[:2]
    if weights.ndim not in (2, 4) or height % 2 == 0 or width % 2 == 0:
        raise ReferenceError(
            f"{reference.path}: an ipc kernel is of two or four axes, the first two of odd length; "
            f"this one has the shape {weights.shape}"
        )
    return weights[:, :, np.newaxis, np.newaxis] if weights.ndim == 2 else reference.plane("SCI")


def reference_border(
    keywords: Mapping[str, Any],
    shape: tuple[int, int],
    size: tuple[int, int],
    frame: tuple[int, int, int, int],
) -> np.ndarray:
    """Count the reference pixels on each side of an array.

    Parameters
    ----------
    keywords : SUBSTRT1 and SUBSTRT2 place the array on the detector
    shape : (ny, nx) of the array
    size, frame : of the detector, see `Ipc`

    Returns
    -------
    (4,) int64, at the bottom, top, left and right
    """
    ny, nx = shape
    bottom, top, left, right = frame
    x = int(keywords.get("SUBSTRT1") or 1) - 1
    y = int(keywords.get("SUBSTRT2") or 1) - 1
    border = [bottom - y, y + ny - (size[1] - top), left - x, x + nx - (size[0] - right)]
    return np.maximum(border, 0).astype(np.int64)
