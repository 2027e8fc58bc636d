"""Steps written for stpipe in our pipelines, and our steps as hooks of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def hook(
    step: str,
    *,
    references: Mapping[str, str | Path] | str | Path | None = None,
    use: str | None = None,
    **parameters: Any,
) -> Any:
    """Make a hook of a step of ours, to be run before or after a step of `jwst`.

    Parameters
    ----------
    step : as in our documents (``clean_flicker_noise``, ``my_steps.py:destripe``)
    references : file by type, or a folder to search
    use : distribution whose implementation is wanted
    **parameters : of the step

    Returns
    -------
    stpipe.Step
        For the ``pre_hooks`` and ``post_hooks`` of any step of `jwst`.

    Examples
    --------
    >>> from jwst.pipeline import Detector1Pipeline  # doctest: +SKIP
    >>> hooks = [hook("my_steps.py:destripe", strength=2)]  # doctest: +SKIP
    >>> Detector1Pipeline.call(file, steps={"jump": {"post_hooks": hooks}})  # doctest: +SKIP
    """
    from heliodor_stpipe import hooks

    return hooks.hook(step, references=references, use=use, **parameters)
