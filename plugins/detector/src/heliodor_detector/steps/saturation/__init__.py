"""Flag saturated samples."""

from heliodor.declare import Note, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="saturation",
    summary="Flag samples at full well with their neighbours, and those at the converter's floor.",
    impl="heliodor_detector.steps.saturation.step:Saturation",
    params="heliodor_detector.steps.saturation.params:SaturationParams",
    status="S_SATURA",
    phases=(
        Phase("find", looks="ramp", writes=("groupdq",), notes=(Note("first", "iyx", "uint16"),)),
        Phase(
            "flag",
            looks="ramp",
            writes=("groupdq",),
            notes=(Note("hidden", "iyx", "uint16"),),
            reaches=("rows",),
        ),
        Phase("flag_hidden", looks="ramp", writes=("groupdq",), reaches=("rows",)),
        Phase("clear_zeroframe", looks="frames", writes=("zeroframe",)),
    ),
    refs=(RefNeed("saturation", planes=3), RefNeed("superbias", optional=True)),
    sets_bits=("SATURATED", "AD_FLOOR", "DO_NOT_USE", "NO_SAT_CHECK"),
    prepare_reads=(),
)
