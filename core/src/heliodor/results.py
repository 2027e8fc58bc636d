"""What a run has made, and what became of each step."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import products
from heliodor.data import Product, Ramp
from heliodor.engine import Outcome
from heliodor.kernels import Compiled
from heliodor.plans import Plan, PlannedStep

if TYPE_CHECKING:
    from heliodor.products import Provenance


@dataclass
class Result:
    """What a run has made.

    Attributes
    ----------
    plan : that was carried out
    outcomes : of every step, in order
    products : kept in memory, by name; empty when they were written
    paths : products that were written, by name
    provenance : statuses, references and receipt, as they stand in the products
    compiled : kernels that were not in the cache yet
    problems : exceptions of observing plugins, which do not stop a run
    """

    plan: Plan
    outcomes: list[tuple[PlannedStep, Outcome]] = field(default_factory=list)
    products: dict[str, Product | Ramp] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    provenance: Provenance | None = None
    compiled: Compiled = field(default_factory=Compiled)
    problems: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        """Give a product as a `stdatamodels` model: ``result["rate"]``."""
        if name in self.products:
            return products.to_model(self.products[name], self.provenance)
        if name in self.paths:
            from stdatamodels.jwst import datamodels

            return datamodels.open(self.paths[name])
        raise KeyError(
            f"{name}; there is {', '.join({**self.products, **self.paths}) or 'nothing'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the run as plain data."""
        return {
            "input": str(self.plan.exposure.path),
            "steps": [
                {
                    "label": step.label,
                    "port": step.port,
                    "round": step.round,
                    "status": outcome.status,
                    "reason": outcome.reason,
                    "seconds": round(outcome.seconds, 4),
                    "flagged": outcome.flagged,
                }
                for step, outcome in self.outcomes
            ],
            "products": {name: str(path) for name, path in self.paths.items()},
            "compiled": asdict(self.compiled),
            "problems": self.problems,
        }
