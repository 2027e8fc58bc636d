"""How much memory a plan will take, as a formula that is printed and tested."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from heliodor.declare import StepSpec
from heliodor.errors import UsageError

BASE = 215 * 2**20
"""Python, its libraries, compiled kernels, and the scratch of a few threads [bytes]."""

RESERVE = 240 * 2**20
"""With the ramp on scratch, pages are handed back when the process is this close to its limit
[bytes]."""

ROOM = 80 * 2**20
"""With the ramp on scratch, at least this is wanted for rows being worked on [bytes]."""

POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}

FOUR = 4  # bytes of a float32, and of a uint32


@dataclass(frozen=True)
class Memory:
    """Predicted peak memory of a run, by what holds it; all in bytes.

    Attributes
    ----------
    cube : the ramp, float32
    groupdq : its flags, uint8
    planes : PIXELDQ, ZEROFRAME, what steps add to the ramp
    references : two-dimensional planes of references held by the step at which most is held
    notes : planes which that step hands from phase to phase, and copies of planes of the ramp
    products : slopes, as far as that step has made them
    row : one row of all integrations being worked on, with its products
    """

    cube: int
    groupdq: int
    planes: int
    references: int
    notes: int
    products: int
    row: int

    @property
    def peak(self) -> int:
        """Everything, and 215 MiB for the process itself."""
        ramp = self.cube + self.groupdq + self.planes
        return ramp + self.references + self.notes + self.products + BASE

    @property
    def least(self) -> int:
        """What stays in memory when all that grows with the exposure lies on scratch."""
        return self.fixed + RESERVE + max(ROOM, self.row)

    @property
    def fixed(self) -> int:
        """What does not grow with the number of samples."""
        return self.planes + self.references + BASE

    def to_dict(self) -> dict[str, int]:
        """Give all parts and the peak."""
        return {**asdict(self), "base": BASE, "peak": self.peak}


@dataclass(frozen=True)
class Load:
    """What is at work at one time.

    Attributes
    ----------
    spec : the step
    others : those that wrap it or that it calls
    copies : planes of the ramp that are held a second time
    in_place : the step puts what it can into the ramp's memory
    """

    spec: StepSpec
    others: tuple[StepSpec, ...] = ()
    copies: tuple[str, ...] = ()
    in_place: bool = False


def predict(
    shape: tuple[int, ...],
    loads: Iterable[Load],
    zeroframe: bool = False,
    options: Mapping[str, bool] | None = None,
    joined: bool = False,
    images: int = 0,
    exposures: int = 1,
) -> Memory:
    """Predict the peak memory of a run.

    Parameters
    ----------
    shape : (nints, ngroups, ny, nx)
    loads : steps that will run
    zeroframe : whether the exposure has one
    options : which optional products are asked for, by ``step.parameter``
    joined : superstripes are joined on the way: for a moment there are two ramps
    images : planes of an exposure that is no ramp
    exposures : like this one, that are in memory at a time
    """
    nints, ngroups, ny, nx = shape
    sizes = {"i": nints, "g": ngroups, "y": ny, "x": nx}
    plane = FOUR * ny * nx
    samples = nints * ngroups * ny * nx
    planes = plane * (1 + (nints if zeroframe else 0))
    products = 0
    most = (0, 0, 0, 0)
    copied = {
        "data": FOUR * samples,
        "groupdq": samples,
        "pixeldq": plane,
        "zeroframe": plane * (nints if zeroframe else 0),
    }

    def made(spec: StepSpec, in_place: bool = False) -> int:
        return sum(
            output.planes * FOUR * _size(output.axes, sizes)
            for output in spec.makes
            if not (in_place and output.in_place)
            and (not output.option or (options or {}).get(f"{spec.name}.{output.option}"))
        )

    for load in loads:
        specs = (load.spec, *load.others)
        planes += sum(spec.adds for spec in specs) * plane
        references = sum(need.planes for spec in specs for need in spec.refs) * plane
        notes = sum(
            np.dtype(note.dtype).itemsize * _size(note.axes, sizes)
            for spec in specs
            for phase in spec.phases
            for note in phase.notes
        )
        notes += sum(copied[name] for name in load.copies)
        products += made(load.spec, load.in_place)
        passing = products + sum(made(spec) for spec in load.others)
        most = max(most, (references + notes + passing, references, notes, passing))
    if images:
        planes += (images - 1) * FOUR * samples
    held = exposures * (2 * samples if joined else samples)
    return Memory(FOUR * held, held, exposures * planes, *most[1:], row_size(shape))


def row_size(shape: tuple[int, ...]) -> int:
    """Give the memory that one row of all integrations takes, with the products' [bytes]."""
    nints, ngroups, _, nx = shape
    groups = ngroups * (whole_pages(FOUR * nx) + whole_pages(nx))
    return nints * (groups + 6 * whole_pages(FOUR * nx))


def whole_pages(size: int) -> int:
    """Give the memory that is touched with something of a size anywhere in it [bytes]."""
    return (-(-size // mmap.PAGESIZE) + 1) * mmap.PAGESIZE


def _size(axes: str, sizes: Mapping[str, int]) -> int:
    size = 1
    for axis in axes:
        size *= sizes[axis]
    return size


def parse_size(text: str) -> int:
    """Turn ``1.5G``, ``800M`` or ``2Gi`` into bytes; a plain number is bytes.

    Raises
    ------
    heliodor.errors.UsageError
        It is not of that form, or not positive.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    size = 0
    if match:
        number, prefix, binary = match.groups()
        size = int(float(number) * (1024 if binary else 1000) ** POWERS[prefix.upper()])
    if size <= 0:
        raise UsageError(f"'{text}' is not a size: allowed are such as 1.5G, 800M or 2Gi.")
    return size
