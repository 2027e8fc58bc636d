"""Finds the class of a foreign step, and says what is missing when it is not there."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from importlib import metadata
from typing import Any

from heliodor.errors import NotYetError, PluginError, UsageError, did_you_mean


@cache
def step_class(path: str) -> Any:
    """Import a subclass of ``stpipe.Step``.

    Parameters
    ----------
    path : ``package.module.Class``

    Raises
    ------
    heliodor.errors.PluginError
        Its package is not installed, or cannot be imported.
    heliodor.errors.UsageError
        The package has no such class, or it is no Step.
    heliodor.errors.NotYetError
        It is a whole pipeline.
    """
    name, _, last = path.rpartition(".")
    if not name:
        raise UsageError(f"stpipe:{path}: write package.module.Class, as in jwst.jump.JumpStep.")
    module = _module(name, path)
    _module("stpipe", path)
    found: Any = getattr(module, last, None)
    if not _is_step(found):
        known = [each for each, value in vars(module).items() if _is_step(value)]
        if found is not None:
            there = ", ".join(known) or "none"
            raise UsageError(f"stpipe:{path} is no stpipe Step; in {name} are: {there}.")
        raise UsageError(did_you_mean(last, known, f"stpipe Step in {name}"))
    from stpipe import Pipeline

    if issubclass(found, Pipeline):
        raise NotYetError(
            f"stpipe:{path} is a pipeline of stpipe; only its steps can be used, one by one."
        )
    return found


def attribute(path: str) -> str:
    """Write a class as one attribute of a module of ours: ``jwst/jump/JumpStep``."""
    return path.replace(".", "/")


def distribution(found: Any) -> str:
    """Name the distribution of a class and its version: ``jwst 3.0.0``."""
    package = found.__module__.partition(".")[0]
    for name in (package, *metadata.packages_distributions().get(package, ())):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return package


def _module(name: str, path: str) -> Any:
    package = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == package:
            raise PluginError(
                f"stpipe:{path} needs the package {package}, which is not installed: "
                f"`pip install {package}`."
            ) from error
        if f"{name}.".startswith(f"{missing}."):
            raise UsageError(f"stpipe:{path}: {package} has no module {missing}.") from error
        raise PluginError(
            f"stpipe:{path} needs {missing}, which is not installed: `pip install {missing}`."
        ) from error
    except Exception as error:  # whatever a stranger's module raises
        raise PluginError(
            f"stpipe:{path} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _is_step(found: Any) -> bool:
    if not inspect.isclass(found):
        return False
    from stpipe import Step

    return issubclass(found, Step) and found is not Step
