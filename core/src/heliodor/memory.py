"""How much memory a plan will take, as a formula that is printed and tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from heliodor.declare import StepSpec

BASE = 350 * 2**20
"""Python, its libraries, compiled kernels, and the scratch of a few threads [bytes]."""

SLACK = 1.1
"""The cube may take this much more than its arrays: page tables, pieces being decoded."""

FOUR = 4  # bytes of a float32, and of a uint32


@dataclass(frozen=True)
class Memory:
    """Predicted peak memory of a run, by what holds it; all in bytes.

    Attributes
    ----------
    cube : the ramp, float32
    groupdq : its flags, uint8
    planes : PIXELDQ, ZEROFRAME
    references : two-dimensional planes of the step that holds most, with its notes
    products : slopes, until they are written
    """

    cube: int
    groupdq: int
    planes: int
    references: int
    products: int

    @property
    def peak(self) -> int:
        """1.1 x (cube + group DQ) + planes + references + products + 350 MB."""
        held = self.planes + self.references + self.products
        return int(SLACK * (self.cube + self.groupdq)) + held + BASE

    def to_dict(self) -> dict[str, int]:
        """Give all parts and the peak."""
        return {**asdict(self), "base": BASE, "peak": self.peak}


def predict(
    shape: tuple[int, int, int, int],
    steps: Iterable[StepSpec],
    zeroframe: bool = False,
    options: Mapping[str, bool] | None = None,
    joined: bool = False,
) -> Memory:
    """Predict the peak memory of a run.

    Parameters
    ----------
    shape : (nints, ngroups, ny, nx)
    steps : those that will run
    zeroframe : whether the exposure has one
    options : which optional products are asked for, by ``step.parameter``
    joined : superstripes are joined on the way: for a moment there are two ramps
    """
    nints, ngroups, ny, nx = shape
    sizes = {"i": nints, "g": ngroups, "y": ny, "x": nx}
    pixels = ny * nx
    samples = nints * ngroups * pixels
    steps = list(steps)
    references = 0
    products = 0
    for spec in steps:
        held = sum(need.planes for need in spec.refs) * FOUR * pixels
        for phase in spec.phases:
            held += sum(FOUR * _size(note.axes, sizes) for note in phase.notes)
        references = max(references, held)
        for output in spec.makes:
            if not output.option or (options or {}).get(f"{spec.name}.{output.option}"):
                products += output.planes * FOUR * _size(output.axes, sizes)
    planes = FOUR * pixels * (1 + (nints if zeroframe else 0))
    if joined:
        samples *= 2
    return Memory(FOUR * samples, samples, planes, references, products)


def _size(axes: str, sizes: Mapping[str, int]) -> int:
    size = 1
    for axis in axes:
        size *= sizes[axis]
    return size
