"""Which phases share a traversal, from what they declare."""

from __future__ import annotations

import pytest
from heliodor.declare import Phase, StepSpec
from heliodor.passes import convoys, share


def spec(*looks: str, reads=(), writes=("data",), reaches=(), reshapes=False) -> StepSpec:
    phases = tuple(
        Phase(f"{number}{look}", look, writes=writes, reaches=reaches)
        for number, look in enumerate(looks)
    )
    return StepSpec(
        "made_up", "a:B", "a:C", "Test.", "S_TEST",
        phases=phases, prepare_reads=reads, reshapes=reshapes,
    )  # fmt: skip


def shape(passes):
    return [("".join(phase.name[1:3] for _, phase in one.work), one.unit) for one in passes]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (["ramp", "frame", "frames"], [("rafrfr", "integration")]),
        (["ramp", "pixels", "ramp"], [("rapira", "rows")]),
        (["frame", "pixels"], [("fr", "integration"), ("pi", "rows")]),
        (["ramp", "frames", "pixels", "ramp"], [("rafr", "integration"), ("pira", "rows")]),
        (["pixels", "exposure", "pixels"], [("pi", "rows"), ("ex", None), ("pi", "rows")]),
    ],
)  # fmt: skip
def test_phases_share_what_they_leave_free(looks, expected):
    assert shape(share([spec(*looks)], nints=4, threads=2)) == expected
    apart = [spec(look) for look in looks]
    assert shape(share(apart, nints=4, threads=2)) == expected


def test_few_integrations_leave_threads_idle_and_are_not_shared_by():
    passes = share([spec("ramp", "frame", "ramp", "pixels")], nints=1, threads=2)
    assert shape(passes) == [("ra", "rows"), ("fr", None), ("rapi", "rows")]


def test_what_reaches_to_other_rows_is_not_shared_by_rows():
    assert shape(share([spec("ramp", reaches=("rows",)), spec("pixels")], 4, 2)) == [
        ("ra", "integration"),
        ("pi", "rows"),
    ]


def test_what_reaches_to_another_integration_goes_alone():
    reaching = spec("frames", reaches=("integration",))
    assert shape(share([spec("frames"), reaching, spec("frames")], 4, 2)) == [
        ("fr", "integration"),
        ("fr", None),
        ("fr", "integration"),
    ]


def test_work_names_the_steps_in_order():
    (only,) = share([spec("ramp"), spec("frame", "ramp")], 4, 2)
    assert [(owner, phase.looks) for owner, phase in only.work] == [
        (0, "ramp"),
        (1, "frame"),
        (1, "ramp"),
    ]


def test_a_step_waits_for_what_its_preparation_reads():
    writes_flags = spec("ramp", writes=("groupdq",))
    assert convoys([spec("ramp"), writes_flags, spec("ramp", reads=("pixeldq",))]) == [[0, 1, 2]]
    assert convoys([spec("ramp"), writes_flags, spec("ramp", reads=("groupdq",))]) == [[0, 1], [2]]


def test_a_step_that_does_not_say_waits_for_all():
    silent = StepSpec("made_up", "a:B", "a:C", "Test.", "S_TEST", phases=(Phase("a", "ramp"),))
    assert convoys([spec("ramp"), silent, spec("ramp")]) == [[0], [1, 2]]


def test_nothing_goes_together_with_what_follows_a_change_of_shape():
    assert convoys([spec("ramp"), spec("ramp", reshapes=True), spec("ramp")]) == [[0, 1], [2]]
