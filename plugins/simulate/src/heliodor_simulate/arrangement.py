"""The arrangement of one exposure: which pixels are read how, and what happens to them."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from heliodor.declare import ModeSpec, Resource
from heliodor.errors import UsageError, did_you_mean

from heliodor_simulate.figures import Bandpass, Detector, Figures, Pattern, read_figures

EFFECTS = {
    "sources": "stars",
    "sky": "background",
    "flat": "differences in sensitivity from pixel to pixel",
    "dark": "dark current",
    "bad-pixels": "dead, hot, warm, noisy and otherwise bad pixels",
    "coupling": "capacitance between neighbouring pixels (IPC)",
    "nonlinearity": "response that falls behind the charge",
    "saturation": "pixels that fill up",
    "photon-noise": "Poisson noise of light and dark current",
    "read-noise": "noise of each read of a pixel",
    "1/f": "slow noise of the amplifiers, seen as stripes",
    "amplifiers": "drifting offsets of the amplifiers",
    "odd-even": "drifting offsets of odd and even columns",
    "cosmic-rays": "charge left by particles",
    "snowballs": "large round events with saturated cores",
    "settling": "what MIRI's first and last groups have too much or too little",
}
"""Effects that can be left out, and what they are."""

ON_REQUEST = {
    "interference": "waves of other electronics in the order of read-out (MIRI)",
    "bad-reference-pixels": "interleaved reference pixels that are bad at times (IRS2)",
    "glow": "warm frame around the detector's edge (NIRSpec)",
}
"""Effects that are there only when asked for, and what they are."""

WINDOW = "GENERIC"
"""Value of SUBARRAY for a window that is none of the instrument's own subarrays."""


@dataclass(frozen=True)
class Setup:
    """One exposure: which pixels of which detector are read how, and what happens to them.

    Attributes
    ----------
    figures : of the mode
    detector : its name
    subarray : its name, or ``GENERIC`` for any other window
    corner : (x, y) of the first pixel on the detector, counted from 1
    size : (nx, ny)
    tframe : time to read the array once [s]
    outputs : amplifiers that read it
    readpatt, nframes, groupgap : the read pattern
    ngroups, nints : groups in an integration, integrations
    bandpass : name of the optical element
    sky : background in the first and in the last column [electron/s]; rises, or falls, by
        the same factor from column to column
    seed : of all random numbers
    effects : names of `EFFECTS` and `ON_REQUEST` that are present
    """

    figures: Figures
    detector: str
    subarray: str
    corner: tuple[int, int]
    size: tuple[int, int]
    tframe: float
    outputs: int
    readpatt: str
    nframes: int
    groupgap: int
    ngroups: int
    nints: int
    bandpass: str
    sky: tuple[float, float]
    seed: int
    effects: frozenset[str]

    @property
    def device(self) -> Detector:
        """Figures of the detector."""
        return self.figures.detectors[self.detector]

    @property
    def optics(self) -> Bandpass:
        """Figures of the optical element."""
        return self.figures.optics[self.device.optics].bandpasses[self.bandpass]

    @property
    def pattern(self) -> Pattern:
        """Figures of the read pattern."""
        return self.figures.patterns[self.readpatt]

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.size[1], self.size[0]

    @property
    def is_full(self) -> bool:
        """Whether the whole detector is read."""
        return self.size == self.figures.size

    @property
    def tgroup(self) -> float:
        """Time between groups [s]."""
        return self.tframe * (self.nframes + self.groupgap)

    @property
    def integration_time(self) -> float:
        """Time from reset to the last read [s]."""
        return self.tframe * self.nframes + (self.ngroups - 1) * self.tgroup

    @property
    def live(self) -> tuple[slice, slice]:
        """The pixels that can see light, as an index: all but the detector's border."""
        columns, rows = (
            slice(max(0, border - (start - 1)), min(n, full - border - (start - 1)))
            for border, n, full, start in zip(
                self.figures.border, self.size, self.figures.size, self.corner, strict=True
            )
        )
        return rows, columns

    @property
    def reference_pixels(self) -> np.ndarray:
        """(ny, nx) bool."""
        out = np.ones(self.shape, bool)
        out[self.live] = False
        return out

    def has(self, effect: str) -> bool:
        """Whether an effect of `EFFECTS` or `ON_REQUEST` is present."""
        return effect in self.effects

    def random(self, purpose: str) -> np.random.Generator:
        """Make the generator of one purpose: what one draws never changes what another gets."""
        return np.random.Generator(np.random.SFC64([self.seed, zlib.crc32(purpose.encode())]))

    def whole(self) -> Setup:
        """Return the arrangement that reads the whole detector, for full-frame references."""
        return dataclasses.replace(self, subarray=WINDOW, corner=(1, 1), size=self.figures.size)


