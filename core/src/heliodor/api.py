"""What a notebook uses: `plan`, `run`, `run_all`, `lock`, `sync`, `run_step`, `explain` ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor import planning
from heliodor.declare import ModeSpec, StepSpec
from heliodor.errors import HeliodorError, UsageError
from heliodor.observers import Observer
from heliodor.plans import Plan, Request
from heliodor.plugins import registry

if TYPE_CHECKING:
    from stdatamodels.jwst.datamodels import JwstDataModel

    from heliodor.explaining import Explanation
    from heliodor.locking import Synced
    from heliodor.references.lockfile import Lock
    from heliodor.results import Result

PathLike = str | Path


def plan(
    path: PathLike,
    *,
    parameters: Mapping[str, Any] | None = None,
    pipeline: PathLike | Iterable[PathLike] = (),
    skip: Iterable[str] = (),
    references: Mapping[str, PathLike] | None = None,
    folders: PathLike | Iterable[PathLike] = (),
    out: PathLike = ".",
    threads: int | None = None,
    max_memory: int | None = None,
    scratch: PathLike | None = None,
    online: bool = False,
    build: str | None = None,
    context: str = "",
    parameter_files: PathLike | Iterable[PathLike] = (),
    parameter_references: bool = True,
    locked: PathLike | None = None,
    not_for_science: bool = False,
) -> Plan:
    """Decide what will be done to an exposure, from its headers alone.

    Parameters
    ----------
    path : raw exposure (``_uncal.fits``)
    parameters : by ``step.parameter``, such as ``{"jump.rejection_threshold": 5}``; an option of
        the pipeline has no step: ``{"save_calibrated_ramp": True}``
    pipeline : files of edits, or first a whole pipeline
    skip : steps to leave out
    references : reference file by type, or ``"N/A"``
    folders : searched for reference files
    out : folder for products
    threads : pieces worked on at once; all cores by default
    max_memory : the process may take [bytes]; what is larger is worked on in files
    scratch : folder for those files; that of the products by default
    online : whether what the plan depends on may be fetched, such as parameter references
    build : operational build to follow, such as ``"9.3"``
    context : rules by which CRDS chooses references, such as ``"jwst_1293.pmap"``; that of the
        build, of CRDS_CONTEXT, or of the server by default
    parameter_files : of the `jwst` package (ASDF), of steps or of the pipeline
    parameter_references : whether those count that operations use (``pars-*``)
    locked : file of `lock` that alone says which references and parameter files are used
    not_for_science : whether missing references of simulated exposures may be made up as well

    Returns
    -------
    Plan

    Raises
    ------
    heliodor.errors.HeliodorError
        The exposure, a name or a value cannot be used; the message says what is allowed.
    """
    given: dict[str, Any] = {"threads": threads} if threads else {}
    request = Request(
        parameters=parameters or {},
        pipelines=_paths(pipeline),
        skip=tuple(skip),
        references=references or {},
        folders=_paths(folders),
        out=Path(out),
        layer="Python",
        max_memory=max_memory,
        scratch=None if scratch is None else Path(scratch),
        online=online,
        build=build,
        context=context,
        parameter_files=_paths(parameter_files),
        parameter_references=parameter_references,
        locked=None if locked is None else Path(locked),
        not_for_science=not_for_science,
        **given,
    )
    return planning.plan(path, request)


def run(
    path: PathLike | Plan,
    *,
    save: bool = False,
    observer: Observer | None = None,
    **options: Any,
) -> Result:
    """Calibrate an exposure.

    Parameters
    ----------
    path : raw exposure, or a plan made before
    save : write the products into the folder ``out``; otherwise they stay in memory
    observer : is told how it goes on
    **options : as of `plan`

    Returns
    -------
    Result
        ``result["rate"]`` is a `stdatamodels` model.

    Examples
    --------
    >>> import heliodor
    >>> result = heliodor.run("jw..._uncal.fits", folders="references")  # doctest: +SKIP
    >>> result["rate"].data  # doctest: +SKIP
    """
    from heliodor import running

    if isinstance(path, Plan):
        if options:
            raise UsageError("a plan has been made already: options belong to `plan`")
        return running.run(path, save=save, observer=observer)
    return running.run(_online(path, options), save=save, observer=observer)


def run_all(
    paths: Iterable[PathLike | Plan],
    *,
    save: bool = False,
    observer: Observer | None = None,
    **options: Any,
) -> list[Result]:
    """Calibrate several exposures, together where a step looks at several.

    Parameters
    ----------
    paths : raw exposures, or their plans
    save, observer : as of `run`
    **options : as of `plan`

    Returns
    -------
    their results, in order

    Raises
    ------
    heliodor.errors.HeliodorError
        An exposure cannot be calibrated; the others are first.
    """
    from heliodor import joint
    from heliodor.references import prefetch
    from heliodor.results import Result

    plans = [path if isinstance(path, Plan) else _online(path, options) for path in paths]
    prefetch.for_plans(plans, observer or Observer())
    done: dict[int, Result | HeliodorError] = {}
    for batch in joint.batches(plans):
        results = joint.run_all(joint.counted(batch), save=save, observer=observer)
        done.update(zip(map(id, batch), results, strict=True))
    for result in done.values():
        if isinstance(result, HeliodorError):
            raise result
    return [result for each in plans if isinstance(result := done[id(each)], Result)]


def run_step(
    name: str,
    data: JwstDataModel | PathLike,
    *,
    references: Mapping[str, PathLike] | PathLike | None = None,
    threads: int = 1,
    use: str | None = None,
    context: str = "",
    parameter_references: bool = True,
    **parameters: Any,
) -> JwstDataModel | dict[str, JwstDataModel]:
    """Run one step on a data model.

    Parameters
    ----------
    name : of the step (``jump``), or where it is: ``my_steps.py:destripe``, ``package.module:name``
    data : model or file; it is not changed
    references : file by type, or a folder to search
    threads : pieces worked on at once
    use : distribution whose implementation is wanted
    context : as of `plan`
    parameter_references : whether that of the step counts (``pars-jumpstep``), if it is found
    **parameters : of the step; a step that is asked for by name is run even where its default is
        to be left out

    Returns
    -------
    a new model; for a step that makes products, a dict of them by name, with what it has changed
    beside them as ``ramp``

    Raises
    ------
    heliodor.errors.HeliodorError
        The step, a parameter or a reference is not usable.
    """
    from heliodor.single import run_single

    given = references if isinstance(references, Mapping) else {}
    folders = () if references is None or isinstance(references, Mapping) else (Path(references),)
    return run_single(
        name, data, given, folders, threads, use, parameters, parameter_references, context
    )


def lock(
    paths: Iterable[PathLike | Plan],
    out: PathLike | None = None,
    *,
    observer: Observer | None = None,
    **options: Any,
) -> Lock:
    """Write down which references and parameter files exposures are calibrated with.

    Parameters
    ----------
    paths : raw exposures, or their plans
    out : file to write, such as ``heliodor.lock``; None: none
    observer : is told how it goes on; what is not here yet is fetched
    **options : as of `plan`

    Raises
    ------
    heliodor.errors.HeliodorError
        An exposure cannot be planned, a reference is missing, or two files have the same name.
    """
    from heliodor import locking

    plans = [path if isinstance(path, Plan) else _online(path, options) for path in paths]
    made = locking.lock(plans, observer)
    if out is not None:
        made = replace(made, path=Path(out))
        made.write(made.path)
    return made


def sync(
    path: PathLike,
    folders: PathLike | Iterable[PathLike] = (),
    *,
    observer: Observer | None = None,
) -> list[Synced]:
    """Fetch the files of a lock that are not here, and verify them all.

    Parameters
    ----------
    path : of the lock
    folders : searched for its files
    observer : is told how it goes on

    Returns
    -------
    what became of each file

    Raises
    ------
    heliodor.errors.UsageError
        It is no lock file.
    """
    from heliodor import locking

    return locking.sync(Path(path), _paths(folders), observer)


def explain(name: str, path: PathLike | None = None, **options: Any) -> list[Explanation]:
    """Say what a parameter is, and who has said what about it.

    Parameters
    ----------
    name : ``STEP.PARAMETER``; ``STEP`` for all of a step; ``option.NAME`` for the pipeline's own
    path : raw exposure; without one, all implementations of the step are explained
    **options : as of `plan`

    Returns
    -------
    one for each parameter, and without an exposure for each implementation

    Raises
    ------
    heliodor.errors.HeliodorError
        The exposure cannot be used; there is no such step or parameter, then the nearest is named.
    """
    from heliodor import explaining

    if path is None and options:
        raise UsageError("what counts depends on the exposure: give its file")
    return explaining.explain(name, None if path is None else plan(path, **options))


def steps() -> dict[str, tuple[StepSpec, ...]]:
    """List the installed steps: implementations by name."""
    return {
        name: tuple(offer.spec for offer in offers)
        for name, offers in sorted(registry().steps.items())
    }


def modes() -> dict[str, ModeSpec]:
    """List the installed instrument modes, by name."""
    return dict(sorted(registry().modes.items()))


def _online(path: PathLike, options: Mapping[str, Any]) -> Plan:
    """Plan what will be run: what the plan depends on may be fetched."""
    return plan(path, **{"online": True, **options})


def _paths(given: PathLike | Iterable[PathLike]) -> tuple[Path, ...]:
    if isinstance(given, str | Path):
        return (Path(given),)
    return tuple(Path(path) for path in given)
