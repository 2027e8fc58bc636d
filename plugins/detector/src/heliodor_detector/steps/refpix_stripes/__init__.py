"""Remove bias drifts from stripes, and join superstripes."""

from heliodor.declare import Match, Phase, StepSpec

SPEC = StepSpec(
    name="refpix",
    summary="Remove bias drifts with the reference pixels among stripes; join superstripes.",
    impl="heliodor_detector.steps.refpix_stripes.step:StripesRefPix",
    params="heliodor_detector.steps.refpix_stripes.params:StripesRefPixParams",
    status="S_REFPIX",
    applies=Match({"INSTRUME": ("FGS", "NIRCAM", "NIRISS", "NIRSPEC"), "MSTR_RD1": ("*",)}),
    phases=(Phase("correct", looks="frame", writes=("data", "zeroframe")),),
    prepare_reads=("pixeldq",),
    reshapes=True,
    stripes=True,
)
