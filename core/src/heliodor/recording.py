"""What a run writes down about itself: keywords of products, and the receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from heliodor import receipt
from heliodor.declare import StepSpec
from heliodor.engine import Outcome
from heliodor.hashes import file_sha256
from heliodor.plans import Plan, PlannedStep, Request
from heliodor.plugins import registry
from heliodor.products.assemble import Provenance
from heliodor.references.selectors import Answer, Found, Made, NotApplicable

Done: TypeAlias = Sequence[tuple[PlannedStep, Outcome]]
"""Steps, and what became of each."""


def provenance(plan: Plan, done: Done, hashes: Mapping[str, str]) -> Provenance:
    """Tell how products came about.

    Parameters
    ----------
    plan : of the exposure
    done : so far
    hashes : of references that were changed or made, by type
    """
    status: dict[str, str] = {}
    references: dict[str, tuple[str, str]] = {}
    for step, outcome in done:
        tell(status, step.spec.status, outcome)
        references |= recorded(step.spec, step.references)
    context, receipt = context_of(plan.references), _receipt(plan, done, hashes)
    return Provenance(status, references, context, plan.caveat, receipt)


def recorded(spec: StepSpec, answers: Mapping[str, Answer]) -> dict[str, tuple[str, str]]:
    """Give keyword and value, by type, for the references of a step."""
    values = [(need, _value(answers.get(need.type))) for need in spec.refs]
    return {need.type: (need.keyword, value) for need, value in values if value}


def context_of(answers: Mapping[str, Answer]) -> str:
    """Name the context that references were chosen by; empty: they were not."""
    contexts = (answer.context for answer in answers.values() if isinstance(answer, Found))
    return next(filter(None, contexts), "")


def _value(answer: Answer | None) -> str:
    """Name a reference as the operational pipeline does in headers; empty if there is none."""
    match answer:
        case Found(path=path, context=context):
            return f"crds://{path.name}" if context else path.name
        case Made(port=port):
            return port
        case NotApplicable():
            return "N/A"
    return ""


def tell(status: MutableMapping[str, Any], name: str, outcome: Outcome) -> None:
    """Note what became of a step; where several share a name, not that one of them was left out.

    Parameters
    ----------
    status : what became of the steps so far; changed
    name : of the step, or its keyword
    outcome : of the step
    """
    if name not in status or outcome.status != "SKIPPED":
        status[name] = outcome.status


def _receipt(plan: Plan, done: Done, hashes: Mapping[str, str]) -> receipt.Receipt:
    inputs = (plan.exposure, *plan.beside.values())
    return receipt.Receipt(
        heliodor=version("heliodor"),
        inputs=tuple(receipt.FileRecord(each.path.name, each.sha256, each.size) for each in inputs),
        pipeline=plan.pipeline.document.name,
        pipeline_sha256=plan.pipeline.sha256,
        steps=tuple(_step_record(step, outcome, hashes) for step, outcome in done),
        plugins={p.distribution: p.version for p in registry().plugins},
        options={
            "mode": plan.mode.name,
            "build": plan.build.as_data() if plan.build else None,
            "pipeline_files": list(plan.pipeline.files),
            "pipeline_options": _options(plan.request),
            "parameter_files": {
                file.path.name: file_sha256(file.path) for file in plan.parameter_files
            },
            "lock": _lock(plan.request),
        },
    )


def _options(request: Request) -> dict[str, Any]:
    """Give the options of the pipeline that the user has set: names without a step."""
    return {name: value for name, value in request.parameters.items() if "." not in name}


def _lock(request: Request) -> dict[str, str] | None:
    if request.locked is None:
        return None
    return {"name": request.locked.name, "sha256": file_sha256(request.locked)}


def _step_record(
    step: PlannedStep, outcome: Outcome, hashes: Mapping[str, str]
) -> receipt.StepRecord:
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
        references=tuple(_reference_records(step, hashes)) if step.runs else (),
        flagged=outcome.flagged,
        members=outcome.members,
        calls=tuple(_step_record(called, result, hashes) for called, result in outcome.calls),
    )


def _reference_records(
    step: PlannedStep, hashes: Mapping[str, str]
) -> Iterator[receipt.ReferenceRecord]:
    for name, answer in step.references.items():
        sha256 = hashes.get(name, "")
        if isinstance(answer, Made):
            yield receipt.ReferenceRecord(name, answer.port, sha256, answer.why)
        elif isinstance(answer, Found):
            file = answer.path
            record = receipt.ReferenceRecord(
                name,
                file.name,
                file_sha256(file),
                f"{answer.selector}: {answer.why}",
                context=answer.context,
                caveat=answer.caveat,
            )
            if answer.by is not None:
                plugin = registry().owner(answer.by)
                by = f"{answer.by.name} {answer.by.version} of {plugin.distribution}"
                by = f"{by} {plugin.version}"
                record = replace(record, changed_by=by, changed_sha256=sha256)
            yield record
