"""Remove the slow noise of the read-out that reference pixels leave."""

from heliodor.declare import Note, Output, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="clean_flicker_noise",
    summary="Remove 1/f noise: stripes of the background between groups.",
    impl="heliodor_detector.steps.clean_flicker_noise.step:CleanFlickerNoise",
    params="heliodor_detector.steps.clean_flicker_noise.params:CleanFlickerNoiseParams",
    status="S_CLNFNS",
    phases=(
        Phase("draft", looks="pixels"),
        Phase("mask_scene", looks="exposure"),
        Phase("check", looks="frame", notes=(Note("usable", "ig", "bool"),)),
        Phase("take_differences", looks="ramp", writes=("data",)),
        Phase("clean", looks="frame", writes=("data",)),
        Phase("add_differences", looks="ramp", writes=("data",)),
    ),
    refs=(
        RefNeed("readnoise", keys=("DETECTOR", "READPATT", "SUBARRAY")),
        RefNeed("gain"),
        RefNeed(
            "flat",
            keys=("DETECTOR", "FILTER", "PUPIL"),
            optional=True,
            options=("apply_flat_field", "autoparam"),
        ),
    ),
    makes=(
        Output("mask", planes=1, option="save_mask"),
        Output("flicker_bkg", axes="igyx", planes=1, option="save_background"),
        Output("flicker_noise", axes="igyx", planes=1, option="save_noise"),
    ),
    prepare_reads=("groupdq",),
)
