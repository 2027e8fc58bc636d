"""Start the data quality arrays from the bad pixel mask."""

from heliodor.declare import Phase, RefNeed, StepSpec

MASK_BITS = (
    "DO_NOT_USE", "NON_SCIENCE", "DEAD", "HOT", "WARM", "LOW_QE", "RC", "TELEGRAPH", "NONLINEAR",
    "BAD_REF_PIXEL", "UNRELIABLE_BIAS", "UNRELIABLE_DARK", "UNRELIABLE_SLOPE", "UNRELIABLE_FLAT",
    "OPEN", "ADJ_OPEN", "OTHER_BAD_PIXEL", "REFERENCE_PIXEL",
)  # fmt: skip
"""What masks of bad pixels know."""

SPEC = StepSpec(
    name="dq_init",
    summary="Set the flags of the bad pixel mask.",
    impl="heliodor_detector.steps.dq_init.step:DQInit",
    params="heliodor_detector.steps.dq_init.params:DQInitParams",
    status="S_DQINIT",
    phases=(Phase("reject", looks="ramp", writes=("groupdq",)),),
    refs=(RefNeed("mask"),),
    sets_bits=MASK_BITS,
    prepare_reads=(),
)
