"""The figures of an instrument mode's detectors, as a ``simulation.yaml`` gives them."""

from __future__ import annotations

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
    """A read pattern: frames averaged in a group, and skipped between groups."""

    nframes: int
    groupgap: int


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
    """A subarray: size, frame time [s], and 1-based corner on each detector it exists for.

    Without corners it starts at pixel (1, 1) of every detector.  Stripes say which lines it is made
    of; EXP_TYPE is given where it is that of another mode.
    """

    size: tuple[int, int]
    tframe: float
    outputs: int = 1
    corners: dict[str, tuple[int, int]] | None = None
    stripes: Reads | None = None
    exp_type: str | None = None


class Bandpass(_Part):
    """Keywords of an optical element pair, PSF width [pixel] and sky [electron/s per pixel]."""

    FILTER: str
    PUPIL: str
    fwhm: float
    sky: float


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


class Figures(_Part):
    """Everything the simulator knows of an instrument mode; see a ``simulation.yaml``."""

    instrument: str
    exp_type: str
    dark_exp_type: str
    size: tuple[int, int]
    border: int
    zeroframe: bool
    dark_frames: Literal["single", "as exposed"]
    defaults: dict[Literal["detector", "readpatt"], str]
    patterns: dict[str, Pattern]
    subarrays: dict[str, Subarray]
    optics: dict[str, Optics]
    detectors: dict[str, Detector]
    pixels: Pixels
    bad_pixels: BadPixels
    noise: Noise
    cosmic_rays: CosmicRays
    stars: Stars
    sirs: bool = False


def read_figures(source: Figures | ModeSpec | Resource | Path | str | dict[str, Any]) -> Figures:
    """Read the figures of a mode.

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
    name = "figures of the simulator"
    if isinstance(source, ModeSpec):
        if source.simulation is None:
            raise UsageError(f"Mode '{source.name}' cannot be simulated: it declares no figures.")
        source = source.simulation
    if isinstance(source, Resource):
        name = f"{source.package}/{source.path}"
        source = yaml.safe_load(resources.files(source.package).joinpath(source.path).read_text())
    elif isinstance(source, str | Path):
        name = str(source)
        source = yaml.safe_load(Path(source).read_text())
    try:
        return Figures.model_validate(source)
    except ValidationError as error:
        raise UsageError(f"{name}: {error}") from error
