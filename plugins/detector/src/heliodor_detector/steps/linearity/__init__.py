"""Correct for the detector's nonlinear response."""

from heliodor.declare import Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="linearity",
    summary="Correct for the detector's nonlinear response.",
    impl="heliodor_detector.steps.linearity.step:Linearity",
    params="heliodor_detector.steps.linearity.params:LinearityParams",
    status="S_LINEAR",
    phases=(Phase("correct", looks="pixels", writes=("data", "pixeldq", "zeroframe")),),
    refs=(RefNeed("linearity"),),
    sets_bits=("NO_LIN_CORR", "NONLINEAR"),
    prepare_reads=(),
)
