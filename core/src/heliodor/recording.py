"""What a run writes down about itself: keywords of products, and the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from heliodor import receipt
from heliodor.engine import Outcome
from heliodor.hashes import file_sha256
from heliodor.plans import Plan, PlannedStep, Request
from heliodor.plugins import registry
from heliodor.products.assemble import Provenance
from heliodor.references.selectors import Found, NotApplicable

Done: TypeAlias = Sequence[tuple[PlannedStep, Outcome]]
"""Steps, and what became of each."""


def provenance(plan: Plan, done: Done) -> Provenance:
    """Tell how products came about.

    Parameters
    ----------
    plan : of the exposure
    done : so far
    """
    status: dict[str, str] = {}
    references: dict[str, tuple[str, str]] = {}
    for step, outcome in done:
        status[step.spec.status] = outcome.status
        for need in step.spec.refs:
            answer = step.references.get(need.type)
            if isinstance(answer, Found):
                references[need.type] = (need.keyword, answer.path.name)
            elif isinstance(answer, NotApplicable):
                references[need.type] = (need.keyword, "N/A")
    return Provenance(status, references, receipt=_receipt(plan, done))


def _receipt(plan: Plan, done: Done) -> receipt.Receipt:
    exposure = plan.exposure
    return receipt.Receipt(
        heliodor=version("heliodor"),
        inputs=(receipt.FileRecord(exposure.path.name, exposure.sha256, exposure.size),),
        pipeline=plan.pipeline.document.name,
        pipeline_sha256=plan.pipeline.sha256,
        steps=tuple(_step_record(step, outcome) for step, outcome in done),
        plugins={p.distribution: p.version for p in registry().plugins},
        options={
            "mode": plan.mode.name,
            "build": plan.build.as_data() if plan.build else None,
            "pipeline_files": list(plan.pipeline.files),
            "pipeline_options": _options(plan.request),
            "parameter_files": {
                file.path.name: file_sha256(file.path) for file in plan.parameter_files
            },
        },
    )


def _options(request: Request) -> dict[str, Any]:
    """Give the options of the pipeline that the user has set: names without a step."""
    return {name: value for name, value in request.parameters.items() if "." not in name}


def _step_record(step: PlannedStep, outcome: Outcome) -> receipt.StepRecord:
    origins = {name: str(origin) for name, origin in step.origins.items()}
    return receipt.StepRecord(
        name=step.spec.name,
        label=step.label,
        round=step.round,
        implementation=f"{step.offer.plugin.distribution} {step.offer.plugin.version}",
        algorithm=step.spec.version,
        status=outcome.status,
        reason=outcome.reason,
        seconds=round(outcome.seconds, 4),
        parameters=tuple(
            receipt.ParameterRecord(
                name,
                value,
                origins.get(name, "declared default"),
                file_sha256(value) if isinstance(value, Path) and step.runs else "",
            )
            for name, value in step.params.model_dump().items()
        ),
        references=tuple(
            receipt.ReferenceRecord(name, answer.path.name, file_sha256(answer.path), answer.why)
            for name, answer in step.references.items()
            if isinstance(answer, Found) and step.runs
        ),
        flagged=outcome.flagged,
        members=outcome.members,
        calls=tuple(_step_record(called, result) for called, result in outcome.calls),
    )
