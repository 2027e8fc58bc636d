"""Correct for interpixel capacitance between interleaved reference pixels."""

from heliodor.declare import Phase, RefNeed, StepSpec

from heliodor_nirspec.modes import IRS2

SPEC = StepSpec(
    name="ipc",
    summary="Undo the coupling between neighbouring science pixels of IRS2 exposures.",
    impl="heliodor_nirspec.steps.ipc_irs2.step:Irs2Ipc",
    params="heliodor_detector.steps.ipc.params:IpcParams",
    status="S_IPC",
    applies=IRS2,
    phases=(Phase("convolve", looks="frame", writes=("data",)),),
    refs=(RefNeed("ipc", keys=("DETECTOR",), optional=True),),
    prepare_reads=(),
)
