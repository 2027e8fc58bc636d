"""NIRSpec's IRS2 read-out: reference pixels between the others, and a reference output.

An amplifier leaves its line after 16 pixels (the first and the last time after 8), reads 2
reference pixels twice each, and goes on.  A fifth output, which stands before the four amplifiers
in the file, sees no pixels at all.  A line of 2048 pixels so becomes 3200.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from heliodor_simulate.arrangement import Setup
from heliodor_simulate.detector import Truth
from heliodor_simulate.noise import COMMON, Drifts, from_science, pink, to_science

AMPLIFIERS = 4
SECTOR = 640
"""Pixels of a line that one output gives."""

LINE = (1 + AMPLIFIERS) * SECTOR
PIXELS = 2048
"""Pixels of a line, as it is read and as the detector has it."""
SLOTS = 712
"""Time of a line [pixels]: the way to reference pixels and back, and to the next line, counts."""

CYCLE = 22
"""Slots from one visit of the reference pixels to the next."""

USED = 8
"""Slots of a cycle that the correction fills with the 4 reads, each of them twice."""

NORMAL, REFERENCE = 16, 4
QUIETER = 0.7
"""Read noise of reference pixels and of the reference output, relative to other pixels."""

BELOW = 1500.0
"""By how much their level is lower than others' bias [DN]."""

OUTPUT = -1
"""Index of the reference output among the amplifiers."""

BAD_SHARE = 0.015
"""Part of the reference pixels that are bad in an integration, where that is asked for."""

BAD_NOISE = 120.0
"""What bad ones have too much in half of the lines, on average [DN]."""

KNOWN_BAD = {"OUTPUT": 2, "ODD_EVEN": 1, "MASK": 1 << 5}
"""A pair that the reference file tells to be bad."""


@cache
def _line() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of normal and of reference pixels in the 640 of an output, and the slot of each."""
    half = NORMAL // 2
    kinds = ([0] * half + [1] * REFERENCE + [0] * half) * (SECTOR // (NORMAL + REFERENCE))
    is_reference = np.array(kinds, bool)
    # a slot passes on every change between the two kinds
    changes = np.diff(is_reference, prepend=False)
    slot = np.arange(SECTOR) + np.cumsum(changes)
    return np.flatnonzero(~is_reference), np.flatnonzero(is_reference), slot


def lines(setup: Setup) -> int:
    """Count the lines of a frame."""
    return setup.size[abs(setup.device.axes.slow) - 1]


class Readout:
    """One integration's read-out.

    Parameters
    ----------
    setup : the arrangement, with an interleaved pattern
    integration : index
    """

    def __init__(self, setup: Setup, integration: int):
        self._setup = setup
        self._random = setup.random(f"1/f/{integration}")
        self._white = setup.random(f"reference-noise/{integration}")
        self._drifts = Drifts(setup, integration)
        self._levels = reference_levels(setup)
        self._nlines = lines(setup)
        self._quality = 1 + 0.08 * setup.random(f"reference-pixels/{setup.detector}").normal(
            size=(1 + AMPLIFIERS, SECTOR)
        )
        self._bad = bad_pairs(setup, integration) if setup.has("bad-reference-pixels") else []

    def lay_out(self, image: np.ndarray, nframes: int) -> np.ndarray:
        """Add reference pixels and noise to the mean of some frames.

        Parameters
        ----------
        image : (ny, nx) float32 [DN], with the noise of each pixel alone
        nframes : averaged

        Returns
        -------
        float32 [DN] with 3200 pixels for 2048 along the fast axis, in the science orientation
        """
        setup, part = self._setup, np.float32(nframes**-0.5)
        flicker = setup.figures.noise.flicker * part if setup.has("1/f") else 0.0
        samples = self._nlines * SLOTS
        common = pink(self._random, samples, flicker * COMMON)
        offsets = self._drifts.of_amplifiers()
        frame = _with_references(setup, image, self._levels)
        _, reference, slot = _line()
        for output in range(OUTPUT, AMPLIFIERS):
            series = common
            if output != OUTPUT:
                series = common + pink(self._random, samples, flicker * (1 - COMMON**2) ** 0.5)
                series += offsets[output]
            block = series.reshape(self._nlines, SLOTS)[:, slot]
            quiet = np.arange(SECTOR) if output == OUTPUT else reference
            if setup.has("read-noise"):
                white = self._white.standard_normal((self._nlines, quiet.size), np.float32)
                spread = setup.figures.pixels.read_noise * QUIETER * part
                block[:, quiet] += spread * self._quality[output + 1, quiet] * white
            for bad_output, place in self._bad:
                if bad_output == output:
                    jumps = self._white.random((self._nlines, 2), np.float32) > 0.5
                    block[:, place : place + 2] += np.float32(BAD_NOISE) * jumps
            _sector(frame, output)[...] += block
        return to_science(setup, frame)

    def next_group(self) -> None:
        """Let the offsets wander."""
        self._drifts.walk()


def science(setup: Setup, raw: np.ndarray) -> np.ndarray:
    """Take the pixels of the detector out of what was read, (ny, nx)."""
    frame = from_science(setup, raw)
    normal, _, _ = _line()
    parts = []
    for output in range(AMPLIFIERS):
        part = _sector(frame, output)[:, normal]
        parts.append(part[:, ::-1] if output % 2 else part)
    return to_science(setup, np.concatenate(parts, axis=1))


def expand(setup: Setup, image: np.ndarray, fill: float) -> np.ndarray:
    """Lay an image of the detector out as it is read, with one value in what is between."""
    levels = np.full((1 + AMPLIFIERS, SECTOR), fill, image.dtype)
    return np.ascontiguousarray(to_science(setup, _with_references(setup, image, levels)))


def bias(setup: Setup, truth: Truth) -> np.ndarray:
    """Give the bias of all that is read, float32 [DN]."""
    frame = _with_references(setup, truth.bias, reference_levels(setup))
    return np.ascontiguousarray(to_science(setup, frame))


def reference_levels(setup: Setup) -> np.ndarray:
    """Draw the bias of reference pixels, the same in all lines, (5, 640) float32 [DN]."""
    random = setup.random(f"reference-levels/{setup.detector}")
    levels = setup.figures.pixels.bias - BELOW + 80.0 * random.standard_normal((5, 1))
    # both reads of a pixel are alike, and the reference output is even
    pixels = np.repeat(20.0 * random.standard_normal((5, SECTOR // 2)), 2, axis=1)
    pixels[0] = 0
    return (levels + pixels).astype(np.float32)


def bad_pairs(setup: Setup, integration: int) -> list[tuple[int, int]]:
    """Draw the reference pixels that are bad in an integration: amplifier, place of the pair."""
    _, reference, _ = _line()
    random = setup.random(f"bad-reference-pixels/{integration}")
    chosen = random.random((AMPLIFIERS, reference.size // 2)) < BAD_SHARE
    return [(int(output), int(reference[2 * pair])) for output, pair in np.argwhere(chosen)]


def _with_references(setup: Setup, image: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Put an image and the levels of references where they are read, (nlines, 3200)."""
    pixels = from_science(setup, image)
    normal, _, _ = _line()
    frame = np.empty((pixels.shape[0], LINE), image.dtype)
    width = pixels.shape[1] // AMPLIFIERS
    for output in range(OUTPUT, AMPLIFIERS):
        block = _sector(frame, output)
        block[...] = levels[output + 1]
        if output != OUTPUT:
            part = pixels[:, output * width : (output + 1) * width]
            block[:, normal] = part[:, ::-1] if output % 2 else part
    return frame


