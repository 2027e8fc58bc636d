"""Subtract the dark current."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits
from heliodor.data import Ramp
from heliodor.errors import OutputError, ReferenceError
from heliodor.references.files import Reference
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.steps.dark_current.kernel import average, extrapolate, subtract_frame
from heliodor_detector.steps.dark_current.params import DarkCurrentParams


class DarkCurrent(Step[DarkCurrentParams]):
    """Subtract a dark whose frames are averaged as those of the exposure's groups were.

    The dark is read by rows, a group at a time: it is never held as a whole.
    """

    Params = DarkCurrentParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Match the read patterns of dark and exposure."""
        self.reference = reference = refs["dark"]
        ramp.extra["AVDRKCUR"] = mean_dark_current(
            reference, ramp.pixeldq.shape, self.params.average_dark_current
        )
        pattern = _read_pattern(ramp.keywords)
        dark_pattern = _read_pattern(reference.header)
        if dark_pattern[0] > pattern[0] or dark_pattern[1] > pattern[1]:
            return Skipped("NFRAMES or GROUPGAP of the dark is greater than the exposure's")
        matched = match_groups(dark_pattern, pattern)
        if matched is None:
            raise ReferenceError(
                f"{reference.path}: groups of {dark_pattern[0]} frames and gaps of "
                f"{dark_pattern[1]} cannot be averaged to groups of {pattern[0]} frames and gaps "
                f"of {pattern[1]}: groups of the exposure are not made of whole groups of the dark."
            )
        self.averaged = dark_pattern != pattern
        self.span, step = matched
        self.starts = [group * step for group in range(ramp.shape[1])]
        self.dark = reference.cube("SCI")
        self.nstored = self.dark.shape[-3]
        self.extrapolated = self.starts[-1] + self.span > self.nstored
        if self.extrapolated:
            if self.nstored < 2:
                raise ReferenceError(
                    f"{reference.path}: a dark of one group cannot be extrapolated"
                )
            self.log.warning("the dark is shorter than the exposure and is extrapolated")
        flags = reference.dq()
        for plane in flags.reshape(-1, *flags.shape[-2:]):
            ramp.pixeldq |= plane
        self.output = None
        if self.params.dark_output is not None:
            self.output = self.workspace.empty((*self.dark.shape[:-3], *ramp.shape[1:]))
        return None

    def subtract(self, ramp: Ramp, piece: Piece) -> None:
        """Subtract from some rows of all integrations."""
        for index, integrations in self._shares(ramp):
            if integrations.start == integrations.stop and self.output is None:
                continue
            for group, dark in enumerate(self._groups(piece, index)):
                subtract_frame(
                    ramp.data,
                    dark,
                    integrations.start,
                    integrations.stop,
                    group,
                    piece.row_start,
                )
                if self.output is not None:
                    self.output[index][group, piece.rows] = np.where(np.isnan(dark), 0.0, dark)

    def finish(self, ramp: Ramp) -> None:
        """Write the dark that was subtracted, if it is wanted."""
        if self.output is None:
            return
        primary = fits.PrimaryHDU(header=fits.Header(self.reference.header, copy=True))
        primary.header["NGROUPS"] = len(self.starts)
        primary.header["NFRAMES"], primary.header["GROUPGAP"] = _read_pattern(ramp.keywords)
        planes = [
            fits.ImageHDU(self.output, name="SCI"),
            fits.ImageHDU(self.reference.dq(), name="DQ"),
        ]
        try:
            fits.HDUList([primary, *planes]).writeto(self.params.dark_output, overwrite=True)
        except OSError as error:
            raise OutputError(f"dark_output: {error}") from error

    def _shares(self, ramp: Ramp) -> Iterator[tuple[tuple[int, ...], slice]]:
        """Give the dark's integrations and those of the exposure that each is for, if any.

        Darks of several integrations follow the exposure's from its beginning, the last one
        serving all that come later; so does it for every later segment of an exposure.
        """
        nints = ramp.shape[0]
        if len(self.dark.shape) == 3:
            yield (), slice(0, nints)
            return
        last = self.dark.shape[0] - 1
        alone = min(last, nints) if int(ramp.keywords.get("INTSTART") or 1) == 1 else 0
        for integration in range(last):
            yield (integration,), slice(min(integration, alone), min(integration + 1, alone))
        yield (last,), slice(alone, nints)

    def _groups(self, piece: Piece, index: tuple[int, ...]) -> Iterator[np.ndarray]:
        """Give the dark of each group; its values are gone with the next."""
        rows = piece.row_start, piece.row_stop
        if self.extrapolated:
            tail = self._read(piece, index, self.nstored - 2, self.nstored)
        elif self.averaged:
            tail = None
        else:  # they are as they stand in the file
            yield from self.dark.images(*rows, *index, slice(0, len(self.starts)))
            return
        for start in self.starts:
            yield self._group(piece, index, start, tail)

    def _group(
        self, piece: Piece, index: tuple[int, ...], start: int, tail: np.ndarray | None
    ) -> np.ndarray:
        """Make the dark of one group; in averages NaN counts as zero."""
        frames = self._read(piece, index, start, min(start + self.span, self.nstored))
        if tail is not None:
            frames = extrapolate(frames, tail, start - self.nstored, self.span)
        if not self.averaged:
            return frames[0]
        frames[np.isnan(frames)] = 0.0
        return average(frames)

    def _read(self, piece: Piece, index: tuple[int, ...], start: int, stop: int) -> np.ndarray:
        return self.dark.rows(piece.row_start, piece.row_stop, *index, slice(start, stop))


def match_groups(dark: tuple[int, int], exposure: tuple[int, int]) -> tuple[int, int] | None:
    """Find which groups of a dark make the groups of an exposure.

    Parameters
    ----------
    dark, exposure : frames averaged in a group, and frames dropped between groups

    Returns
    -------
    groups of the dark that are averaged, and its groups from one to the next; None if the frames of
    the exposure's groups are not those of whole groups of the dark
    """
    (frames, gap), (wanted, wanted_gap) = dark, exposure
    span, rest = divmod(wanted, frames)
    step, left = divmod(wanted + wanted_gap, frames + gap)
    if rest or left or (span > 1 and gap):
        return None
    return span, step


def mean_dark_current(
    reference: Reference, shape: tuple[int, ...], given: float | None
) -> np.ndarray:
    """Find the mean dark current, whose noise is part of the errors of the slopes.

    Parameters
    ----------
    reference : the dark
    shape : (ny, nx)
    given : one figure for all pixels that overrides the reference [electron/s]

    Returns
    -------
    (ny, nx) float32 [electron/s]; the AVDRKCUR plane of the dark, or else the keyword of that
    name in its header, or else zero
    """
    if given is None:
        if reference.has("AVDRKCUR"):
            plane = reference.plane("AVDRKCUR")
            if plane.sum() != 0:
                return plane
        given = float(reference.header.get("AVDRKCUR") or 0.0)
    return np.full(shape, given, np.float32)


def _read_pattern(keywords: Mapping[str, Any]) -> tuple[int, int]:
    """Frames averaged in a group, and frames dropped between groups."""
    return int(keywords.get("NFRAMES") or 1), int(keywords.get("GROUPGAP") or 0)
