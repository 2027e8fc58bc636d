"""Fit the slopes of the ramps."""

from heliodor.declare import Output, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="ramp_fit",
    summary="Fit a slope to every ramp: least squares between jumps, or by likelihood.",
    impl="heliodor_detector.steps.ramp_fit.step:RampFit",
    params="heliodor_detector.steps.ramp_fit.params:RampFitParams",
    status="S_RAMP",
    phases=(Phase("fit", looks="pixels"),),
    refs=(RefNeed("readnoise", keys=("DETECTOR", "READPATT", "SUBARRAY")), RefNeed("gain")),
    sets_bits=("DO_NOT_USE", "SATURATED", "JUMP_DET", "PERSISTENCE", "NO_GAIN_VALUE"),
    makes=(
        Output("rate"),
        Output("rateints", axes="iyx", in_place=True),
        Output("fitopt", axes="iyx", planes=32, option="save_opt"),
        Output("likely_chisq", planes=1, option="save_opt"),
    ),
    prepare_reads=("groupdq",),
)
