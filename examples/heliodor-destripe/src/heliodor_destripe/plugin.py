"""What this distribution offers: the step destripe."""

from __future__ import annotations

from heliodor.declare import Phase, StepSpec
from heliodor.hookspecs import hookimpl

SPEC = StepSpec(
    name="destripe",
    summary="Subtract the median of every row.",
    impl="heliodor_destripe.destripe:destripe.Step",
    params="heliodor_destripe.destripe:destripe.Params",
    status="S_DESTRI",
    phases=(Phase("run", looks="frame", writes=("data",)),),
    prepare_reads=(),
)


@hookimpl
def heliodor_steps() -> list[StepSpec]:
    """Offer the step."""
    return [SPEC]
