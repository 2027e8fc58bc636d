"""Heliodor: JWST calibration assembled from plugins.

`plan` says what will be done to an exposure, `run` does it, `run_all` does it to several,
`run_step` runs one step on a data model; `lock` writes down which references exposures are
calibrated with, `sync` brings them here; `explain` tells about parameters, `steps` and `modes` list
what is installed.  Importing this package costs nothing: what a name needs is imported when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliodor.api import explain, lock, modes, plan, run, run_all, run_step, steps, sync

__all__ = [
    "__version__", "explain", "lock", "modes", "plan", "run", "run_all", "run_step", "steps",
    "sync",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("heliodor")
    if name in __all__:
        from heliodor import api

        value = getattr(api, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'heliodor' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