def arrange(
    mode: Figures | ModeSpec | Resource | Path | str | dict[str, Any],
    *,
    subarray: str | None = None,
    size: int | tuple[int, int] | None = None,
    ngroups: int = 5,
    nints: int = 1,
    readpatt: str | None = None,
    detector: str | None = None,
    filter: str | None = None,
    pupil: str | None = None,
    sky: float | tuple[float, float] | None = None,
    seed: int = 1,
    without: Iterable[str] = (),
    also: Iterable[str] = (),
) -> Setup:
    """Arrange an exposure.

    Parameters
    ----------
    mode : figures, or where they are; see `read_figures`
    subarray : one of the mode's; the mode's first choice if None
    size : instead of a subarray, a window (nx, ny) at the detector's first corner, with the full
        array's frame time: a real window that small would collect too little light to test with;
        of an interleaved pattern, one number is that of lines, which are always whole, and the
        detector itself is as narrow
    ngroups, nints : groups in an integration, integrations
    readpatt, detector, filter, pupil : the mode's first choice if None; a grating stands for the
        pupil
    sky : background [electron/s]; two of them for the first and the last column, with the same
        factor from column to column between them; the bandpass' own if None
    seed : of all random numbers
    without : names of `EFFECTS` to leave out
    also : names of `ON_REQUEST` to add

    Raises
    ------
    heliodor.errors.UsageError
        A name that does not exist, a number out of range, or a combination that does not.
    """
    figures = read_figures(mode)
    readpatt = _known(readpatt or figures.defaults["readpatt"], figures.patterns, "read pattern")
    pattern = figures.patterns[readpatt]
    if subarray is None:
        subarray = figures.defaults.get("subarray", "FULL")
    detector = _choose_detector(figures, detector, subarray, size)
    left_out = {_known(name, EFFECTS, "effect", exact=True) for name in without}
    added = {_known(name, ON_REQUEST, "effect", exact=True) for name in also}
    if ngroups < 1 or nints < 1:
        raise UsageError(f"An exposure has at least 1 group and integration: {ngroups}, {nints}.")
    if seed < 0:
        raise UsageError(f"The seed is a number from 0: {seed}.")
    if size is None:
        subarray = _known(subarray, figures.subarrays, "subarray")
        array = figures.subarrays[subarray]
        corner = (array.corners or {}).get(detector, (1, 1))
        (width, height), tframe, outputs = array.size, array.tframe, array.outputs
        if pattern.tframe and array.size != figures.size:
            raise UsageError(f"Read pattern {readpatt} is for the full frame, not for {subarray}.")
    else:
        width, height = _window(figures, detector, pattern, size)
        whole = figures.subarrays["FULL"]
        subarray, corner, tframe, outputs = WINDOW, (1, 1), whole.tframe, 1
        if (width, height) == figures.size:
            subarray, outputs = "FULL", whole.outputs
        if figures.amplifiers == "interlaced" or pattern.interleaved:
            outputs = whole.outputs
        if pattern.interleaved:
            # the correction needs dark lines at either end: a narrow detector has them
            figures = _narrow(figures, (width, height))
    tframe = pattern.tframe or tframe
    bandpass = _choose_bandpass(figures, detector, filter, pupil)
    if sky is None:
        sky = figures.optics[figures.detectors[detector].optics].bandpasses[bandpass].sky
    first, last = sky if isinstance(sky, tuple) else (sky, sky)
    if min(first, last) < 0 or (first != last and min(first, last) == 0):
        raise UsageError(f"A sky is not negative, and one that rises or falls is nowhere 0: {sky}.")
    return Setup(
        figures=figures,
        detector=detector,
        subarray=subarray,
        corner=corner,
        size=(width, height),
        tframe=tframe,
        outputs=outputs,
        readpatt=readpatt,
        nframes=pattern.nframes,
        groupgap=pattern.groupgap,
        ngroups=ngroups,
        nints=nints,
        bandpass=bandpass,
        sky=(first, last),
        seed=seed,
        effects=(frozenset(EFFECTS) - left_out) | added,
    )


