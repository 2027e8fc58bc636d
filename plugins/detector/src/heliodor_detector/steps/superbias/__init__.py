"""Subtract the superbias."""

from heliodor.declare import Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="superbias",
    summary="Subtract the detector's bias image from every group.",
    impl="heliodor_detector.steps.superbias.step:SuperBias",
    params="heliodor_detector.steps.superbias.params:SuperBiasParams",
    status="S_SUPERB",
    phases=(Phase("subtract", looks="ramp", writes=("data", "zeroframe")),),
    refs=(RefNeed("superbias", keys=("DETECTOR", "READPATT", "SUBARRAY"), planes=2),),
    sets_bits=("UNRELIABLE_BIAS",),
    prepare_reads=(),
)
