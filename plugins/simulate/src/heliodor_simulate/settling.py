"""What a detector's read-out adds to some groups of an integration: the settling of MIRI's."""

from __future__ import annotations

import numpy as np

from heliodor_simulate.arrangement import Setup
from heliodor_simulate.detector import smooth_fields

CORRECTED = 12
"""Groups after a reset for which there is a correction."""

INTEGRATIONS = 2
"""The first integration, and all that follow."""


class SettlingSignal:
    """Signals of some groups, in pixels that see light; all zero where a mode has none.

    Parameters
    ----------
    setup : the arrangement
    """

    def __init__(self, setup: Setup):
        self.setup = setup
        self.figures = setup.figures.settling if setup.has("settling") else None
        (smooth,) = smooth_fields(setup, 1, "settling")
        self._map = (1 + 0.2 * smooth)[setup.live]
        rows = np.arange(setup.shape[0])[setup.live[0]] + setup.corner[1] - 1
        self._even = (rows % 2 == 0)[:, None]

    def reset(self, integration: int, group: int) -> np.ndarray:
        """Give what the reset step subtracts, (ny, nx) of the live pixels float32 [DN]."""
        if self.figures is None or group >= CORRECTED:
            return np.zeros_like(self._map)
        strength = self.figures.reset * np.exp(-group / self.figures.reset_groups)
        if integration == 0:
            strength *= self.figures.first_reset
        return (strength * self._map).astype(np.float32)

    def rejected(self, integration: int, group: int) -> np.ndarray | float:
        """Give what is only in groups that pipelines leave out [DN].

        The rest of it in later groups is below a thousandth of the read noise.
        """
        if self.figures is None:
            return 0.0
        signal: np.ndarray | float = 0.0
        if integration == 0:
            signal = -self.figures.first if group == 0 else 0.0
        else:
            signal = -self.figures.first * np.exp(-group / self.figures.first_groups)
        if group == self.setup.ngroups - 1 > 0:
            signal = signal + np.where(self._even, np.float32(self.figures.last), np.float32(0))
        return signal

    def dark(self, integration: int, seconds: float) -> float:
        """Give the rise of the dark beyond its current [DN], linear, the same in all pixels."""
        if self.figures is None or integration > 0:
            return 0.0
        return self.figures.dark * float(1 - np.exp(-seconds / self.figures.dark_time))


def groups_used(setup: Setup) -> tuple[int, int]:
    """Give the first group that a slope is fitted to, and the one after the last."""
    figures = setup.figures.settling
    if figures is None or setup.ngroups < 3:
        return 0, setup.ngroups
    skip = figures.skip[0] if setup.nints == 1 else max(figures.skip)
    # short ramps lose their first group only
    return (1 if setup.ngroups <= 5 else skip), setup.ngroups - 1
