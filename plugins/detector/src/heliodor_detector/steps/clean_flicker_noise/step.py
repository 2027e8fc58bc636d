"""Remove the slow noise of the read-out that reference pixels leave."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET
from heliodor.data import Product, Ramp
from heliodor.errors import NotYetError
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.medians import sorting_network
from heliodor_detector.steps.clean_flicker_noise import background
from heliodor_detector.steps.clean_flicker_noise.autoparam import choose
from heliodor_detector.steps.clean_flicker_noise.background import clip, sorted_values
from heliodor_detector.steps.clean_flicker_noise.kernel import (
    add_up,
    any_usable,
    difference,
    median_of_integrations,
)
from heliodor_detector.steps.clean_flicker_noise.params import CleanFlickerNoiseParams
from heliodor_detector.steps.clean_flicker_noise.scene import (
    brightness,
    read_flat,
    read_mask,
    scene_mask,
)
from heliodor_detector.steps.clean_flicker_noise.stripes import subtract_stripes
from heliodor_detector.steps.ramp_fit.params import RampFitParams
from heliodor_detector.steps.ramp_fit.rows import DQ, SLOPE
from heliodor_detector.steps.ramp_fit.step import RampFit

FFT_TYPES = ("NRS_MSASPEC", "NRS_IFU", "NRS_FIXEDSLIT", "NRS_BRIGHTOBJ")
"""Exposures whose noise can be fitted in frequency space."""

AUTO_TYPES = ("NIS_IMAGE", "NRC_IMAGE")
"""Exposures whose parameters can be chosen by their image."""

SERIES_TYPES = ("NRC_TSIMAGE", "NRC_TSGRISM", "NRS_BRIGHTOBJ", "NIS_SOSS")
"""Time series, whose brightness is measured by photometry or extraction of spectra."""


class CleanFlickerNoise(Step[CleanFlickerNoiseParams]):
    """Clean the differences of groups, masked by a draft of the slopes, and add them up again.

    With a median image every group is cleaned by itself, less the median.

    Attributes
    ----------
    Draft : the step that fits draft slopes
    masks : (1 or nints, ny, nx) bool, true where there is background
    flat : (ny, nx) float32, or None
    medians : (ngroups, ny, nx) float32 [DN], median of integrations, or None
    """

    Params = CleanFlickerNoiseParams
    Draft: ClassVar[type[RampFit]] = RampFit

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Check that the exposure can be cleaned as it is asked; begin the draft slopes."""
        params = self.params
        nints, _, ny, nx = ramp.shape
        self.exp_type = str(ramp.keywords.get("EXP_TYPE")).upper()
        self.detector = str(ramp.keywords.get("DETECTOR")).upper()
        self.subarray = str(ramp.keywords.get("SUBARRAY")).upper()
        self.slow_axis = self.find_slow_axis(ramp)
        if self.slow_axis not in (1, 2):
            return Skipped("the exposure has no SLOWAXIS", failed=True)
        if params.fit_method == "fft" and self.exp_type not in FFT_TYPES:
            return Skipped(f"fit_method fft is not for {self.exp_type}", failed=True)
        self.refuse(ramp)
        self.method: str | None = params.background_method
        self.by_channel = self._channels_exist(ramp, params.fit_by_channel)
        self.auto = params.autoparam and self.exp_type in AUTO_TYPES
        flat_wanted = params.apply_flat_field or self.auto
        self.flat = read_flat(refs["flat"]) if flat_wanted and "flat" in refs else None
        if params.autoparam and not self.auto:
            self.log.warning("autoparam is not for %s: parameters stay", self.exp_type)
        if self.flat is None and flat_wanted:
            self.log.warning("there is no flat: the exposure is cleaned without")
        self.masks = np.empty((0, ny, nx), bool)
        if params.user_mask is not None:
            mask = read_mask(Path(params.user_mask))
            self.masks = mask.reshape(-1, *mask.shape[-2:])
            if self.masks.shape not in ((1, ny, nx), (nints, ny, nx)):
                return Skipped(f"the mask of {mask.shape} does not fit the exposure", failed=True)
        self.medians = None
        if self.method == "median_image":
            if nints < 2:
                return Skipped("one integration has no median image", failed=True)
            self.medians = self.workspace.empty(ramp.shape[1:])
        self.fit: RampFit | None = None
        if params.user_mask is None or self.medians is not None or self.auto:
            self.fit = self.Draft(RampFitParams(), self.threads, self.workspace)
            skipped = self.fit.prepare(ramp, refs)
            if skipped is not None:
                return Skipped(f"there are no draft slopes: {skipped.reason}", failed=True)
        self.levels = self.workspace.zeros(ramp.shape) if params.save_background else None
        self.before = self.workspace.empty(ramp.shape) if params.save_noise else None
        return None

    def find_slow_axis(self, ramp: Ramp) -> int:
        """Tell which axis is read line after line: 1 for x, 2 for y, 0 if that is not known."""
        return abs(int(ramp.keywords.get("SLOWAXIS") or 0))

    def refuse(self, ramp: Ramp) -> None:
        """Raise for what needs coordinates, photometry or extraction."""
        spectra = self.exp_type.startswith("NRS") or self.exp_type == "NIS_SOSS"
        if self.params.mask_science_regions and spectra:
            raise NotYetError(
                f"mask_science_regions is not there yet for {self.exp_type}; user_mask is."
            )
        if self.params.background_method == "median_image" and self.exp_type in SERIES_TYPES:
            raise NotYetError(
                f"background_method median_image is not there yet for {self.exp_type}."
            )

    def _channels_exist(self, ramp: Ramp, asked: bool) -> bool:
        if asked and ramp.keywords.get("SUBARRAY") != "FULL":
            self.log.warning("fit_by_channel is for full frame exposures: ignored")
            return False
        return asked

    def draft(self, ramp: Ramp, piece: Piece) -> None:
        """Fit slopes, and take medians over integrations, of some rows; keep them if asked."""
        if self.before is not None:
            self.before[:, :, piece.rows] = ramp.data[:, :, piece.rows]
        if self.fit is not None:
            self.fit.fit(ramp, piece)
        if self.medians is not None:
            network = sorting_network(ramp.shape[0])
            median_of_integrations(
                ramp.data, self.medians, network, piece.row_start, piece.row_stop
            )

    def mask_scene(self, ramp: Ramp, piece: Piece) -> None:
        """Choose parameters if asked; make the masks; let go of the draft."""
        if self.fit is None:
            return
        rate, rate_dq = self.fit.rate[SLOPE], self.fit.rate_dq
        rateints = self.fit.rateints[:, SLOPE]
        rateints_dq = self.fit.rateints[:, DQ].view(np.uint32)
        self.fit = None
        if self.auto:
            self._choose_parameters(rate, ramp)
        if self.flat is not None:
            rate /= self.flat
            rateints /= self.flat
        if self.medians is not None:
            self.brightness = brightness(rateints)
        if self.params.user_mask is None:
            images, dq = rateints, rateints_dq
            if self.params.single_mask and self.medians is None:
                images, dq = rate[np.newaxis], rate_dq[np.newaxis]
            self.masks = self.workspace.empty(images.shape, bool)
            for mask, image, flags in zip(self.masks, images, dq, strict=True):
                mask[:] = scene_mask(
                    image, self.params.n_sigma, self.params.fit_histogram, self.hidden(flags)
                )

    def hidden(self, dq: np.ndarray) -> np.ndarray:
        """Find regions that are no background whatever their brightness.

        Parameters
        ----------
        dq : (ny, nx) uint32, of the draft slopes

        Returns
        -------
        (ny, nx) bool
        """
        return np.zeros(dq.shape, bool)

    def _choose_parameters(self, rate: np.ndarray, ramp: Ramp) -> None:
        image = rate.copy() if self.flat is None else rate / self.flat
        self.method, by_channel = choose(image, self.slow_axis, self.exp_type == "NIS_IMAGE")
        self.by_channel = self._channels_exist(ramp, by_channel)
        self.medians = None
        self.log.info(
            "chosen: background_method %s, fit_by_channel %s", self.method, self.by_channel
        )

    def check(self, ramp: Ramp, piece: Piece) -> None:
        """Note whether a group shows any background; others will stay as they are."""
        if piece.group and self.medians is None:
            self.notes.usable[piece.integration, piece.group] = any_usable(
                ramp.data, ramp.groupdq, self._mask(piece), piece.integration, piece.group
            )

    def take_differences(self, ramp: Ramp, piece: Piece) -> None:
        """Replace groups by their differences."""
        difference(ramp.data, self.notes.usable, piece.integration, piece.row_start, piece.row_stop)

    def add_differences(self, ramp: Ramp, piece: Piece) -> None:
        """Replace differences by groups."""
        add_up(ramp.data, self.notes.usable, piece.integration, piece.row_start, piece.row_stop)

    def clean(self, ramp: Ramp, piece: Piece) -> None:
        """Clean one difference, or one group less the median image."""
        place = piece.integration, piece.group
        image, mask = ramp.data[place], self._mask(piece).copy()
        if self.medians is not None:
            median = self.brightness[piece.integration] * self.medians[piece.group]
            residual = image - median
            if self._clean_image(residual, mask, None) is not None:
                image[:] = median + residual
                self._keep_level(place, median)
        elif self.notes.usable[place]:
            mask &= (ramp.groupdq[place] & (DO_NOT_USE | JUMP_DET)) == 0
            level = self._clean_image(image, mask, self.method)
            if level is not None:
                self._keep_level(place, level)

    def _mask(self, piece: Piece) -> np.ndarray:
        return self.masks[piece.integration if len(self.masks) > 1 else 0]

    def _keep_level(self, place: tuple[int, int], level: np.ndarray | np.float32) -> None:
        if self.levels is not None:
            self.levels[place] = level

    def _clean_image(
        self, image: np.ndarray, mask: np.ndarray, method: str | None
    ) -> np.ndarray | np.float32 | None:
        """Clean an image in place; give its background, or None if it shows none.

        Parameters
        ----------
        image : (ny, nx) float32 [DN]
        mask : (ny, nx) bool, true where there is background; changed in place
        method : how the background is measured
        """
        if self.flat is not None:
            image /= self.flat
        unknown = np.isnan(image)
        image[unknown] = 0.0
        mask &= ~unknown
        if not mask.any():
            return None
        level: np.ndarray | np.float32 = np.float32(0.0)
        if method is not None:
            level = self._subtract_level(image, mask, method)
        if self.params.fit_method == "fft":
            from heliodor_detector.steps.clean_flicker_noise.frequencies import subtract_noise

            subtract_noise(image, mask, self.detector, self.subarray)
        else:
            subtract_stripes(image, mask, self.slow_axis, self.by_channel)
        image += level
        if self.flat is not None:
            image *= self.flat
        image[unknown] = np.nan
        return level

    def _subtract_level(
        self, image: np.ndarray, mask: np.ndarray, method: str
    ) -> np.ndarray | np.float32:
        """Subtract the background; leave what stands out of it out of the mask."""
        values = clip(image, mask, sorted_values(image, mask), 3.0, 3.0, lower_half=True)
        level: np.ndarray | np.float32
        if method == "model":
            box = self.params.background_box_size
            level = background.model(image, mask, None if box is None else tuple(box))
            image -= level
            values = sorted_values(image, mask)
        else:
            level = background.level(values)
            image -= level
            values -= level  # still in order
        if self.params.n_sigma > 0:
            n_sigma = self.params.n_sigma
            clip(image, mask, values, n_sigma, n_sigma, lower_half=True)
        return level

    def finish(self, ramp: Ramp) -> dict[str, Product]:
        """Give the optional products."""
        made: dict[str, tuple[str, np.ndarray, str]] = {}
        if self.params.save_mask:
            single = len(self.masks) == 1
            mask = self.masks.astype(np.float32)
            made["mask"] = ("ImageModel", mask[0], "") if single else ("CubeModel", mask, "")
        if self.levels is not None:
            made["flicker_bkg"] = "RampModel", self.levels, "DN"
        if self.before is not None:
            np.subtract(ramp.data, self.before, out=self.before)
            made["flicker_noise"] = "RampModel", self.before, "DN"
        return {
            name: Product(name, model, {"data": data}, ramp.keywords.copy(), unit)
            for name, (model, data, unit) in made.items()
        }
