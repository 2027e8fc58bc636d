"""Steps that share traversals of a ramp on scratch do what they do one after the other."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from heliodor import scratch as module
from heliodor.data import Keywords, Ramp
from heliodor.declare import Note, Phase, StepSpec
from heliodor.engine import Task, execute
from heliodor.flags import FlagCounter, named
from heliodor.params import Params
from heliodor.scratch import Scratch
from heliodor.step import Step
from heliodor.together import Broken, Convoy, begin
from heliodor.workspace import MEMORY

SHAPE = (3, 4, 37, 5)


def make_ramp(workspace=MEMORY) -> Ramp:
    rng = np.random.default_rng(3)
    data, groupdq = workspace.empty(SHAPE), workspace.zeros(SHAPE, np.uint8)
    data[:] = rng.normal(1000, 100, SHAPE)
    groupdq[:] = rng.choice([0, 1, 4], SHAPE)
    return Ramp(data, groupdq, np.zeros(SHAPE[2:], np.uint32), Keywords({}))


def where(piece):
    integration = slice(None) if piece.integration is None else piece.integration
    group = slice(None) if piece.group is None else piece.group
    return integration, group, piece.rows


class Mixes(Step[Params]):
    """Phases whose results hang on what comes before, of every kind."""

    def prepare(self, ramp, refs):
        self.slopes = self.workspace.empty((SHAPE[0], *SHAPE[2:]))

    def by_ramp(self, ramp, piece):
        ramp.data[where(piece)] *= 1.25
        self.notes.first[piece.integration, piece.rows] = ramp.data[where(piece)][0]

    def by_frame(self, ramp, piece):
        ramp.data[where(piece)] -= np.median(ramp.data[where(piece)])

    def by_frames(self, ramp, piece):
        ramp.data[piece.integration] += self.notes.first[piece.integration].mean()
        ramp.groupdq[piece.integration][ramp.data[piece.integration] > 1300] |= 4

    def by_pixels(self, ramp, piece):
        high = ramp.data[where(piece)].sum(axis=(0, 1)) > 1e4
        ramp.pixeldq[piece.rows][high] |= 1024
        self.slopes[:, piece.rows] = ramp.data[where(piece)].mean(axis=1)

    def by_exposure(self, ramp, piece):
        ramp.data += ramp.data.mean()

    def finish(self, ramp):
        ramp.keywords["SLOPES"] = self.slopes.tobytes()


class Fails(Step[Params]):
    def by_ramp(self, ramp, piece):
        raise ValueError("no good")


def spec(*looks: str, step: type[Step] = Mixes) -> StepSpec:
    planes = ("data", "groupdq", "pixeldq")
    phases = [
        Phase(f"by_{look}", look, planes, (Note("first", "iyx"),) if look == "ramp" else ())
        for look in looks
    ]
    return StepSpec(
        "made_up", f"{__name__}:{step.__name__}", f"{__name__}:Params", "Test.", "S_TEST",
        phases=tuple(phases), sets_bits=("JUMP_DET", "WARM"), prepare_reads=(),
    )  # fmt: skip


SPECS = (
    spec("ramp", "frame", "frames"),
    spec("pixels", "ramp"),
    spec("exposure", "ramp", "frames"),
    spec("pixels"),
)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SMALL", 1)
    with Scratch(tmp_path, limit=10 << 30, threads=2) as scratch:
        yield scratch


def together(specs, ramp, scratch, threads, strip, room):
    tasks = [Task(each, ramp, Params(), {}, threads, scratch) for each in specs]
    for task in tasks:
        begin(task, ramp)
    Convoy(tasks, ramp, scratch, threads, strip, room).run()
    return [(task.end(), named(task.flagged, task.spec)) for task in tasks]


@pytest.mark.parametrize(
    ("threads", "strip", "room"), [*product((1, 2, 8), (1, 64), (0, 1 << 30)), (2, 7, 50_000)]
)
def test_the_same_bits_and_counts(scratch, threads, strip, room):
    plain, shared = make_ramp(), make_ramp(scratch)
    counter = FlagCounter(plain)
    expected = []
    for each in SPECS:
        execute(each, plain, Params(), {}, threads=threads)
        expected.append(counter.added(plain, each))
    done = together(SPECS, shared, scratch, threads, strip, room)
    assert [counts for _, counts in done] == expected
    assert all(outcome.status == "COMPLETE" for outcome, _ in done)
    for plane in ("data", "groupdq", "pixeldq"):
        np.testing.assert_array_equal(getattr(shared, plane), getattr(plain, plane))
    assert shared.keywords["SLOPES"] == plain.keywords["SLOPES"]


def test_progress_ends_at_one(scratch):
    seen = []
    ramp = make_ramp(scratch)
    tasks = [Task(each, ramp, Params(), {}, 2, scratch) for each in SPECS]
    for task in tasks:
        begin(task, ramp)
    Convoy(tasks, ramp, scratch, 2, 7, 0).run(seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_who_fails_is_known(scratch):
    specs = [spec("ramp"), spec("ramp", step=Fails), spec("ramp")]
    with pytest.raises(Broken) as broken:
        together(specs, make_ramp(scratch), scratch, 2, 64, 1 << 30)
    assert broken.value.number == 1
    assert isinstance(broken.value.error, ValueError)
