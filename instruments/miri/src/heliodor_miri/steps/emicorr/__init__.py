"""Remove electromagnetic interference."""

from heliodor.declare import Note, Phase, RefNeed, StepSpec

from heliodor_miri.steps import MIRI

SPEC = StepSpec(
    name="emicorr",
    summary="Remove electromagnetic interference: periodic waves in the order of read-out.",
    impl="heliodor_miri.steps.emicorr.step:EmiCorr",
    params="heliodor_miri.steps.emicorr.params:EmiCorrParams",
    status="S_MIREMI",
    applies=MIRI,
    phases=(Phase("clean", looks="exposure", writes=("data",), notes=(Note("spread", "iyx"),)),),
    refs=(RefNeed("emicorr", keys=(), optional=True, planes=0, header="R_MIREMI"),),
    prepare_reads=(),
)
