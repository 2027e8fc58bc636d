"""Subtract the thermal glow around the edge of NIRSpec's detectors."""

from heliodor.declare import Match, Output, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="picture_frame",
    summary="Subtract the thermal picture frame of NIRSpec's detectors.",
    impl="heliodor_detector.steps.picture_frame.step:PictureFrame",
    params="heliodor_detector.steps.picture_frame.params:PictureFrameParams",
    status="S_PCTFRM",
    phases=(
        Phase("draft", looks="pixels"),
        Phase("mask_scene", looks="exposure"),
        Phase("correct", looks="frame", writes=("data",)),
    ),
    refs=(
        RefNeed(
            "pictureframe",
            keys=("DETECTOR",),
            when=Match({"INSTRUME": ("NIRSPEC",), "SUBARRAY": ("FULL",)}),
        ),
        RefNeed("readnoise", keys=("DETECTOR", "READPATT", "SUBARRAY")),
        RefNeed("gain"),
    ),
    makes=(
        Output("pctfrm_mask", planes=1, option="save_mask"),
        Output("pctfrm_correction", axes="igyx", planes=1, option="save_correction"),
    ),
    prepare_reads=("groupdq",),
)
