"""Undo a wrong divisor of frames averaged on board."""

from heliodor.declare import Phase, StepSpec

SPEC = StepSpec(
    name="group_scale",
    summary="Rescale groups whose frames were averaged on board with a divisor not NFRAMES.",
    impl="heliodor_detector.steps.group_scale.step:GroupScale",
    params="heliodor_detector.steps.group_scale.params:GroupScaleParams",
    status="S_GRPSCL",
    phases=(Phase("rescale", looks="ramp", writes=("data",)),),
    prepare_reads=(),
)
