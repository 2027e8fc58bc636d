"""Watching a run: what the command line shows, and what a notebook may listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heliodor.engine import Outcome
    from heliodor.plans import Plan, PlannedStep


class Observer:
    """Is told how a run goes on; every method may be overridden, none needs to be."""

    def fetching(self, name: str, done: int, total: int) -> None:
        """Note that reference files are fetched: `name` now, `done` of `total` bytes of all."""

    def reading(self, plan: Plan) -> None:
        """Note that the exposure is being read."""

    def step_started(self, plan: Plan, step: PlannedStep) -> None:
        """Note that a step begins."""

    def compiling(self, kernel: str) -> None:
        """Note that a kernel is compiled: once on a machine, and after an update."""

    def step_progress(self, step: PlannedStep, done: float) -> None:
        """Note how far a step is, 0 to 1."""

    def step_ended(self, plan: Plan, step: PlannedStep, outcome: Outcome) -> None:
        """Note how a step has ended."""

    def writing(self, plan: Plan, name: str) -> None:
        """Note that a product is being written."""
