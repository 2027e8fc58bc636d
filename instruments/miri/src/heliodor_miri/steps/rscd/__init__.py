"""Reject the first groups, which the decay of the reset switch charge bends."""

from heliodor.declare import Phase, RefNeed, StepSpec

from heliodor_miri.steps import MIRI

SPEC = StepSpec(
    name="rscd",
    summary="Reject the first groups of an integration, bent by the reset switch charge decay.",
    impl="heliodor_miri.steps.rscd.step:Rscd",
    params="heliodor_miri.steps.rscd.params:RscdParams",
    status="S_RSCD",
    applies=MIRI,
    phases=(Phase("flag", looks="pixels", writes=("groupdq", "pixeldq")),),
    refs=(RefNeed("rscd", keys=("DETECTOR",), planes=0),),
    sets_bits=("DO_NOT_USE", "FLUX_ESTIMATED"),
    prepare_reads=(),
)
