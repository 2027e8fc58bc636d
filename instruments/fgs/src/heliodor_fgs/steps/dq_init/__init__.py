"""Start the data quality of guide star exposures from the bad pixel mask."""

from heliodor.declare import RefNeed, StepSpec
from heliodor_detector.steps.dq_init import MASK_BITS

from heliodor_fgs.modes import GUIDING

SPEC = StepSpec(
    name="dq_init",
    summary="Set the flags of the bad pixel mask; guide star exposures have none of groups.",
    impl="heliodor_detector.steps.dq_init.step:DQInit",
    params="heliodor_detector.steps.dq_init.params:DQInitParams",
    status="S_DQINIT",
    applies=GUIDING,
    refs=(RefNeed("mask"),),
    sets_bits=MASK_BITS,
    prepare_reads=(),
)
