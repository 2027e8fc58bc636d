"""Parameters of foreign steps: ``heliodor_stpipe.params:package/module/Class``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from heliodor.params import Params, parameter
from pydantic import ConfigDict, create_model

from heliodor_stpipe import configspec
from heliodor_stpipe.foreign import step_class

GIVES = {"gives_rate": "rate", "gives_rateints": "rateints"}
"""Parameters of our own by which a user says that a step turns ramps into slopes, and of what
kind: nothing in stpipe tells before it has run."""


class StepParams(Params):
    """Base of the parameters of foreign steps, whose names are not ours to choose."""

    model_config = ConfigDict(protected_namespaces=())


def model(path: str, checks: Mapping[str, tuple[str, str]], gives: bool) -> type[Params]:
    """Make the parameters of a step.

    Parameters
    ----------
    path : ``package.module.Class``
    checks : check and comment by parameter
    gives : whether a user may have to say what the step makes
    """
    fields: dict[str, Any] = {name: configspec.field(*check) for name, check in checks.items()}
    if gives:
        for name, kind in GIVES.items():
            said = f"The step makes slopes of ramps, a product of the kind {kind}."
            fields[name] = (bool, parameter(False, said))
    module, _, name = path.rpartition(".")
    return create_model(name, __base__=StepParams, __module__=module, **fields)


def checks_of(found: Any) -> dict[str, tuple[str, str]]:
    """Collect what a Step and its bases say about their parameters.

    What `stpipe.Step` itself declares - hooks, names of files - is the pipeline's business here;
    only ``skip`` stays.
    """
    from stpipe import Step

    spec = found.load_spec_file()
    general = set(Step.load_spec_file()) - {"skip"}
    return {
        name: (spec[name], spec.inline_comments.get(name) or "")
        for name in spec.scalars
        if name not in general
    }


@cache
def __getattr__(name: str) -> Any:
    if "/" not in name:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from heliodor_stpipe.resolve import relative

    path = name.replace("/", ".")
    found = step_class(path)
    return model(path, checks_of(found), gives=relative(found) is None)
