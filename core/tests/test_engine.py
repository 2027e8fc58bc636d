"""The engine: pieces, notes, threads, what stops a step."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import ClassVar, get_args

import numpy as np
import pytest
from heliodor import bits
from heliodor.data import Keywords, Product, Ramp
from heliodor.declare import Look, Note, Phase, StepSpec
from heliodor.engine import execute, load, pieces
from heliodor.errors import StepError
from heliodor.flags import NAMES, FlagCounter, count
from heliodor.params import Params, parameter
from heliodor.step import Piece, Skipped, Step
from hypothesis import given
from hypothesis import strategies as st

SHAPE = (3, 4, 37, 5)
LOOKS = get_args(Look)
STRIPS = (1, 7, 64, 10_000)


def ramp(shape: tuple[int, int, int, int] = SHAPE) -> Ramp:
    rng = np.random.default_rng(3)
    return Ramp(
        data=rng.normal(1000, 100, shape).astype(np.float32),
        groupdq=np.zeros(shape, np.uint8),
        pixeldq=np.zeros(shape[2:], np.uint32),
        keywords=Keywords({}),
    )


def samples(piece: Piece) -> tuple:
    """A piece as an index of a ramp's arrays."""
    integration = slice(None) if piece.integration is None else piece.integration
    group = slice(None) if piece.group is None else piece.group
    return integration, group, piece.rows


def spec(step: type[Step], *phases: Phase) -> StepSpec:
    path = f"{__name__}:{step.__name__}"
    return StepSpec("made_up", path, f"{__name__}:Params", "Test.", "S_TEST", phases=phases)


# ------------------------------------------------------------------ pieces


@pytest.mark.parametrize("look", LOOKS)
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 2, st.integers(1, 40), st.just(2)),
    strip=st.integers(1, 50),
)
def test_pieces_cover_every_sample_exactly_once(look, shape, strip):
    visits = np.zeros(shape, int)
    for piece in pieces(Phase("any", look), shape, strip):
        visits[samples(piece)] += 1
    assert (visits == 1).all()


@pytest.mark.parametrize(
    ("look", "whole"),
    [
        ("ramp", {"group"}),
        ("frame", {"rows"}),
        ("frames", {"group", "rows"}),
        ("pixels", {"integration", "group"}),
        ("exposure", {"integration", "group", "rows"}),
        ("association", {"integration", "group", "rows"}),
    ],
)
def test_a_piece_holds_whole_what_the_phase_looks_at(look, whole):
    for piece in pieces(Phase("any", look), SHAPE, 7):
        held = {
            "integration": piece.integration is None,
            "group": piece.group is None,
            "rows": piece.rows == slice(0, 37),
        }
        assert {axis for axis, is_whole in held.items() if is_whole} == whole


def test_the_last_strip_ends_with_the_array():
    rows = [(p.row_start, p.row_stop) for p in pieces(Phase("any", "pixels"), SHAPE, 16)]
    assert rows == [(0, 16), (16, 32), (32, 37)]


# ------------------------------------------------------------------ one step


class Visits(Step[Params]):
    """Adds 1 to every sample of its piece."""

    def visit(self, ramp, piece):
        ramp.data[samples(piece)] += 1


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("strip", STRIPS)
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_every_sample_is_visited_once(look, strip, threads):
    data = ramp()
    expected = data.data + 1
    outcome = execute(
        spec(Visits, Phase("visit", look)), data, Params(), {}, threads=threads, strip=strip
    )
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(data.data, expected)


class Idles(Visits):
    """Has nothing to do in one of its phases."""

    def prepare(self, data, refs):
        self.idle = ("never",)

    def never(self, ramp, piece):
        raise AssertionError


def test_an_idle_phase_is_left_out():
    data = ramp()
    expected = data.data + 1
    seen: list[float] = []
    phases = Phase("never", "pixels"), Phase("visit", "ramp")
    execute(spec(Idles, *phases), data, Params(), {}, progress=seen.append)
    np.testing.assert_array_equal(data.data, expected)
    assert seen[-1] == 1


class Clip(Step[Params]):
    """Sums each pixel's groups, then flags what is above; two phases and two notes."""

    def sums(self, ramp, piece):
        part = ramp.data[piece.integration, :, piece.rows]
        self.notes.total[piece.integration, piece.rows] = part.sum(axis=0, dtype=np.float64)
        self.notes.seen[piece.integration, piece.rows] += 1

    def flag(self, ramp, piece):
        ramp.data[piece.integration] -= self.notes.total[piece.integration]
        high = ramp.data[piece.integration] > np.median(self.notes.total[piece.integration])
        ramp.groupdq[piece.integration][high] |= 4

    def finish(self, ramp):
        assert (self.notes.seen == 1).all()


