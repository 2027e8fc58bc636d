"""Carries out steps together: each integration, or strip of rows, goes through all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from heliodor.data import Ramp
from heliodor.declare import Phase
from heliodor.engine import Share, Task, pieces, run_pieces, strip_height
from heliodor.flags import PLANES, count
from heliodor.passes import Pass, share
from heliodor.scratch import Scratch
from heliodor.step import Piece

_lock = threading.Lock()


class Broken(Exception):
    """A step of several has failed.

    Attributes
    ----------
    number : of the step
    error : what it raised
    """

    def __init__(self, number: int, error: BaseException):
        super().__init__(number, error)
        self.number = number
        self.error = error


def begin(task: Task, ramp: Ramp) -> None:
    """Prepare a step, and count what that flags; the planes of groups are left alone by it."""
    before = count(ramp, planes=("pixeldq",))
    task.begin()
    task.flagged = count(ramp, planes=("pixeldq",)) - before


@dataclass(frozen=True)
class Convoy:
    """Steps that have begun, and the ramp on scratch that they go through.

    Each task is told how long it has worked and what it has flagged.

    Attributes
    ----------
    tasks : the steps
    ramp : what they work on
    scratch : where it lies
    threads : pieces worked on at once
    strip : rows in a piece, at most; the result depends on neither
    room : memory for rows being worked on [bytes]
    """

    tasks: Sequence[Task]
    ramp: Ramp
    scratch: Scratch
    threads: int
    strip: int
    room: int

    def run(self, progress: Callable[[float], None] = lambda done: None) -> None:
        """Carry out all phases with as few traversals as they allow.

        Parameters
        ----------
        progress : called with the finished fraction, 0 to 1

        Raises
        ------
        Broken
            A step has failed.
        """
        specs = [replace(task.spec, phases=task.phases) for task in self.tasks]
        passes = share(specs, self.ramp.shape[0], self.threads)
        for number, each in enumerate(passes):
            done = Share(progress, number / len(passes), 1 / len(passes))
            for owner, phase in each.work:
                self.tasks[owner].start(phase)
            match each.unit:
                case "integration":
                    self._by_integrations(each, done)
                case "rows":
                    self._by_rows(each, done)
                case _:
                    ((owner, phase),) = each.work
                    self._alone(owner, phase, done)

    def _alone(self, owner: int, phase: Phase, done: Share) -> None:
        height = strip_height(self.ramp.shape, self.strip, self.threads)
        todo = list(pieces(phase, self.ramp.shape, height))
        with self._accounted(owner, phase, None, 1):
            run_pieces(self.tasks[owner].method(phase), todo, self.threads, done)

    def _by_integrations(self, each: Pass, done: Share) -> None:
        units = list(pieces(Phase("unit", "frames"), self.ramp.shape, 1))
        threads = min(self.threads, len(units))

        def work(unit: Piece) -> None:
            self._work(each, unit, threads)
            self.scratch.keep(self.scratch.limit // 2)

        run_pieces(work, units, threads, done)

    def _by_rows(self, each: Pass, done: Share) -> None:
        """Bring as many rows into memory as there is room for, work on them, and go on."""
        ny = self.ramp.shape[2]
        writes = {plane for _, phase in each.work for plane in phase.writes}
        unchanged = [getattr(self.ramp, name) for name in ("data", "groupdq") if name not in writes]
        with self.scratch.by_rows(self.ramp.shape[2:], unchanged) as rows:
            height = rows.height(self.room)
            piece = min(self.strip, -(-height // self.threads))
            for start in range(0, ny, height):
                stop = min(start + height, ny)
                units = [
                    Piece(None, None, y, min(y + piece, stop)) for y in range(start, stop, piece)
                ]
                part = Share(done, start / ny, (stop - start) / ny)
                with rows.held(start, stop):
                    work = partial(self._work, each, threads=min(self.threads, len(units)))
                    run_pieces(work, units, self.threads, part)

    def _work(self, each: Pass, unit: Piece, threads: int) -> None:
        """Do all the phases of a pass on one integration, or on one strip of rows."""
        for owner, phase in each.work:
            with self._accounted(owner, phase, unit, threads):
                method = self.tasks[owner].method(phase)
                for piece in _within(unit, phase, self.ramp.shape):
                    method(piece)

    @contextmanager
    def _accounted(
        self, owner: int, phase: Phase, where: Piece | None, threads: int
    ) -> Iterator[None]:
        """Keep account of the time a phase takes and what it flags, and of who is to blame."""
        task = self.tasks[owner]
        flags = set(phase.writes) & set(PLANES)
        before = count(self.ramp, where, flags) if flags else 0
        start = time.perf_counter()
        try:
            yield
        except (Exception, SystemExit) as error:
            raise Broken(owner, error) from error
        seconds = time.perf_counter() - start
        after = count(self.ramp, where, flags) if flags else 0
        with _lock:
            task.seconds += seconds / threads
            task.flagged = task.flagged + (after - before)


def _within(unit: Piece, phase: Phase, shape: tuple[int, int, int, int]) -> Iterator[Piece]:
    nints, ngroups, _, _ = shape
    rows = unit.row_start, unit.row_stop
    match phase.looks:
        case "ramp" if unit.integration is None:
            yield from (Piece(i, None, *rows) for i in range(nints))
        case "frame":
            yield from (Piece(unit.integration, g, *rows) for g in range(ngroups))
        case _:
            yield unit
