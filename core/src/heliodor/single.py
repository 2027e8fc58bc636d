"""One step by itself, on a data model in memory or a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import exposures, parametersources, products, stepfiles
from heliodor.data import Keywords, Product, Ramp
from heliodor.declare import Layout, ModeSpec, StepSpec
from heliodor.engine import execute, load
from heliodor.errors import NotYetError, ReferenceError, StepError, UsageError
from heliodor.layers import Layered
from heliodor.parametersources import Wanted
from heliodor.params import Params
from heliodor.plugins import Offer, Registry, registry
from heliodor.recording import context_of, recorded
from heliodor.references import prefetch
from heliodor.references.selectors import (
    Answer,
    Found,
    NotApplicable,
    Sources,
    Unknown,
    select_all,
)
from heliodor.services import opened

if TYPE_CHECKING:
    from stdatamodels.jwst.datamodels import JwstDataModel


def run_single(
    name: str,
    data: JwstDataModel | str | Path,
    references: Mapping[str, str | Path],
    folders: tuple[Path, ...],
    threads: int,
    use: str | None,
    parameters: Mapping[str, Any],
    parameter_references: bool = True,
    context: str = "",
) -> JwstDataModel | dict[str, JwstDataModel]:
    """Run a step; see `heliodor.api.run_step`."""
    plugins = registry()
    source = Path(data) if isinstance(data, str | Path) else None
    if stepfiles.is_code(name):
        offer: Offer = stepfiles.find(name, plugins, ramp=_is_ramp(data))
        work = _read(plugins, data, offer.spec.takes, threads)
    else:
        work = _read(plugins, data, plugins.offers(name)[0].spec.takes, threads)
        offer = plugins.choose(name, work.keywords, _trusted(plugins, work.keywords), use)
    _refuse_company(offer.spec)
    name, layers = offer.spec.name, Layered()
    sources = Sources(references, folders, source, context, online=True)
    wanted = Wanted(sources, references=parameter_references)
    pars = parametersources.for_step(name, plugins, work.keywords, wanted)
    for file in pars:
        layers.add_file(file)
    for key, value in {"skip": False, **parameters}.items():
        layers.add("Python", "run_step", name, key, value)
    params, _ = layers.resolve(name, load(offer.spec.params))
    answers: dict[str, Answer] = {}
    status, reason = "SKIPPED", "skip is true"
    if not params.skip:
        named = parametersources.overrides(references, pars)
        answers = _references(offer, work, params, replace(sources, overrides=named))
        reason = _left_out(offer.spec, answers)
    made: dict[str, Product] = {}
    if not reason:
        files = {
            kind: each.path if isinstance(each, Found) else None
            for kind, each in answers.items()
            if isinstance(each, Found | NotApplicable)
        }
        with ExitStack() as stack:
            outcome = execute(offer.spec, work, params, opened(files, work, stack), threads=threads)
        status, reason, made = outcome.status, outcome.reason, outcome.products
    if status != "COMPLETE" and any(not output.option for output in offer.spec.makes):
        raise StepError(f"{name} made no product: {reason}")
    provenance = products.Provenance(
        {offer.spec.status: status}, recorded(offer.spec, answers), context_of(answers)
    )
    if made:
        models = {key: products.to_model(product, provenance) for key, product in made.items()}
        if any(phase.writes for phase in offer.spec.phases):
            models["ramp"] = products.to_model(work, provenance)
        return models
    return products.to_model(work, provenance)


def _refuse_company(spec: StepSpec) -> None:
    """Refuse steps that need more than one exposure's data."""
    reasons = {
        f"reads {', '.join(spec.reads)}": spec.reads,
        f"calls {', '.join(spec.calls)}": spec.calls,
        "wraps another": spec.wraps,
        "looks at several exposures": spec.scope != "exposure",
    }
    for reason, holds in reasons.items():
        if holds:
            raise NotYetError(f"{spec.name} {reason}: it cannot be run by itself yet.")


def _mode(plugins: Registry, keywords: Keywords) -> ModeSpec | None:
    """Recognise the mode of the data; None if it is not known."""
    try:
        return plugins.recognise(keywords)
    except UsageError:
        return None


def _trusted(plugins: Registry, keywords: Keywords) -> set[str]:
    """Name the distributions that the mode of the data trusts; none if it has no known mode."""
    mode = _mode(plugins, keywords)
    return {plugins.owner(mode).distribution, *mode.providers} if mode else set()


def _read(plugins: Registry, data: Any, takes: str, threads: int) -> Ramp | Product:
    if takes == "image":
        return exposures.read_product(data)
    if isinstance(data, str | Path):
        exposure = exposures.look(data)
        mode = _mode(plugins, exposure.keywords)
        layout = mode.layout if mode else Layout()
        return exposures.read_ramp(exposure, threads, model=layout.ramp)
    return exposures.read_ramp_from_model(data)


def _is_ramp(data: Any) -> bool:
    shape = exposures.look(data).shape if isinstance(data, str | Path) else data.data.shape
    return len(shape) == 4


def _references(
    offer: Offer, work: Ramp | Product, params: Params, sources: Sources
) -> dict[str, Answer]:
    """Find the step's files."""
    needs = tuple(need for need in offer.spec.refs if need.asked(work.keywords, params))
    answers = select_all(registry().selectors, needs, work.keywords, sources)
    prefetch.for_one(answers, offer.spec.name)
    for need in needs:
        answer = answers[need.type]
        if isinstance(answer, Unknown) and not need.optional:
            raise ReferenceError(f"{offer.spec.name} needs a {need.type} reference: {answer.why}")
    return answers


def _left_out(spec: StepSpec, answers: Mapping[str, Answer]) -> str:
    """Say why a step does not apply; empty: it does."""
    for need in spec.refs:
        answer = answers.get(need.type)
        if isinstance(answer, NotApplicable) and not need.optional:
            return f"no {need.type} reference applies: {answer.why}"
    return ""
