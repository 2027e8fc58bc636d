"""Fit the slopes of the ramps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from heliodor.bits import DO_NOT_USE, SATURATED
from heliodor.data import Product, Ramp
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.groups import mostly_flagged
from heliodor_detector.medians import median_network, sorting_network
from heliodor_detector.steps.ramp_fit.params import RampFitParams
from heliodor_detector.steps.ramp_fit.rows import DQ, ERR, SLOPE, VAR_POISSON, VAR_RNOISE
from heliodor_detector.steps.ramp_fit.weights import pair_tables, weight_table

if TYPE_CHECKING:
    from heliodor_detector.steps.ramp_fit.likelihood import Likelihood

PLANES = 5
"""Results of an integration: slope, error, its two parts squared, flags."""

FEWEST_LIKELY = 4
"""Ramps with fewer groups are fitted by least squares whatever the algorithm."""


class RampFit(Step[RampFitParams]):
    """Fit a slope to every ramp and combine the integrations.

    Only the kernel that is needed is loaded: it may have to be compiled first.
    """

    Params = RampFitParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Choose the algorithm, make its tables and the planes of the products."""
        nints, ngroups, ny, nx = ramp.shape
        self.likelihood: Likelihood | None = None
        if self._by_likelihood(ramp):
            from heliodor_detector.steps.ramp_fit.likelihood import Likelihood

            used, with_saturated = self._used_groups(ngroups), self.params.likely_as_jwst
            self.likelihood = Likelihood(ramp, refs, used, with_saturated)
        else:
            skipped = self._prepare_least_squares(ramp, refs)
            if skipped:
                return skipped

        empty = self.workspace.empty
        # planes of one integration after another, as groups are: they may take their place, unless
        # an earlier step has dropped so many groups that there is no room
        in_place = ramp.spent and ngroups >= PLANES
        self.rateints = ramp.data if in_place else empty((nints, PLANES, ny, nx))
        self.rate = empty((4, ny, nx))
        self.rate_dq = empty((ny, nx), np.uint32)

        self.keywords = ramp.keywords.copy()
        if "GAINFACT" in refs["gain"].header:  # for gain_scale
            self.keywords["GAINFACT"] = refs["gain"].header["GAINFACT"]
        return None

    def _by_likelihood(self, ramp: Ramp) -> bool:
        """Choose the algorithm; least squares cannot deal with groups at uneven times."""
        likely = self.params.algorithm == "LIKELY"
        if ramp.read_times is not None and not likely:
            self.log.warning("groups were not read at even times: the algorithm is LIKELY")
            likely = True
        if likely and ramp.shape[1] < FEWEST_LIKELY:
            self.log.info("LIKELY takes %d groups: the algorithm is OLS_C", FEWEST_LIKELY)
            likely = False
        return likely

    def _prepare_least_squares(self, ramp: Ramp, refs: References) -> Skipped | None:
        _, ngroups, ny, nx = ramp.shape
        start, stop = self.existing_groups(ramp)
        if stop - start < min(2, ngroups):
            return Skipped("fewer than two groups are usable in any pixel")
        if all((flags[start] & SATURATED).all() for flags in ramp.groupdq):
            return Skipped("every ramp is saturated from its first group")
        self.groups = (start, stop, *self._used_groups(ngroups))
        self.suppress = self.params.suppress_one_group and ngroups > 1

        keywords = ramp.keywords
        nframes = int(keywords["NFRAMES"])
        # times are single precision in the operational pipeline
        group_time, frame_time = (
            float(np.float32(keywords[name])) for name in ("TGROUP", "TFRAME")
        )
        self.clock = (group_time, frame_time, (nframes + 1.0) * frame_time / 2.0)

        self.gain = refs["gain"].plane("SCI")
        self.readnoise = group_noise(refs["readnoise"].plane("SCI"), self.gain, nframes)
        dark = ramp.extra.get("AVDRKCUR")
        self.dark = np.zeros((ny, nx), np.float32) if dark is None else dark
        no_frame = ramp.zeroframe is None or self.suppress
        self.zeroframe = np.empty((0, 0, 0), np.float32) if no_frame else ramp.zeroframe

        self.weights = weight_table(stop - start)
        self.spans, self.rejected = unflagged_groups(ramp, self.groups)
        self.pairs = pair_tables(self.weights, self.spans)
        self.networks, self.network_parts = median_networks(self.spans)
        self.full_network = sorting_network(stop - start - 1)
        self.median_rates = np.empty((ny, nx) if self.params.save_opt else (0, 0))
        return None

    def existing_groups(self, ramp: Ramp) -> tuple[int, int]:
        """Give the first group that takes part, and the one after the last.

        Others are left out as if they had not been read: nothing jumps into the first group.
        """
        return 0, ramp.shape[1]

    def image_model(self, ramp: Ramp) -> str:
        """Name the model of the rate product: integral field units have one of their own."""
        exp_type, mode = (ramp.keywords.get(name) for name in ("EXP_TYPE", "OPMODE"))
        lamp_with_ifu = exp_type in ("NRS_AUTOWAVE", "NRS_LAMP") and mode == "IFU"
        return "IFUImageModel" if exp_type == "NRS_IFU" or lamp_with_ifu else "ImageModel"

    def _used_groups(self, ngroups: int) -> tuple[int, int]:
        """Give the first and the last group that the parameters ask for."""
        if self.params.firstgroup is None and self.params.lastgroup is None:
            return 0, ngroups - 1
        first = max(self.params.firstgroup or 0, 0)
        last = ngroups - 1 if self.params.lastgroup is None else self.params.lastgroup
        if first >= last:
            self.log.warning("firstgroup %d is not before lastgroup %d: both ignored", first, last)
            return 0, ngroups - 1
        return first, last

    def fit(self, ramp: Ramp, piece: Piece) -> None:
        """Fit some rows of all integrations."""
        dq = self.rateints.view(np.uint32)
        products = (self.rateints, dq, self.rate, self.rate_dq)
        if self.likelihood is not None:
            self.likelihood.fit(ramp, piece, *products)
            return
        from heliodor_detector.steps.ramp_fit.kernel import fit_ramps

        fit_ramps(
            ramp.data,
            ramp.groupdq,
            ramp.pixeldq,
            self.zeroframe,
            self.gain,
            self.readnoise,
            self.dark,
            self.weights,
            self.pairs,
            self.spans,
            self.rejected,
            self.networks,
            self.network_parts,
            self.full_network,
            self.groups,
            self.clock,
            self.suppress,
            *products,
            self.median_rates,
            piece.row_start,
            piece.row_stop,
        )

    def finish(self, ramp: Ramp) -> dict[str, Product]:
        """Give the products."""
        ints = self.rateints.swapaxes(0, 1)
        ints_dq = ints[DQ].view(np.uint32)
        products = [
            self._slopes("rate", self.image_model(ramp), self.rate, self.rate_dq, ramp),
            self._slopes("rateints", "CubeModel", ints, ints_dq, ramp),
        ]
        if self.params.save_opt:
            products.append(self._optional(ramp))
        return {product.kind: product for product in products}

    def _optional(self, ramp: Ramp) -> Product:
        """Give what tells how well the fits went."""
        if self.likelihood is not None:
            kind, model, planes = "likely_chisq", "ImageModel", {"data": self.likelihood.chisq}
        else:
            kind, model, planes = "fitopt", "RampFitOutputModel", self._segments(ramp)
        return Product(kind, model, planes, self.keywords.copy(), "", ramp.source)

    def _slopes(
        self, kind: str, model: str, values: np.ndarray, dq: np.ndarray, ramp: Ramp
    ) -> Product:
        planes = {
            "data": values[SLOPE],
            "err": values[ERR],
            "dq": dq,
            "var_poisson": values[VAR_POISSON],
            "var_rnoise": values[VAR_RNOISE],
        }
        return Product(kind, model, planes, self.keywords.copy(), "DN/s", ramp.source)

    def _segments(self, ramp: Ramp) -> dict[str, np.ndarray]:
        """Make the planes of the optional product; their number is known only now."""
        from heliodor_detector.steps.ramp_fit.fitopt import FITS, count_segments, describe_segments

        nints, _, ny, nx = ramp.shape
        nframes, gap = int(self.keywords["NFRAMES"]), int(self.keywords.get("GROUPGAP") or 0)
        dropped = int(self.keywords.get("DRPFRMS1") or 0)
        lead = ((nframes + 1) / 2 + dropped) / (nframes + gap)
        if not self.params.pedestal_as_jwst:
            lead *= self.clock[0]
        most = np.empty((ny, 2), np.int64)
        common = (self.groups, self.clock, self.suppress)

        def count(y: int, stop: int) -> None:
            count_segments(
                ramp.data, ramp.groupdq, self.zeroframe, self.weights, *common, most, y, stop
            )

        self._by_rows(count, ny)
        nsegments, njumps = (int(number) for number in most.max(axis=0))
        fits = self.workspace.zeros((len(FITS), nints, nsegments, ny, nx))
        pedestal = self.workspace.empty((nints, ny, nx))
        crmag = self.workspace.zeros((nints, njumps, ny, nx))

        def describe(y: int, stop: int) -> None:
            describe_segments(
                ramp.data,
                ramp.groupdq,
                self.zeroframe,
                self.gain,
                self.readnoise,
                self.dark,
                self.weights,
                self.median_rates,
                self.rateints,
                *common,
                lead,
                fits,
                pedestal,
                crmag,
                y,
                stop,
            )

        self._by_rows(describe, ny)
        return dict(zip(FITS, fits, strict=True)) | {"pedestal": pedestal, "crmag": crmag}

    def _by_rows(self, function: Callable[[int, int], None], ny: int) -> None:
        """Call a function with every 64 rows, in threads."""
        begins = range(0, ny, 64)
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(function, begins, (min(y + 64, ny) for y in begins)))


