"""Flag the afterglow of bright light."""

from heliodor.declare import Phase, StepSpec

SPEC = StepSpec(
    name="persistence",
    summary="Flag the groups for some time after a pixel was saturated or bright.",
    impl="heliodor_detector.steps.persistence.step:Persistence",
    params="heliodor_detector.steps.persistence.params:PersistenceParams",
    status="S_PERSIS",
    phases=(Phase("flag", looks="pixels", writes=("groupdq",)),),
    sets_bits=("PERSISTENCE", "DO_NOT_USE"),
    prepare_reads=(),
)
