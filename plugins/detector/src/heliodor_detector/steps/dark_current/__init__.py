"""Subtract the dark current."""

from heliodor.declare import Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="dark_current",
    summary="Subtract the dark reference, averaged like the exposure's groups.",
    impl="heliodor_detector.steps.dark_current.step:DarkCurrent",
    params="heliodor_detector.steps.dark_current.params:DarkCurrentParams",
    status="S_DARK",
    phases=(Phase("subtract", looks="pixels", writes=("data",)),),
    refs=(RefNeed("dark", planes=2),),
    sets_bits=("HOT", "WARM", "UNRELIABLE_DARK"),
    adds=1,
    prepare_reads=(),
)
