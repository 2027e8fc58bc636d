"""Find cosmic ray hits: sudden steps between the groups of a ramp."""

from heliodor.declare import Note, Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="jump",
    summary="Flag groups after a jump of the signal, such as cosmic rays make.",
    impl="heliodor_detector.steps.jump.step:Jump",
    params="heliodor_detector.steps.jump.params:JumpParams",
    status="S_JUMP",
    phases=(
        Phase(
            "detect", looks="pixels", writes=("groupdq",), notes=(Note("median", "yx", "float64"),)
        ),
        Phase("spread", looks="frames", writes=("groupdq",), notes=(Note("jumps", "i", "int64"),)),
        Phase("prolong", looks="pixels", writes=("groupdq",)),
        Phase(
            "snowballs",
            looks="frames",
            writes=("groupdq",),
            notes=(Note("snowballs", "i", "int64"),),
        ),
        Phase("repeat_cores", looks="frames", writes=("groupdq",), reaches=("integration",)),
        Phase("measure", looks="pixels"),
        Phase("search", looks="frame"),
        Phase("showers", looks="frames", writes=("groupdq",)),
    ),
    refs=(RefNeed("gain"), RefNeed("readnoise", keys=("DETECTOR", "READPATT", "SUBARRAY"))),
    sets_bits=("JUMP_DET", "SATURATED", "DO_NOT_USE", "NO_GAIN_VALUE"),
    prepare_reads=("groupdq", "pixeldq"),
)
