"""Writes the parameters of a plan, so that another run can be given the same."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.documents.apply import options
from heliodor.documents.edits import OPTION
from heliodor.errors import OutputError, UsageError, did_you_mean
from heliodor.receipt import plain

if TYPE_CHECKING:
    from heliodor.plans import Plan, PlannedStep

_ASDF_HEAD = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
"""


def save(plan: Plan, path: Path) -> None:
    """Write the parameters of a plan.

    Parameters
    ----------
    plan : of one exposure
    path : its suffix says the form: ``.yaml`` or ``.yml`` for edits with every parameter, to be
        given as a pipeline file after those of the plan; ``.asdf`` for a parameter file of `jwst`
        with all that are not declared defaults, so that both programs understand it

    Raises
    ------
    UsageError
        There is no such form.
    OutputError
        The file cannot be written.
    """
    forms = {".yaml": as_edits, ".yml": as_edits, ".asdf": as_asdf}
    if path.suffix not in forms:
        raise UsageError(f"{path}: " + did_you_mean(path.suffix, forms, "form of parameters"))
    try:
        path.write_text(forms[path.suffix](plan), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}.") from error


def as_edits(plan: Plan) -> str:
    """Write every parameter as an edits file; a comment says who gave what is not a default."""
    return "\n".join(_edits(plan)) + "\n"


def _edits(plan: Plan) -> Iterator[str]:
    document = plan.pipeline.document
    yield f"# All parameters of {plan.exposure.path.name}"
    yield f"extends: {document.extends or document.name}"
    yield "edits:"
    yield "  - set:"
    for name, value in _options(plan).items():
        yield f"      {OPTION}.{name}: {_scalar(value)}"
    for address, step in _addresses(plan, document.name).items():
        yield f"      {address}:"
        origins = {given.param: f"  # {given.origin}" for given in step.said}
        for name, value in _values(step).items():
            yield f"        {name}: {_scalar(value)}{origins.get(name, '')}"


def as_asdf(plan: Plan) -> str:
    """Write all that is not a declared default as a parameter file of `jwst`."""
    import yaml

    document = plan.pipeline.document
    name = (document.extends or document.name).removeprefix("calwebb_").capitalize()
    tree = {
        "class": f"jwst.pipeline.{name}Pipeline",
        "name": f"{name}Pipeline",
        "parameters": _options(plan),
        "steps": [
            {"class": "", "name": address, "parameters": _given(step)}
            for address, step in _addresses(plan, "").items()
        ],
    }
    return f"{_ASDF_HEAD}{yaml.safe_dump(tree, sort_keys=False)}...\n"


def _given(step: PlannedStep) -> dict[str, Any]:
    values = _values(step)
    return {"skip": values["skip"], **{given.param: values[given.param] for given in step.said}}


def _values(step: PlannedStep) -> dict[str, Any]:
    """Give a step's parameters as plain data; files wherever they are read again from."""
    values = step.params.model_dump()
    return plain({k: v.absolute() if isinstance(v, Path) else v for k, v in values.items()})


def _options(plan: Plan) -> dict[str, Any]:
    """Give the pipeline's own options, as they are for this exposure."""
    names = options(plan.pipeline.document)
    values = {name: plan.facts.get(f"{OPTION}.{name}".lower()) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _addresses(plan: Plan, top: str) -> dict[str, PlannedStep]:
    """Give the steps, and those they call, by label; where one occurs twice, by path from `top`."""
    steps = {each.path: each for step in plan.steps for each in (step, *step.all_calls)}
    often = Counter(step.label for step in steps.values())
    return {
        f"{top}/{path}" if often[step.label] > 1 else step.label: step
        for path, step in steps.items()
    }


def _scalar(value: Any) -> str:
    """Write a value in YAML 1.2: JSON, and numbers that JSON does not have."""
    if isinstance(value, float) and math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    return json.dumps(value)
