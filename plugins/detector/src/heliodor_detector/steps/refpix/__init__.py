"""Remove bias drifts with the reference pixels."""

from heliodor.declare import Match, Phase, StepSpec

SPEC = StepSpec(
    name="refpix",
    summary="Remove bias drifts of every group with the detector's reference pixels.",
    impl="heliodor_detector.steps.refpix.step:RefPix",
    params="heliodor_detector.steps.refpix.params:RefPixParams",
    status="S_REFPIX",
    # the near-infrared detectors; others have their reference pixels elsewhere
    applies=Match({"INSTRUME": ("FGS", "NIRCAM", "NIRISS", "NIRSPEC")}),
    phases=(Phase("correct", looks="frame", writes=("data", "zeroframe")),),
    prepare_reads=("pixeldq",),
)
