"""The figures of an instrument mode's detectors, as a ``simulation.yaml`` gives them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from heliodor.declare import ModeSpec, Resource
from heliodor.errors import UsageError
from pydantic import BaseModel, ConfigDict, ValidationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pattern(_Part):
    """A read pattern.

    Attributes
    ----------
    nframes, groupgap : frames averaged in a group, and skipped between groups
    nsamples : of a pixel, averaged in a frame
    tframe : frame time [s], of a pattern that only the full array has
    interleaved : whether reference pixels are read between the others (IRS2)
    keywords : that come with the pattern
    """

    nframes: int
    groupgap: int
    nsamples: int = 1
    tframe: float | None = None
    interleaved: bool = False
    keywords: dict[str, Any] = {}


class Reads(_Part):
    """Which lines of a subarray in stripes are read when; see `heliodor.stripes`.

    Superstripes may be joined to the whole length of the detector.
    """

    reads1: int = 0
    skips1: int = 0
    reads2: int = 0
    skips2: int = 0
    repeat: int = 0
    interleave: int = 0
    step: int = 0
    number: int = 0
    joined_to_full: bool = False


class Subarray(_Part):
    """A subarray.

    Attributes
    ----------
    size : pixels
    tframe : frame time [s]
    outputs : amplifiers that read it
    corners : 1-based corner on each detector it exists for; without them it starts at pixel
        (1, 1) of every detector
    unlit : columns at the left and at the right that no light reaches
    rowclocks : time from row to row [samples], for what depends on the time of a pixel
    stripes : which lines it is made of, if they do not lie side by side
    """

    size: tuple[int, int]
    tframe: float
    outputs: int = 1
    corners: dict[str, tuple[int, int]] | None = None
    unlit: int = 0
    rowclocks: int = 0
    stripes: Reads | None = None


class Bandpass(_Part):
    """Keywords of optical elements, PSF width [pixel] and sky [electron/s per pixel]."""

    fwhm: float
    sky: float
    FILTER: str = ""
    PUPIL: str = ""
    GRATING: str = ""
    BAND: str = ""

    @property
    def keywords(self) -> dict[str, str]:
        """Those that the instrument has."""
        values = self.model_dump(include={"FILTER", "PUPIL", "GRATING", "BAND"})
        return {name: value for name, value in values.items() if value}


class Optics(_Part):
    """The bandpasses of a channel."""

    default: str
    bandpasses: dict[str, Bandpass]


class Axes(_Part):
    """FASTAXIS and SLOWAXIS."""

    fast: int
    slow: int


class Siaf(_Part):
    """Centre [arcsec], scale [arcsec/pixel], angle [degree] and parity of a detector."""

    v2: float
    v3: float
    xscale: float
    yscale: float
    angle: float
    parity: int


class Detector(_Part):
    """One detector: keywords, optics, aperture names, axes, place in the focal plane, gain."""

    optics: str
    apertures: str
    axes: Axes
    siaf: Siaf
    gain: float
    keywords: dict[str, Any] = {}
    full_aperture: str = ""


class Pixels(_Part):
    """Mean properties of pixels; units as in the file."""

    read_noise: float
    dark: float
    full_well: float
    bias: float
    saturation: float
    linearity: tuple[float, float, float]
    coupling: float


class BadPixels(_Part):
    """Part of the pixels with each defect."""

    dead: float
    low_qe: float
    hot: float
    warm: float
    noisy: float
    unlinear: float
    unchecked: float


class Noise(_Part):
    """Correlated noise [DN]."""

    flicker: float
    amplifier: float
    amplifier_walk: float
    odd_even: float


class CosmicRays(_Part):
    """Events per second on a full detector."""

    rate: float
    snowballs: float


class Stars(_Part):
    """Number on a detector, and the power law of their brightness [electron/s]."""

    number: int
    faintest: float
    brightest: float
    slope: float


class Spectra(_Part):
    """Spectra instead of stars: along an axis, of a width [pixel]; power law of their brightness.

    `faintest` and `brightest` are of a pixel on the spectrum's crest [electron/s].
    """

    axis: Literal["x", "y"]
    number: int
    fwhm: float
    faintest: float
    brightest: float
    slope: float


class Settling(_Part):
    """What a detector's read-out adds to some groups of an integration [DN].

    Attributes
    ----------
    reset : to the first group after a reset; falls by a factor e in `reset_groups` groups
    first_reset : the same in the first integration, times that of later ones
    first : less in the first group; in later integrations it falls by e in `first_groups` groups
    skip : first groups to be left out, in the first integration and in later ones
    last : to even rows of the last group
    dark : rise of the first integration's dark, in the course of `dark_time` [s]
    """

    reset: float
    reset_groups: float
    first_reset: float
    first: float
    first_groups: float
    skip: tuple[int, int]
    last: float
    dark: float
    dark_time: float


class Interference(_Part):
    """A wave of other electronics: name, frequency [Hz] and amplitude [DN]."""

    name: str
    frequency: float
    amplitude: float


class Figures(_Part):
    """Everything the simulator knows of an instrument mode; see a ``simulation.yaml``.

    Attributes
    ----------
    border : columns at the left and the right, rows at the bottom and the top, that see no light
    amplifiers : whether each reads a block of columns, or every fourth column
    linear_from : level of a signal to which the non-linearity refers: the pixel's bias, which a
        reference tells, or zero
    """

    instrument: str
    exp_type: str
    dark_exp_type: str
    size: tuple[int, int]
    border: tuple[int, int]
    zeroframe: bool = False
    amplifiers: Literal["blocks", "interlaced"] = "blocks"
    linear_from: Literal["bias", "zero"] = "bias"
    dark_frames: Literal["single", "as exposed"]
    defaults: dict[Literal["detector", "readpatt", "subarray"], str]
    keywords: dict[str, Any] = {}
    patterns: dict[str, Pattern]
    subarrays: dict[str, Subarray]
    optics: dict[str, Optics]
    detectors: dict[str, Detector]
    pixels: Pixels
    bad_pixels: BadPixels
    noise: Noise
    cosmic_rays: CosmicRays
    stars: Stars
    spectra: Spectra | None = None
    settling: Settling | None = None
    interference: Interference | None = None
    glow: float = 0.0
    sirs: bool = False


def read_figures(source: Figures | ModeSpec | Resource | Path | str | dict[str, Any]) -> Figures:
    """Read the figures of a mode.

    A file for several modes has a section ``modes`` with what each has apart; of a file alone,
    the first is meant.

    Parameters
    ----------
    source : a mode, the resource it names, a path, or the parsed content

    Raises
    ------
    heliodor.errors.UsageError
        The mode has no figures, or something in the file is missing, unknown or of a wrong type.
    """
    if isinstance(source, Figures):
        return source
    mode = source if isinstance(source, ModeSpec) else None
    name = "figures of the simulator"
    if isinstance(source, ModeSpec):
        if source.simulation is None:
            raise UsageError(f"Mode '{source.name}' cannot be simulated: it declares no figures.")
        source = source.simulation
    if isinstance(source, Resource):
        name = f"{source.package}/{source.path}"
        content = dict(_parsed(source))
    elif isinstance(source, str | Path):
        name = str(source)
        content = yaml.safe_load(Path(source).read_text())
    else:
        content = dict(source)
    sections = content.pop("modes", None)
    if sections is not None:
        section = next(iter(sections)) if mode is None else section_of(mode)
        if section not in sections:
            raise UsageError(f"{name}: mode '{section}' cannot be simulated: it has no section.")
        content = _laid_over(content, sections[section])
    try:
        return Figures.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{name}: {error}") from error


def can_be_simulated(mode: ModeSpec) -> bool:
    """Tell whether there are figures of a mode."""
    if mode.simulation is None:
        return False
    sections = _parsed(mode.simulation).get("modes")
    return sections is None or section_of(mode) in sections


def section_of(mode: ModeSpec) -> str:
    """Name a mode's section: its name without the instrument's."""
    return mode.name.removeprefix(f"{mode.instrument.lower()}-")


@cache
def _parsed(source: Resource) -> dict[str, Any]:
    return yaml.safe_load(resources.files(source.package).joinpath(source.path).read_text())


def _laid_over(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lay a mode's section over what modes have in common; a list of names picks these entries."""
    merged = dict(common)
    for key, value in own.items():
        before = common.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _laid_over(before, value)
        elif isinstance(before, dict) and isinstance(value, list):
            merged[key] = {name: before[name] for name in value}
        else:
            merged[key] = value
    return merged
