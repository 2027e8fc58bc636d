"""Remove bias drifts with the reference pixels."""

from heliodor.declare import Match, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="refpix",
    summary="Remove bias drifts of every group with the detector's reference pixels.",
    impl="heliodor_detector.steps.refpix.step:RefPix",
    params="heliodor_detector.steps.refpix.params:RefPixParams",
    status="S_REFPIX",
    # the near-infrared detectors; others have their reference pixels elsewhere
    applies=Match({"INSTRUME": ("FGS", "NIRCAM", "NIRISS", "NIRSPEC")}),
    phases=(Phase("correct", looks="frame", writes=("data", "zeroframe")),),
    refs=(
        # Fourier coefficients of all detectors of an instrument
        RefNeed(
            "sirskernel",
            keys=(),
            optional=True,
            when=Match({"INSTRUME": ("NIRCAM", "NIRISS", "NIRSPEC"), "SUBARRAY": ("FULL",)}),
            options=("refpix_algorithm=sirs",),
            planes=0,
            header="R_SIRSKL",
        ),
    ),
    prepare_reads=("pixeldq",),
)