def unflagged_groups(
    ramp: Ramp, groups: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the groups of ramps that have no flags but those that most pixels have.

    Parameters
    ----------
    ramp : the exposure
    groups : (start, stop, first, last), see `heliodor_detector.steps.ramp_fit.ramps.Exposure`

    Returns
    -------
    spans : (nints, 2) int64; first and last group, (0, -1) if there are others between them
    rejected : (nints, ngroups) uint8; DO_NOT_USE in groups that have it in most pixels
    """
    start, stop, first, last = groups
    unusable = mostly_flagged(ramp.groupdq, DO_NOT_USE)
    asked = np.zeros(ramp.shape[1], bool)
    asked[max(first, start) : min(last + 1, stop)] = True
    spans = np.empty((ramp.shape[0], 2), np.int64)
    for span, usable in zip(spans, asked & ~unusable, strict=True):
        found = np.flatnonzero(usable)
        together = found.size > 0 and found[-1] - found[0] == found.size - 1
        span[:] = (found[0], found[-1]) if together else (0, -1)
    return spans, unusable.astype(np.uint8) * np.uint8(DO_NOT_USE)


def median_networks(spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the networks for the medians of the differences of every integration's ramps.

    Parameters
    ----------
    spans : (nints, 2) int64; first and last group of an integration's ramps

    Returns
    -------
    networks : (n_comparators, 2) int32; those of all lengths, one after another
    parts : (nints, 2) int64; the range in it that is for an integration
    """
    counts = spans[:, 1] - spans[:, 0]
    networks = {count: median_network(max(count, 0)) for count in sorted(set(counts.tolist()))}
    stops = np.cumsum([len(network) for network in networks.values()])
    ends = dict(zip(networks, stops.tolist(), strict=True))
    parts = [(ends[count] - len(networks[count]), ends[count]) for count in counts.tolist()]
    return np.concatenate(list(networks.values())), np.array(parts, np.int64)


def group_noise(readnoise: np.ndarray, gain: np.ndarray, nframes: int) -> np.ndarray:
    """Turn the noise of a difference of two frames into that of one group.

    Parameters
    ----------
    readnoise : (ny, nx) float32 [DN]; changed in place
    gain : (ny, nx) float32 [e/DN]
    nframes : frames averaged into a group

    Returns
    -------
    (ny, nx) float32 [e]
    """
    readnoise *= gain / np.float64(np.sqrt(2.0 * nframes))
    return readnoise
