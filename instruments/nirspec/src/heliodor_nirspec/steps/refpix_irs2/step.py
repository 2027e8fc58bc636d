"""Remove bias drifts with interleaved reference pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from heliodor.bits import DO_NOT_USE, PIXEL
from heliodor.data import Ramp
from heliodor.step import Piece, References
from heliodor_detector.steps.refpix.readout import BORDER, MeanPixels, Readout, SidePixels
from heliodor_detector.steps.refpix.step import RefPix
from scipy.fft import fft, ifft

from heliodor_nirspec.irs2 import (
    COLUMNS,
    INTERLEAVED,
    NORMAL_PLACES,
    SECTOR,
    SECTORS,
    SLOT,
    Layout,
)
from heliodor_nirspec.steps.refpix_irs2 import bad
from heliodor_nirspec.steps.refpix_irs2.kernel import centre, restore
from heliodor_nirspec.steps.refpix_irs2.params import Irs2RefPixParams
from heliodor_nirspec.steps.refpix_irs2.spectra import (
    GAPS,
    Transform,
    Weights,
    fill_gaps,
    low_pass,
    remove_drift,
    spectrum_of_pixels,
)

BAD_REF_PIXEL = PIXEL["BAD_REF_PIXEL"]


class Irs2RefPix(RefPix):
    """Subtract what interleaved reference pixels and the reference output say about drifts.

    A frame of each amplifier is one sequence in time.  Both kinds of reference are sequences in the
    same time, weighted frequency by frequency by the reference file.  Then only the science pixels
    remain: 2048 rows of 3200.
    """

    Params = Irs2RefPixParams
    params: Irs2RefPixParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Find bad reference pixels, flag them, and read the weights."""
        _, _, ny, nlines = ramp.shape
        self.layout = Layout.of(ramp.keywords, ny)
        self.transform = Transform(nlines)
        self.weights = Weights(refs["refpix"], self.transform)
        self.filter = self.transform.ordered(low_pass(nlines))
        lists = list(bad.listed(refs["refpix"].table("DQ"))) if refs["refpix"].has("DQ") else []
        if self.params.irs2_bad_pixels == "clipped":
            self.patches = self._flag(ramp, lists)
        else:
            self.patches = self._find_by_factor(ramp, lists)
        if self.params.irs2_mean_subtraction:
            self._find_mean_pixels(ramp)

    def _flag(self, ramp: Ramp, lists: list[list[int]]) -> list[bad.Patch]:
        flagged = (ramp.pixeldq & np.uint32(BAD_REF_PIXEL)).any(axis=1) & INTERLEAVED
        limit = self.params.ovr_corr_mitigation_ftr
        found = bad.clipped(ramp.data, limit, flagged, self.threads)
        ramp.pixeldq[found] |= np.uint32(BAD_REF_PIXEL | DO_NOT_USE)
        patches = [bad.patch(int(row), found) for row in np.flatnonzero(found)]
        row_of = self.layout.row
        found = found[row_of]  # by column
        for columns in lists:
            new = [column for column in columns if not found[column]]
            found[new] = True
            for column in new:
                one = bad.patch(column, found)
                donors = tuple(int(row_of[donor]) for donor in one.donors)
                patches.append(bad.Patch(int(row_of[column]), donors))
        return patches

    def _find_by_factor(self, ramp: Ramp, lists: list[list[int]]) -> list[bad.Patch]:
        patches = [bad.Patch(int(self.layout.row[c]), ()) for columns in lists for c in columns]
        image = ramp.data[-1, -1].copy()
        for one in patches:
            one.apply(image)
        found = bad.by_factor(image, self.params.ovr_corr_mitigation_ftr)
        unusable = found.copy()
        unusable[[one.row for one in patches]] = True
        chosen = [bad.nearest_patch(int(row), unusable) for row in np.flatnonzero(found)]
        return patches + [one for one in chosen if one is not None]

    def _find_mean_pixels(self, ramp: Ramp) -> None:
        """Find the reference pixels of the first and last lines, in five sectors."""
        nlines = ramp.shape[3]
        lines = np.arange(nlines)[::-1] if self.layout.mirrored else np.arange(nlines)
        self.readout = Readout(self.layout.row, lines, fast_is_x=False)
        columns = self.readout.columns
        # of interleaved pixels, the first pair of a block counts as odd, the second as even
        even = np.where(INTERLEAVED[columns], columns % 4 >= 2, columns % 2 == 1)
        parities = 2 if self.params.odd_even_columns else 1
        kinds = columns // SECTOR * parities + (even if parities == 2 else 0)
        good = (self.readout.by_rows(ramp.pixeldq) & DO_NOT_USE) == 0
        edges = [lines < BORDER, lines >= nlines - BORDER]
        shape = (2, SECTORS, parities)
        self.means = MeanPixels.collect(self.readout, good, edges, kinds, shape)
        self.sides: list[SidePixels] = []  # rows are followed by interleaved pixels
        self.becomes_double = False

    def repair(self, ramp: Ramp, piece: Piece) -> None:
        """Subtract means if asked for, and overwrite bad reference pixels."""
        for image, keep_zeros in self._images(ramp, piece):
            if self.params.irs2_mean_subtraction:
                self._correct(image, self._precision(first=True), keep_zeros=keep_zeros)
            for one in self.patches:
                one.apply(image)

    def centre(self, ramp: Ramp, piece: Piece) -> None:
        """Take away the average over groups; it comes back when a group is corrected."""
        centre(ramp.data, self.notes.average, piece.integration, piece.row_start, piece.row_stop)

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Correct one group, and the first frame along with the first group."""
        average = self.notes.average[piece.integration]
        for image, is_first_frame in self._images(ramp, piece):
            if not is_first_frame:
                self._correct_drifts(image, average)
                continue
            missing = image == 0
            # zeros are gaps
            np.subtract(image, average, out=image, where=~missing, casting="same_kind")
            self._correct_drifts(image, average)
            image[missing] = 0

    @staticmethod
    def _images(ramp: Ramp, piece: Piece) -> Iterator[tuple[np.ndarray, bool]]:
        """Give the group of a piece and, with the first, the first frame, whose zeros stay."""
        yield ramp.data[piece.integration, piece.group], False
        if ramp.zeroframe is not None and piece.group == 0:
            yield ramp.zeroframe[piece.integration], True

    def _correct_drifts(self, image: np.ndarray, average: np.ndarray) -> None:
        """Correct an image without its average, which is given back."""
        keep = self.params.preserve_irs2_refpix
        if keep:
            # only science pixels and the reference output get their average back
            average = np.where((self.by_row(INTERLEAVED) & self._amplifier())[:, None], 0, average)
        places = np.arange(SECTOR) if keep else NORMAL_PLACES
        for sector in range(SECTORS):
            rows = self.layout.sector(sector)
            series = self._in_time(image, rows)
            remove_drift(series)
            if sector == 0:
                output, lines = fill_gaps(series, self.transform, self.filter)
                if keep:
                    output[GAPS] = self.transform.back(lines[GAPS], GAPS)
                    series, signal = output[SLOT], np.zeros_like(series)
                output_spectrum = fft(lines, axis=0, overwrite_x=True)
            else:
                spectrum = spectrum_of_pixels(series, self.transform)
                spectrum *= self.weights.of_pixels[sector - 1]
                spectrum += self.weights.of_output[sector - 1] * output_spectrum
                lines = ifft(spectrum, axis=0, overwrite_x=True)
                signal = self.transform.back(lines[SLOT[places]], SLOT[places])
            if sector or keep:
                restore(series, signal, average, places, rows[places], self.layout.mirrored, image)

    def _in_time(self, image: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Give (n, nlines) pixels of some rows with lines in the order of read-out."""
        return np.ascontiguousarray(image[rows, ::-1] if self.layout.mirrored else image[rows])

    def by_row(self, columns: np.ndarray) -> np.ndarray:
        """Order what is known of columns by rows of the file."""
        out = np.empty_like(columns)
        out[self.layout.row] = columns
        return out

    def _amplifier(self) -> np.ndarray:
        return self.by_row(np.arange(COLUMNS) >= SECTOR)

    def finish(self, ramp: Ramp) -> None:
        """Keep the science rows only."""
        if not self.params.preserve_irs2_refpix:
            ramp.keep_rows(self.layout.science_rows())
