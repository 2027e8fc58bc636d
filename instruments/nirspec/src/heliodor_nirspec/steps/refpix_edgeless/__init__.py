"""Remove bias drifts in subarrays without reference pixels."""

from heliodor.declare import Phase, StepSpec

from heliodor_nirspec.modes import EDGELESS

SPEC = StepSpec(
    name="refpix",
    summary="Remove bias drifts of subarrays without reference pixels with their outer columns.",
    impl="heliodor_nirspec.steps.refpix_edgeless.step:EdgelessRefPix",
    params="heliodor_detector.steps.refpix.params:RefPixParams",
    status="S_REFPIX",
    applies=EDGELESS,
    phases=(Phase("correct", looks="frame", writes=("data", "zeroframe")),),
    prepare_reads=("pixeldq",),
)
