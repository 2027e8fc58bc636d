"""Finds the parameter files of an exposure: references (``pars-jumpstep``), and the user's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.declare import Keywords, RefNeed
from heliodor.documents.apply import options
from heliodor.documents.nodes import Document, Layer, Setting, StepNode, labelled
from heliodor.documents.yaml import Place
from heliodor.errors import UsageError, did_you_mean
from heliodor.layers import LAYERS
from heliodor.parameterfiles import ParameterFile, read, squashed
from heliodor.references import locked, prefetch
from heliodor.references.selectors import Found, Sources, select_all

if TYPE_CHECKING:
    from heliodor.plugins import Registry

PREFIX = "pars-"
"""What the reference types of parameter files begin with."""

KEYS = (
    "DETECTOR", "SUBARRAY", "READPATT", "FILTER", "PUPIL", "EXP_TYPE", "GRATING", "BAND",
    "CHANNEL", "MODULE", "CORONMSK", "TSOVISIT", "VISITYPE", "OPMODE", "LAMP", "CROWDFLD",
)  # fmt: skip
"""Keywords that may tell one parameter reference from another; most files name few of them."""


@dataclass(frozen=True)
class Wanted:
    """Which parameter files a user wants.

    Attributes
    ----------
    sources : where references are looked for
    files : of the user's own, in the order in which they count
    references : whether references count that the user did not name
    """

    sources: Sources
    files: tuple[Path, ...] = ()
    references: bool = True


def for_pipeline(
    document: Document, usual: str, plugins: Registry, keywords: Keywords, wanted: Wanted
) -> tuple[ParameterFile, ...]:
    """Find and read the parameter files for an exposure, the weakest first.

    Parameters
    ----------
    document : its pipeline
    usual : name of the pipeline that the mode goes through unless told otherwise
    plugins : what is installed
    keywords : of the exposure
    wanted : what the user says

    Raises
    ------
    heliodor.errors.HeliodorError
        as `heliodor.parameterfiles.read`
    """
    found = [each for each in labelled(document.steps) if isinstance(each[1], StepNode)]
    nodes = [node for _, node in found]
    steps = {name for node in nodes for name in (node.label, node.step)}
    steps |= {f"{top}{'/'.join(path)}" for path, _ in found for top in ("", "/")}
    for path, node in found:
        for caller in (node.label, "/".join(path), f"/{'/'.join(path)}"):
            steps.update(_called(node.step, plugins, caller))
    names = (document.extends or document.name, document.name, usual)
    types = types_of([node.step for node in nodes if node.step in plugins.steps], names[0])
    return _read(types, names, steps, plugins, keywords, wanted)


def _called(step: str, plugins: Registry, label: str) -> Iterator[str]:
    """Name the steps that one may call, and those that these may call, as ``LABEL/CALLED``."""
    for offer in plugins.steps.get(step, ()):
        for name in offer.spec.calls:
            if name not in label.split("/"):
                yield f"{label}/{name}"
                yield from _called(name, plugins, f"{label}/{name}")


def for_step(
    name: str, plugins: Registry, keywords: Keywords, wanted: Wanted
) -> tuple[ParameterFile, ...]:
    """Find and read the parameter files for a step that is run by itself."""
    return _read(types_of([name]), (), {name}, plugins, keywords, wanted)


def types_of(steps: Iterable[str], pipeline: str = "") -> tuple[str, ...]:
    """Name the parameter references of steps, and after these, which count more, of a pipeline.

    Examples
    --------
    >>> types_of(["dq_init", "jump"], "calwebb_detector1")
    ('pars-dqinitstep', 'pars-jumpstep', 'pars-detector1pipeline')
    """
    types = [f"{PREFIX}{squashed(step)}step" for step in dict.fromkeys(steps)]
    if pipeline:
        types.append(f"{PREFIX}{squashed(pipeline.removeprefix('calwebb_'))}pipeline")
    return tuple(types)


def need(name: str) -> RefNeed:
    """Give what is asked of a parameter reference."""
    return RefNeed(name, KEYS, optional=True, exact=True, planes=0)


def _read(
    types: tuple[str, ...],
    pipeline: Collection[str],
    steps: Collection[str],
    plugins: Registry,
    keywords: Keywords,
    wanted: Wanted,
) -> tuple[ParameterFile, ...]:
    """Read what is found of reference types, then the user's own files."""
    given = wanted.sources.overrides
    named = {name: file for name, file in given.items() if name.startswith(PREFIX)}
    for name in named:
        if name not in types:
            raise UsageError(did_you_mean(name, types, "parameter reference here"))
    needs = tuple(need(name) for name in types if wanted.references or name in named)
    sources = replace(wanted.sources, overrides=named)
    answers = select_all(plugins.selectors, needs, keywords, sources)
    user = str(sources.exposure or "the exposure")
    prefetch.for_planning(answers, user, online=sources.online)

    def one(path: Path, layer: Layer, why: str) -> ParameterFile:
        return read(path, layer, pipeline, steps, plugins.steps, why)

    found = [
        replace(
            one(answer.path, "parameter reference", f"{each.type}: {answer.why}"),
            reference=(each.type, answer),
        )
        for each in needs
        if isinstance(answer := answers[each.type], Found)
    ]
    own = wanted.files if sources.lock is None else locked.parameter_files(sources)
    return (*found, *(one(path, "user file", "--pars") for path in own))


def with_options(document: Document, files: Iterable[ParameterFile]) -> Document:
    """Give a pipeline the values of its own options that files set, each in its layer.

    Raises
    ------
    UsageError
        for an option that the pipeline does not have, and a value that is not true or false
    """
    known = options(document)
    settings = list(document.options)
    for file in files:
        for value in file.values:
            if value.step:
                continue
            if value.param not in known:
                what = did_you_mean(value.param, known, f"option of {document.name}")
                raise UsageError(f"{file.path}: {what}")
            if str(value.value).lower() not in ("true", "false"):
                raise UsageError(
                    f"{file.path}: {value.param} = {value.value!r} is not allowed: "
                    "options are true or false."
                )
            place = Place(file.path.name, 1)
            settings.append(Setting(value.param, value.value, place, file.layer))
    settings.sort(key=lambda setting: LAYERS.index(setting.layer))
    return replace(document, options=tuple(settings))


def overrides(
    given: Mapping[str, str | Path], files: Iterable[ParameterFile]
) -> dict[str, str | Path]:
    """Join the reference files that a user names with those that parameter files name."""
    named: dict[str, str | Path] = {}
    for file in files:
        named |= file.references
    named |= {name: file for name, file in given.items() if not name.startswith(PREFIX)}
    return named
