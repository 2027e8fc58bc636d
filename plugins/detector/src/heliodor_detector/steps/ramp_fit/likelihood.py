"""The fit by likelihood of one exposure: what it needs beside the exposure's own arrays."""

from __future__ import annotations

import numpy as np
from heliodor.data import Ramp
from heliodor.step import Piece, References

from heliodor_detector.medians import sorting_network
from heliodor_detector.steps.ramp_fit.covariance import covariance_table, even_read_times
from heliodor_detector.steps.ramp_fit.likely import fit_likely


class Likelihood:
    """Fit slopes by their likelihood (Brandt 2024, PASP 136, 045004 and 045005).

    Parameters
    ----------
    ramp : the exposure
    refs : gain and readnoise
    used : first and last group that take part
    with_saturated : see `RampFitParams.likely_as_jwst`

    Attributes
    ----------
    chisq : (ny, nx) float32, chi squared added up over the integrations
    """

    def __init__(self, ramp: Ramp, refs: References, used: tuple[int, int], with_saturated: bool):
        nints, ngroups, ny, nx = ramp.shape
        self.used = used
        self.with_saturated = with_saturated
        self.gain = refs["gain"].plane("SCI")
        self.readnoise = refs["readnoise"].plane("SCI")
        dark = ramp.extra.get("AVDRKCUR")
        self.dark = np.zeros((ny, nx), np.float32) if dark is None else dark

        keywords = ramp.keywords
        self.nframes = int(keywords["NFRAMES"])
        times: list[np.ndarray]
        if ramp.read_times is None:
            gap = int(keywords.get("GROUPGAP") or 0)
            times = even_read_times(ngroups, self.nframes, gap, float(keywords["TFRAME"]))
        else:
            times = list(ramp.read_times)
        self.zeroframe = np.empty((0, 0, 0), np.float32)
        if ramp.zeroframe is not None and len(times[0]) > 1:
            self.zeroframe = ramp.zeroframe
            times = [times[0][:1], times[0][1:], *times[1:]]
        self.table = covariance_table(times)
        self.network = sorting_network(self.table.shape[1])
        self.network_ints = sorting_network(nints)
        self.chisq = np.empty((ny, nx), np.float32)

    def fit(
        self,
        ramp: Ramp,
        piece: Piece,
        rateints: np.ndarray,
        rateints_dq: np.ndarray,
        rate: np.ndarray,
        rate_dq: np.ndarray,
    ) -> None:
        """Fit some rows of all integrations; see `fit_likely` for the arrays that are filled."""
        fit_likely(
            ramp.data,
            ramp.groupdq,
            ramp.pixeldq,
            self.zeroframe,
            self.gain,
            self.readnoise,
            self.dark,
            self.table,
            self.network,
            self.network_ints,
            self.used,
            self.nframes,
            self.with_saturated,
            rateints,
            rateints_dq,
            rate,
            rate_dq,
            self.chisq,
            piece.row_start,
            piece.row_stop,
        )