CLIP = (
    Phase(
        "sums",
        "ramp",
        notes=(Note("total", "iyx", "float64"), Note("seen", "iyx", "uint8")),
    ),
    Phase("flag", "frames", writes=("data", "groupdq")),
)


@pytest.mark.parametrize("strip", STRIPS)
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_result_depends_on_neither_strip_nor_threads(strip, threads):
    one, other = ramp(), ramp()
    execute(spec(Clip, *CLIP), one, Params(), {}, threads=1, strip=37)
    execute(spec(Clip, *CLIP), other, Params(), {}, threads=threads, strip=strip)
    assert one.data.tobytes() == other.data.tobytes()
    assert one.groupdq.tobytes() == other.groupdq.tobytes()


class Notes(Step[Params]):
    """Remembers what its notes looked like."""

    found: ClassVar[dict] = {}

    def first(self, ramp, piece):
        Notes.found = {name: (v.shape, v.dtype.str[1:]) for name, v in vars(self.notes).items()}
        assert not self.notes.a.any()
        self.notes.a[:] = 7

    def second(self, ramp, piece):
        assert (self.notes.a == 7).all()
        assert not self.notes.d.any()


def test_notes_have_the_declared_axes_and_stay_for_later_phases():
    phases = (
        Phase(
            "first",
            "exposure",
            notes=(Note("a", "yx"), Note("b", "igyx", "uint8"), Note("c", "ig", "float64")),
        ),
        Phase("second", "exposure", notes=(Note("d", "xy", "int16"),)),
    )
    execute(spec(Notes, *phases), ramp(), Params(), {})
    assert Notes.found == {
        "a": ((37, 5), "f4"),
        "b": (SHAPE, "u1"),
        "c": ((3, 4), "f8"),
    }


class Refuses(Step[Params]):
    """Does not apply."""

    def prepare(self, data, refs):
        return Skipped("there is one group only")

    def never(self, ramp, piece):
        raise AssertionError("a skipped step was run")

    finish = never


def test_skipped_says_why_and_runs_nothing():
    outcome = execute(spec(Refuses, Phase("never", "ramp")), ramp(), Params(), {})
    assert (outcome.status, outcome.reason) == ("SKIPPED", "there is one group only")


class Fails(Refuses):
    """Was asked for what cannot be done."""

    def prepare(self, data, refs):
        return Skipped("the mask does not fit", failed=True)


def test_failed_is_recorded_and_runs_nothing():
    outcome = execute(spec(Fails, Phase("never", "ramp")), ramp(), Params(), {})
    assert (outcome.status, outcome.reason) == ("FAILED", "the mask does not fit")


class GivesUp(Step[Params]):
    """Finds out late that there is nothing to do."""

    def look(self, ramp, piece):
        pass

    def finish(self, data):
        return Skipped("nothing was found")


def test_a_step_may_find_out_late_that_there_is_nothing_to_do():
    outcome = execute(spec(GivesUp, Phase("look", "ramp")), ramp(), Params(), {})
    assert (outcome.status, outcome.reason) == ("SKIPPED", "nothing was found")
    assert outcome.products == {}


class Scale(Params):
    factor: float = parameter(2.0, "Factor.")


class Makes(Step[Scale]):
    """Uses its parameters, references and threads; makes a product."""

    Params = Scale

    def prepare(self, ramp, refs):
        assert set(refs) == {"gain"}
        assert len(refs) == 1
        assert "dark" not in refs
        self.gain = refs["gain"]

    def finish(self, ramp):
        plane = ramp.data[0, 0] * (self.params.factor * self.gain * self.threads)
        return {"rate": Product("rate", "ImageModel", {"data": plane}, ramp.keywords)}


def test_a_step_gets_parameters_references_and_threads_and_gives_products():
    data = ramp()
    outcome = execute(spec(Makes), data, Scale(factor=3), {"gain": 5}, threads=2)
    np.testing.assert_array_equal(outcome.products["rate"].planes["data"], data.data[0, 0] * 30)
    assert outcome.seconds > 0


class OnProduct(Step[Params]):
    """Works on a product, whole."""

    def double(self, product):
        product.planes["data"] *= 2


def test_a_step_that_takes_images_is_given_the_product():
    product = Product("rate", "ImageModel", {"data": np.ones((2, 2))}, Keywords({}))
    execute(spec(OnProduct, Phase("double", "exposure")), product, Params(), {})
    assert (product.planes["data"] == 2).all()