def _window(
    figures: Figures, detector: str, pattern: Pattern, size: int | tuple[int, int]
) -> tuple[int, int]:
    """Give the width and height of a window, if it can be."""
    full = figures.size
    width, height = (size, size) if isinstance(size, int) else size
    if pattern.interleaved:
        fast = abs(figures.detectors[detector].axes.fast) - 1
        if isinstance(size, int):
            width, height = (full[0], size) if fast == 0 else (size, full[1])
        if (width, height)[fast] != full[fast]:
            raise UsageError(f"Lines of an interleaved pattern are {full[fast]} pixels long.")
    if figures.amplifiers == "interlaced" and width % figures.subarrays["FULL"].outputs:
        raise UsageError(f"A window of {width} columns does not have as many of each amplifier.")
    smallest = [2 * border for border in figures.border]
    if not (smallest[0] < width <= full[0] and smallest[1] < height <= full[1]):
        raise UsageError(
            f"A window of {width} x {height} pixels is not between "
            f"{smallest[0] + 1} x {smallest[1] + 1} and {full[0]} x {full[1]}."
        )
    return width, height


def _narrow(figures: Figures, size: tuple[int, int]) -> Figures:
    """Give the figures of a smaller detector, with as much happening to each of its pixels."""
    share = size[0] * size[1] / (figures.size[0] * figures.size[1])
    rays, stars, spectra = figures.cosmic_rays, figures.stars, figures.spectra
    changed: dict[str, Any] = {
        "size": size,
        "cosmic_rays": rays.model_copy(
            update={"rate": rays.rate * share, "snowballs": rays.snowballs * share}
        ),
        "stars": stars.model_copy(update={"number": round(stars.number * share)}),
    }
    if spectra is not None:
        changed["spectra"] = spectra.model_copy(update={"number": round(spectra.number * share)})
    return figures.model_copy(update=changed)


def _known(name: str, known: Iterable[str], what: str, exact: bool = False) -> str:
    name = name if exact else name.upper()
    if name not in known:
        raise UsageError(did_you_mean(name, known, what))
    return name


def _choose_detector(figures: Figures, detector: str | None, subarray: str, size: Any) -> str:
    """Take the one asked for, or the first that has the subarray."""
    everywhere = {name: (1, 1) for name in figures.detectors}
    offered = everywhere
    if size is None:
        array = figures.subarrays[_known(subarray, figures.subarrays, "subarray")]
        offered = array.corners or everywhere
    if detector is None:
        default = figures.defaults["detector"]
        return default if default in offered else next(iter(offered))
    detector = _known(detector, figures.detectors, "detector")
    return _known(detector, offered, f"detector with subarray {subarray}")


def _choose_bandpass(figures: Figures, detector: str, filter: str | None, pupil: str | None) -> str:
    """Take the first bandpass with this filter (keyword or the bandpass' own name) and pupil."""
    optics = figures.optics[figures.detectors[detector].optics]
    if filter is None and pupil is None:
        return optics.default
    for name, bandpass in optics.bandpasses.items():
        fits_filter = filter is None or filter.upper() in (name, bandpass.FILTER)
        if fits_filter and (pupil is None or pupil.upper() in (bandpass.PUPIL, bandpass.GRATING)):
            return name
    wanted = " with pupil ".join(value for value in (filter, pupil) if value)
    raise UsageError(did_you_mean(wanted, optics.bandpasses, f"bandpass of {detector}"))
