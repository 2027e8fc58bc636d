"""Correct for interpixel capacitance."""

from heliodor.declare import Phase, RefNeed, StepSpec

SPEC = StepSpec(
    name="ipc",
    summary="Undo the coupling between neighbouring pixels by a convolution of every group.",
    impl="heliodor_detector.steps.ipc.step:Ipc",
    params="heliodor_detector.steps.ipc.params:IpcParams",
    status="S_IPC",
    phases=(Phase("convolve", looks="frame", writes=("data",)),),
    refs=(RefNeed("ipc", keys=("DETECTOR",), optional=True),),
    prepare_reads=(),
)
