"""Reject the first group."""

from heliodor.declare import Phase, StepSpec

from heliodor_miri.steps import MIRI

SPEC = StepSpec(
    name="firstframe",
    summary="Reject the first group of every integration; rscd does this now.",
    impl="heliodor_miri.steps.firstframe.step:FirstFrame",
    params="heliodor_miri.steps.firstframe.params:FirstFrameParams",
    status="S_FRSTFR",
    applies=MIRI,
    phases=(Phase("flag", looks="pixels", writes=("groupdq", "pixeldq")),),
    sets_bits=("DO_NOT_USE", "FLUX_ESTIMATED"),
    prepare_reads=(),
)
