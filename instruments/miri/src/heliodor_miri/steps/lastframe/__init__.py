"""Reject the last group."""

from heliodor.declare import Phase, StepSpec

from heliodor_miri.steps import MIRI

SPEC = StepSpec(
    name="lastframe",
    summary="Reject the last group of every integration, which the reset of its neighbours spoils.",
    impl="heliodor_miri.steps.lastframe.step:LastFrame",
    params="heliodor_miri.steps.lastframe.params:LastFrameParams",
    status="S_LASTFR",
    applies=MIRI,
    phases=(Phase("flag", looks="ramp", writes=("groupdq",)),),
    sets_bits=("DO_NOT_USE",),
    prepare_reads=(),
)
