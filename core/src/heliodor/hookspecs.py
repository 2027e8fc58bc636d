"""The contracts between the core and its plugins.

A plugin is a module named by an entry point of the group ``heliodor``; it implements any of these
hooks as functions marked with `hookimpl`.  The first group *declares*: each hook returns plain
records of `heliodor.declare`, cheap to make, and what is heavy is named by a dotted path.  The
second group are *events*: they observe and never change data; an exception in one is recorded and
the run goes on.

Hooks are called by keyword; an implementation may leave out arguments it does not need.  The order
in which plugins are called never decides a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from heliodor.declare import (
    Command,
    ModeSpec,
    ReferenceType,
    Resource,
    RuleSpec,
    Scheme,
    SelectorSpec,
    StepSpec,
    TransformSpec,
)

if TYPE_CHECKING:
    from heliodor.engine import Outcome
    from heliodor.plans import Plan, PlannedStep
    from heliodor.results import Result

hookspec = pluggy.HookspecMarker("heliodor")
hookimpl = pluggy.HookimplMarker("heliodor")


# ------------------------------------------------------------------ what a plugin declares


@hookspec
def heliodor_steps() -> Iterable[StepSpec]:  # type: ignore[empty-body]
    """Offer calibration steps.

    Several plugins may offer a step of one name: the implementation whose ``applies`` is contained
    in all others' is taken, of those that belong to the mode (its own package and the packages it
    names in `ModeSpec.providers`).  A stranger's is offered in the plan and taken by ``use:``.

    Returns
    -------
    iterable of `StepSpec`
    """


@hookspec
def heliodor_modes() -> Iterable[ModeSpec]:  # type: ignore[empty-body]
    """Offer instrument modes.

    Returns
    -------
    iterable of `ModeSpec`; names are unique among all plugins
    """


@hookspec
def heliodor_rules() -> Iterable[RuleSpec]:  # type: ignore[empty-body]
    """Offer association rules.

    Returns
    -------
    iterable of `RuleSpec`; names are unique among all plugins
    """


@hookspec
def heliodor_selectors() -> Iterable[SelectorSpec]:  # type: ignore[empty-body]
    """Offer sources of reference files.

    All are asked in the order of their rank (override 0, the user's folder 100, packages' own 200,
    CRDS 300, embedded 900, made up 950) until one answers; two of one rank are an error.

    Returns
    -------
    iterable of `SelectorSpec`
    """


@hookspec
def heliodor_reference_types() -> Iterable[ReferenceType]:  # type: ignore[empty-body]
    """Offer what reference files of a type hold, for ``heliodor refs check``.

    Several may be offered for one type, for different files (``applies``).

    Returns
    -------
    iterable of `ReferenceType`
    """


@hookspec
def heliodor_transforms() -> Iterable[TransformSpec]:  # type: ignore[empty-body]
    """Offer changes of reference files.

    None is made unless a pipeline asks for it: an edit ``reference: TYPE`` with ``by: NAME``.

    Returns
    -------
    iterable of `TransformSpec`; names are unique among all plugins
    """


@hookspec
def heliodor_pipelines() -> Iterable[Resource]:  # type: ignore[empty-body]
    """Offer pipeline documents.

    Several plugins may offer a pipeline of one name for different exposures (its ``for:``).

    Returns
    -------
    iterable of `Resource`, YAML files inside a package; read on demand
    """


@hookspec
def heliodor_schemes() -> Iterable[Scheme]:  # type: ignore[empty-body]
    """Offer steps that cannot be listed, by names of the form ``SCHEME:REST``.

    Returns
    -------
    iterable of `Scheme`; names are unique among all plugins
    """


@hookspec
def heliodor_builds() -> Iterable[Resource]:  # type: ignore[empty-body]
    """Offer documents of builds of the operational pipeline, and of what changed between them.

    A plugin lists the changes of its own steps and pipelines, with the edits that lead back.

    Returns
    -------
    iterable of `Resource`, YAML files inside a package; read on demand
    """


@hookspec
def heliodor_commands() -> Iterable[Command]:  # type: ignore[empty-body]
    """Offer sub-commands of ``heliodor``.

    Returns
    -------
    iterable of `Command`
    """


# ------------------------------------------------------------------ events


@hookspec
def before_step(plan: Plan, step: PlannedStep) -> None:
    """Observe that a step is about to start.

    Parameters
    ----------
    plan : of the exposure being calibrated
    step : the step
    """


@hookspec
def after_step(plan: Plan, step: PlannedStep, outcome: Outcome) -> None:
    """Observe that a step has ended.

    Parameters
    ----------
    plan : of the exposure being calibrated
    step : the step
    outcome : its status, reason, time and counts
    """


@hookspec
def on_failure(plan: Plan, step: PlannedStep | None, error: BaseException) -> None:
    """Observe that an exposure could not be calibrated.

    Parameters
    ----------
    plan : of the exposure
    step : the step that failed, or None if it was reading or writing
    error : what was raised
    """


@hookspec
def run_finished(result: Result) -> None:
    """Observe that an exposure has been calibrated and its products written.

    Parameters
    ----------
    result : products, outcomes and receipt
    """