@pytest.mark.parametrize("threads", [1, 4])
def test_progress_goes_from_0_to_1(threads):
    seen: list[float] = []
    phases = (Phase("visit", "ramp"), Phase("visit", "frame"))
    execute(
        spec(Visits, *phases), ramp(), Params(), {}, threads=threads, strip=7, progress=seen.append
    )
    assert seen == sorted(seen)
    assert 0 < seen[0] <= seen[-1] == 1


class Shrinks(Step[Params]):
    def finish(self, data: Ramp) -> None:
        data.keep_rows(np.arange(0, data.shape[2], 2))


def test_a_step_may_change_the_shape_if_it_says_so():
    data = ramp()
    execute(replace(spec(Shrinks), reshapes=True), data, Params(), {})
    assert data.shape == (3, 4, 19, 5)
    with pytest.raises(StepError, match=r"made_up changed the shape \(3, 4, 19, 5\)"):
        execute(spec(Shrinks), data, Params(), {})


def test_flags_of_dropped_rows_are_not_counted():
    data = ramp()
    data.groupdq[:, :, 1] = 2
    counter = FlagCounter(data)
    shrinks = replace(spec(Shrinks), reshapes=True, sets_bits=("SATURATED",))
    execute(shrinks, data, Params(), {})
    assert counter.added(data, shrinks) == {}
    data.groupdq[0, 0, 0, :2] = 2
    assert counter.added(data, replace(spec(Shrinks), sets_bits=("SATURATED",))) == {"SATURATED": 2}


def test_bits_are_counted():
    data = ramp()
    rng = np.random.default_rng(3)
    data.pixeldq[:] = rng.integers(0, 2**32 - 1, data.pixeldq.shape, np.uint32, endpoint=True)
    data.groupdq[:, 1:3, 2:] = rng.integers(0, 255, data.groupdq[:, 1:3, 2:].shape, np.uint8)
    parts = {None: np.s_[:, :, :], Piece(1, None, 2, 9): np.s_[1, :, 2:9]}
    for piece, index in parts.items():
        counts = dict(zip(NAMES, count(data, piece).tolist(), strict=True))
        for name, value in bits.PIXEL.items():
            flags = data.groupdq[index] if name in bits.GROUP else data.pixeldq[index[-1]]
            assert counts[name] == np.count_nonzero(flags & flags.dtype.type(value))


def test_what_a_step_adds_is_counted_by_bits_of_groups_and_of_pixels():
    data = ramp()
    data.groupdq[0, 0, 0, :2] = 2
    counter = FlagCounter(data)
    data.groupdq[0, 1, 0, :3] = 2
    data.pixeldq[0, :4] = 1 << 11
    one = replace(spec(Shrinks), sets_bits=("SATURATED",))
    assert counter.added(data, one) == {"SATURATED": 3}
    both = replace(one, sets_bits=("SATURATED", "HOT"))
    assert counter.added(data, both) == {"HOT": 4}
    assert counter.added(data, both) == {}
    assert counter.added(data, spec(Shrinks)) == {}


def test_load():
    assert load("heliodor.step:Step") is Step


# ------------------------------------------------------------------ what goes wrong


class Breaks(Step[Params]):
    """Fails at one piece and counts the others."""

    visited = 0
    lock = threading.Lock()

    def work(self, ramp, piece):
        with Breaks.lock:
            Breaks.visited += 1
        if piece.row_start == 3:
            raise ZeroDivisionError("row 3")
        time.sleep(0.001)

    def later(self, ramp, piece):
        raise AssertionError("a phase after a failure was run")

    finish = later


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_an_exception_of_a_phase_stops_the_rest(threads):
    Breaks.visited = 0
    phases = (Phase("work", "pixels"), Phase("later", "pixels"))
    data = ramp((1, 1, 2000, 2))
    with pytest.raises(ZeroDivisionError, match="row 3"):
        execute(spec(Breaks, *phases), data, Params(), {}, threads=threads, strip=1)
    assert Breaks.visited < 1000
    before = Breaks.visited
    time.sleep(0.02)
    assert Breaks.visited == before, "pieces went on after the exception was raised"


class Stopped(Step[Params]):
    """Is interrupted."""

    def work(self, ramp, piece):
        raise KeyboardInterrupt


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_is_not_swallowed(threads):
    with pytest.raises(KeyboardInterrupt):
        execute(
            spec(Stopped, Phase("work", "pixels")), ramp(), Params(), {}, threads=threads, strip=1
        )


class Waits(Step[Params]):
    """Needs as many threads at once as there are pieces."""

    barrier = threading.Barrier(3)

    def work(self, ramp, piece):
        Waits.barrier.wait(timeout=10)


def test_pieces_run_at_the_same_time():
    execute(spec(Waits, Phase("work", "frames")), ramp(), Params(), {}, threads=3)
