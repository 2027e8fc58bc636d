"""Subtract the settling after a reset."""

from heliodor.declare import Phase, RefNeed, StepSpec

from heliodor_miri.steps import MIRI

SPEC = StepSpec(
    name="reset",
    summary="Subtract the settling of the first groups after a reset.",
    impl="heliodor_miri.steps.reset.step:Reset",
    params="heliodor_miri.steps.reset.params:ResetParams",
    status="S_RESET",
    applies=MIRI,
    phases=(Phase("subtract", looks="ramp", writes=("data",)),),
    refs=(RefNeed("reset", keys=("DETECTOR", "READPATT", "SUBARRAY"), planes=2),),
    sets_bits=("UNRELIABLE_DARK",),
    prepare_reads=(),
)