def _sector(frame: np.ndarray, output: int) -> np.ndarray:
    """View the pixels of an output in the order in which they are read."""
    start = (output + 1) * SECTOR
    sector = frame[:, start : start + SECTOR]
    # neighbouring amplifiers read towards each other
    return sector[:, ::-1] if output % 2 else sector


def weights(setup: Setup) -> tuple[np.ndarray, np.ndarray]:
    """Find what an amplifier's drift is best estimated with, by frequency.

    Returns
    -------
    of_output, of_pixels : (n,) float64 for the reference output and the amplifier's own reference
        pixels, for the n = 712 x lines frequencies of a discrete Fourier transform

    Notes
    -----
    The least variance of the remainder (Wiener 1949) for the noise that is simulated.  With S the
    spectrum of an amplifier's drift, O that of the reference output and R that of the reference
    pixels, which are there in a part of the time only, weights a and b solve
    <S O> = a <O O> + b <R O>, <S R> = a <O R> + b <R R>.  What is there in a part of the time only
    shows every frequency at others as well; that is part of <R R>.
    """
    n = lines(setup) * SLOTS
    number = np.minimum(np.arange(n), n - np.arange(n)).astype(float)
    number[0] = 1
    harmonic = (1 / np.arange(1, n // 2 + 1)).sum()
    drift = setup.figures.noise.flicker**2 * n**2 / (2 * harmonic * number)
    common = COMMON**2 * drift
    white = (QUIETER * setup.figures.pixels.read_noise) ** 2
    share = USED / CYCLE
    # a read that is written twice, two slots apart
    reads = n * white * (USED / 2 / CYCLE) * 4 * np.cos(2 * np.pi * number / n) ** 2
    seen = reads
    for order in range(-(CYCLE // 2), CYCLE // 2):
        angle = np.pi * order / CYCLE
        gate = share if order == 0 else np.sin(USED * angle) / np.sin(angle) / CYCLE
        seen = seen + gate**2 * np.roll(drift, round(order * n / CYCLE))
    output = common + n * white
    between = share * common
    determinant = output * seen - between**2
    of_output = (common * seen - share * drift * between) / determinant
    of_pixels = (share * drift * output - common * between) / determinant
    return of_output, of_pixels


def weights_table(setup: Setup) -> np.ndarray:
    """Make the table of weights as the archive has it: real and imaginary part in turn."""
    of_output, of_pixels = weights(setup)
    columns = [(f"{kind}_{k}", ">f4") for kind in ("alpha", "beta") for k in range(AMPLIFIERS)]
    table = np.zeros(2 * of_output.size, columns)
    for k in range(AMPLIFIERS):
        table[f"alpha_{k}"][::2] = of_output
        table[f"beta_{k}"][::2] = of_pixels
    return table


def known_bad_table() -> np.ndarray:
    """Make the table of reference pixels that are known to be bad, one line for each kind."""
    table = np.zeros(2 * AMPLIFIERS, [("OUTPUT", ">i2"), ("ODD_EVEN", ">i2"), ("MASK", ">u4")])
    table["OUTPUT"] = np.repeat(np.arange(AMPLIFIERS) + 1, 2)
    table["ODD_EVEN"] = np.tile([1, 2], AMPLIFIERS)
    bad = (table["OUTPUT"] == KNOWN_BAD["OUTPUT"]) & (table["ODD_EVEN"] == KNOWN_BAD["ODD_EVEN"])
    table["MASK"][bad] = KNOWN_BAD["MASK"]
    return table
