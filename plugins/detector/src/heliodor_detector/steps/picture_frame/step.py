"""Subtract the thermal glow around the edge of NIRSpec's detectors."""

from __future__ import annotations

import numpy as np
from heliodor.data import Product, Ramp
from heliodor.errors import NotYetError
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.steps.clean_flicker_noise.scene import scene_mask
from heliodor_detector.steps.picture_frame.params import PictureFrameParams
from heliodor_detector.steps.ramp_fit.kernel import SLOPE
from heliodor_detector.steps.ramp_fit.params import RampFitParams
from heliodor_detector.steps.ramp_fit.step import RampFit

INSIDE = 4, 2043
"""Rows and columns with light, as a range; around them are reference pixels."""

NOT_LEFT, NOT_RIGHT = 75, 1985
"""The edge lies below the former and from the latter on."""

CENTER = 76, 1984
"""The centre, as a range."""


class PictureFrame(Step[PictureFrameParams]):
    """Scale an image of the glow to each group less the first, by its contrast with the centre.

    Attributes
    ----------
    mask : (ny, nx) bool, true where there is background
    center, edge : (ny, nx) bool, background of the two regions
    frame : (ny, nx) float32, glow over its median at the edge
    contrast : of the glow, centre less edge
    """

    Params = PictureFrameParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Read the glow; begin the draft slopes."""
        if "pictureframe" not in refs:
            return Skipped("it is for NIRSpec, full frame")
        if ramp.shape[1] == 1:
            return Skipped("there is one group only")
        if self.params.mask_science_regions:
            raise NotYetError(
                "regions of spectra are not known yet; set mask_science_regions=false."
            )
        self.fit = RampFit(RampFitParams(), self.threads, self.workspace)
        skipped = self.fit.prepare(ramp, refs)
        if skipped is not None:
            return Skipped(f"there are no draft slopes: {skipped.reason}", failed=True)
        self.frame = refs["pictureframe"].plane("SCI")
        save = self.params.save_correction
        self.before = self.workspace.empty(ramp.shape) if save else None
        return None

    def draft(self, ramp: Ramp, piece: Piece) -> None:
        """Fit slopes of some rows; keep these if asked."""
        if self.before is not None:
            self.before[:, :, piece.rows] = ramp.data[:, :, piece.rows]
        self.fit.fit(ramp, piece)

    def mask_scene(self, ramp: Ramp, piece: Piece) -> None:
        """Find the background; measure the glow there; let go of the draft."""
        self.mask = scene_mask(self.fit.rate[SLOPE], self.params.n_sigma, histogram=False)
        del self.fit
        center, edge = regions(self.mask.shape)
        self.center, self.edge = self.mask & center, self.mask & edge
        self.possible = bool(self.center.any() and self.edge.any())
        if self.possible:
            level = median(self.frame, self.edge)
            self.contrast = median(self.frame, self.center) - level
            self.frame -= level

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Subtract the glow from one group; the first stays as it is."""
        if not self.possible or not piece.group:
            return
        first = ramp.data[piece.integration, 0]
        group = ramp.data[piece.integration, piece.group]
        group -= first
        level = median(group, self.edge)
        scale = (median(group, self.center) - level) / self.contrast
        group += first - (scale * self.frame + level)

    def finish(self, ramp: Ramp) -> dict[str, Product] | Skipped:
        """Give the optional products."""
        if not self.possible:
            return Skipped("there is no background at the edge, or none at the centre")
        made: dict[str, tuple[str, np.ndarray, str]] = {}
        if self.params.save_mask:
            made["pctfrm_mask"] = "ImageModel", self.mask.astype(np.float32), ""
        if self.before is not None:
            np.subtract(ramp.data, self.before, out=self.before)
            made["pctfrm_correction"] = "RampModel", self.before, "DN"
        return {
            name: Product(name, model, {"data": data}, ramp.keywords.copy(), unit)
            for name, (model, data, unit) in made.items()
        }


def regions(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Divide the detector.

    Parameters
    ----------
    shape : (ny, nx)

    Returns
    -------
    center, edge : (ny, nx) bool
    """
    y, x = np.indices(shape, sparse=True)
    center = _between(y, CENTER) & _between(x, CENTER)
    outer = (y < NOT_LEFT) | (y >= NOT_RIGHT) | (x < NOT_LEFT) | (x >= NOT_RIGHT)
    return center, outer & _between(y, INSIDE) & _between(x, INSIDE)


def _between(place: np.ndarray, bounds: tuple[int, int]) -> np.ndarray:
    return (place >= bounds[0]) & (place < bounds[1])


def median(image: np.ndarray, region: np.ndarray) -> np.float32:
    """Give the median of the known values of a region; NaN of none."""
    values = image[region]
    values = values[~np.isnan(values)]
    return np.median(values) if values.size else np.float32(np.nan)
