"""Which steps go through the ramp together, decided from what they declare.

In memory every phase has a traversal of its own; it costs next to nothing there.  On scratch a
traversal moves the whole ramp, so consecutive phases share one if each of their pieces lies in one
integration, or each in a strip of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from heliodor.declare import Phase, StepSpec

Unit = Literal["integration", "rows"]

UNITS: Mapping[str, tuple[Unit, ...]] = {
    "ramp": ("integration", "rows"),
    "frame": ("integration",),
    "frames": ("integration",),
    "pixels": ("rows",),
}
"""What a phase may be shared by; the first that is possible is taken."""


@dataclass(frozen=True)
class Pass:
    """One traversal of the ramp.

    Attributes
    ----------
    work : number of the step, and its phase, in order
    unit : what goes through all of them before the next does; None for a phase that must go by
        pieces of its own
    """

    work: tuple[tuple[int, Phase], ...]
    unit: Unit | None = None


def share(specs: Sequence[StepSpec], nints: int, threads: int) -> list[Pass]:
    """Divide the phases of consecutive steps into passes.

    Parameters
    ----------
    specs : the steps
    nints : integrations; passes are not shared by them if there are fewer than threads
    threads : pieces worked on at once
    """
    passes: list[Pass] = []
    work: list[tuple[int, Phase]] = []
    common: tuple[Unit, ...] = ()

    def close() -> None:
        if work:
            passes.append(Pass(tuple(work), common[0] if common else None))
        work.clear()

    for number, spec in enumerate(specs):
        for phase in spec.phases:
            possible = tuple(
                unit
                for unit in UNITS.get(phase.looks, ())
                if unit not in phase.reaches and not (unit == "integration" and nints < threads)
            )
            both = tuple(unit for unit in common if unit in possible)
            if work and not both:
                close()
            common = both if work else possible
            work.append((number, phase))
    close()
    return passes


def convoys(specs: Sequence[StepSpec]) -> list[list[int]]:
    """Divide consecutive steps into those that may all begin before the first of them ends.

    A step whose `prepare` reads what an earlier one is still changing begins a new convoy, and so
    does whatever follows one that reshapes.
    """
    found: list[list[int]] = []
    written: set[str] = set()
    for number, spec in enumerate(specs):
        if not found or written & set(spec.prepare_reads) or specs[found[-1][-1]].reshapes:
            found.append([])
            written = set()
        found[-1].append(number)
        written.update(plane for phase in spec.phases for plane in phase.writes)
    return found
