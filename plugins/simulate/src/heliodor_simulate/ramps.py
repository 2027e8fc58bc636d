"""From light to numbers: an exposure is read frame by frame, group by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from heliodor.data import Keywords, Ramp

from heliodor_simulate import interleaved, particles
from heliodor_simulate.arrangement import Setup
from heliodor_simulate.detector import Truth, make_truth, show
from heliodor_simulate.disturbances import Glow, Waves
from heliodor_simulate.noise import Drifts, flicker
from heliodor_simulate.settling import SettlingSignal

LARGEST = 65535
NEVER = 255
"""Value of `Exposure.first_saturated` for a pixel that does not saturate."""


@dataclass
class Exposure:
    """A simulated exposure in memory.

    Attributes
    ----------
    setup, truth : what it was made from
    data : (nints, ngroups, ny, nx) uint16 [DN]; none yet when it is only started; of interleaved
        patterns with 3200 pixels for 2048
    zeroframe : (nints, ny, nx) uint16 [DN], first frames of integrations, where the instrument
        keeps them
    events : record array of particles, see `heliodor_simulate.particles.EVENT`
    hits : record array of the charge they left in each pixel, see `particles.HIT`
    first_saturated : (nints, ny, nx) uint8, first group at or above `Truth.saturation`, 255: none
    """

    setup: Setup
    truth: Truth
    data: np.ndarray
    zeroframe: np.ndarray | None
    events: np.ndarray
    hits: np.ndarray
    first_saturated: np.ndarray

    def groups(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Read out: integration, group and its (ny, nx) uint16 image, in order of time.

        With interleaved reference pixels, images have 3200 pixels for 2048.

        On the way `zeroframe` and `first_saturated` are filled.
        """
        return _read_out(self)

    @property
    def read_shape(self) -> tuple[int, int]:
        """Rows and columns of what is read: with interleaved reference pixels, if there are any."""
        ny, nx = self.setup.shape
        if not self.setup.pattern.interleaved:
            return ny, nx
        extra = interleaved.LINE - interleaved.PIXELS
        return (ny, nx + extra) if abs(self.setup.device.axes.fast) == 1 else (ny + extra, nx)

    def reference_output(self) -> np.ndarray:
        """Draw what MIRI's fifth output shows, (nints, ngroups, ny / 4, nx) uint16 [DN]."""
        setup = self.setup
        ny, nx = setup.shape
        noise = setup.random("reference-output").standard_normal(
            (setup.nints, setup.ngroups, ny // setup.outputs, nx), np.float32
        )
        return _digitise(setup.figures.pixels.bias + setup.figures.pixels.read_noise * noise)

    def ramp(self) -> Ramp:
        """Return the exposure as steps get it: float32, no flags, with its keywords."""
        from heliodor_simulate.keywords import primary_keywords, sci_keywords

        return Ramp(
            data=self.data.astype(np.float32),
            groupdq=np.zeros(self.data.shape, np.uint8),
            pixeldq=np.zeros(self.read_shape, np.uint32),
            keywords=Keywords(primary_keywords(self.setup), sci_keywords(self.setup)),
            zeroframe=None if self.zeroframe is None else self.zeroframe.astype(np.float32),
        )


def start(setup: Setup, truth: Truth | None = None) -> Exposure:
    """Start an exposure: its groups are made one by one by `Exposure.groups`.

    Parameters
    ----------
    setup : the arrangement
    truth : of the detector, made if None
    """
    truth = truth or make_truth(setup)
    events = particles.draw(setup)
    averaged = setup.figures.zeroframe and setup.nframes > 1
    return Exposure(
        setup=setup,
        truth=truth,
        data=np.empty((0, setup.ngroups, *setup.shape), np.uint16),
        zeroframe=np.zeros((setup.nints, *setup.shape), np.uint16) if averaged else None,
        events=events,
        hits=particles.trace(setup, events),
        first_saturated=np.full((setup.nints, *setup.shape), NEVER, np.uint8),
    )


def expose(setup: Setup, truth: Truth | None = None) -> Exposure:
    """Make an exposure in memory.

    Parameters
    ----------
    setup : the arrangement
    truth : of the detector, made if None

    Examples
    --------
    >>> setup = arrange(figures, size=64, ngroups=4)                 # doctest: +SKIP
    >>> expose(setup).data.shape                                     # doctest: +SKIP
    (1, 4, 64, 64)
    """
    exposure = start(setup, truth)
    exposure.data = np.empty((setup.nints, setup.ngroups, *exposure.read_shape), np.uint16)
    for integration, group, image in exposure.groups():
        exposure.data[integration, group] = image
    return exposure


def _read_out(exposure: Exposure) -> Iterator[tuple[int, int, np.ndarray]]:
    setup, truth = exposure.setup, exposure.truth
    pixels = _LivePixels(setup, truth)
    settling = SettlingSignal(setup)
    photons = setup.random("photons")
    for integration in range(setup.nints):
        electronics = _Electronics(setup, truth, integration)
        charge = np.zeros(pixels.shape, np.float32)
        for group in range(setup.ngroups):
            total = np.zeros(setup.shape, np.float32)
            independent = setup.nframes
            for frame in range(setup.nframes):
                waited = setup.groupgap if frame == 0 and group > 0 else 0
                pixels.collect(charge, setup.tframe * (1 + waited), photons)
                hits = exposure.hits
                here = (
                    (hits["integ"] == integration)
                    & (hits["group"] == group)
                    & (hits["frame"] == frame)
                )
                pixels.hit(charge, hits[here])
                time = setup.tgroup * group + setup.tframe * (frame + 1)
                signal = pixels.signal(charge, settling.dark(integration, time))
                if exposure.zeroframe is not None and group == 0 and frame == 0:
                    noise = electronics.noise(1)
                    exposure.zeroframe[integration] = _digitise(signal + noise)
                    total += noise
                    independent -= 1
                total += signal
            total += independent * electronics.noise(independent)
            mean = total / setup.nframes
            mean[setup.live] += settling.reset(integration, group)
            mean[setup.live] += settling.rejected(integration, group)
            image = _digitise(electronics.lay_out(mean))
            electronics.next_group()
            seen = interleaved.science(setup, image) if setup.pattern.interleaved else image
            first = exposure.first_saturated[integration]
            first[(seen >= truth.saturation) & (first == NEVER)] = group
            yield integration, group, image


class _Electronics:
    """What the read-out adds to the signal in one integration."""

    def __init__(self, setup: Setup, truth: Truth, integration: int):
        self._setup = setup
        self._read_noise = truth.read_noise
        self._white = setup.random(f"read-noise/{integration}")
        self._flicker = setup.random(f"1/f/{integration}")
        self._drifts = Drifts(setup, integration)
        self._between: interleaved.Readout | None = None
        if setup.pattern.interleaved:
            self._between = interleaved.Readout(setup, integration)
        self._waves = Waves(setup, integration)
        self._glow = Glow(setup, integration)

    def noise(self, nframes: int) -> np.ndarray:
        """Draw the noise of the mean of some frames, (ny, nx) float32 [DN].

        The noise of frames is independent and Gaussian, so that of their mean is drawn at once.
        """
        setup, part = self._setup, np.float32(nframes**-0.5)
        noise = np.zeros(setup.shape, np.float32)
        if self._between is None:
            noise += self._drifts.offsets()
        if setup.has("read-noise"):
            white = self._white.standard_normal(setup.shape, np.float32)
            noise += self._read_noise * part * white
        if setup.has("1/f") and self._between is None:
            noise += flicker(setup, self._flicker) * part
        return noise

    def lay_out(self, image: np.ndarray) -> np.ndarray:
        """Add what disturbs a group, and the reference pixels that are read in between."""
        image += self._waves.now()
        image += self._glow.now()
        return image if self._between is None else self._between.lay_out(image, self._setup.nframes)

    def next_group(self) -> None:
        """Let the offsets wander, and time pass."""
        self._drifts.walk()
        self._waves.next_group()
        self._glow.next_group()
        if self._between is not None:
            self._between.next_group()


def _digitise(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, LARGEST).astype(np.uint16)


class _LivePixels:
    """The light-sensitive rectangle of the array: collects charge and shows it as a signal."""

    def __init__(self, setup: Setup, truth: Truth):
        live = setup.live
        self.live = live
        self.poisson = setup.has("photon-noise")
        self.coupling = setup.figures.pixels.coupling if setup.has("coupling") else 0.0
        self.saturates = setup.has("saturation")
        self.rate = (truth.rate * truth.flat + truth.dark)[live]
        self.full_well = truth.full_well[live]
        self.gain = truth.gain[live]
        self.linearity = truth.linearity[:, *live]
        self.bias = truth.bias
        self.from_zero = setup.figures.linear_from == "zero"
        self.unlit = truth.linearised(truth.bias)[live]
        self.shape = self.rate.shape

    def collect(self, charge: np.ndarray, seconds: float, random: np.random.Generator) -> None:
        """Add the charge of light and dark current [electron]."""
        expected = self.rate * np.float32(seconds)
        charge += random.poisson(expected) if self.poisson else expected
        if self.saturates:
            np.minimum(charge, self.full_well, out=charge)

    def hit(self, charge: np.ndarray, hits: np.ndarray) -> None:
        """Add the charge of particles."""
        rows, columns = self.live
        y, x = hits["y"] - rows.start, hits["x"] - columns.start
        np.add.at(charge, (y, x), hits["electrons"])
        if self.saturates:
            np.minimum(charge, self.full_well, out=charge)

    def signal(self, charge: np.ndarray, dark: float) -> np.ndarray:
        """Show a charge, without noise: (ny, nx) float32 [DN], reference pixels included.

        Parameters
        ----------
        charge : of live pixels [electron]
        dark : added to it in all of them [DN]
        """
        coupled = couple(charge / self.gain, self.coupling) + np.float32(dark)
        # far more than the converter can show: the inverse of the polynomial is not needed there
        np.minimum(coupled, 2 * LARGEST, out=coupled)
        shown = self.bias.copy()
        if self.from_zero:
            shown[self.live] = show(self.unlit + coupled, self.linearity)
        else:
            shown[self.live] += show(coupled, self.linearity)
        return np.minimum(shown, LARGEST)


def couple(image: np.ndarray, strength: float) -> np.ndarray:
    """Let neighbouring pixels see part of each other's signal; the sum stays the same.

    Parameters
    ----------
    image : (ny, nx)
    strength : part of the difference between neighbours that is exchanged
    """
    if strength == 0:
        return image
    out = image.copy()
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        exchanged = np.float32(strength) * (image[there] - image[here])
        out[here] += exchanged
        out[there] -= exchanged
    return out
