"""``heliodor run`` and ``heliodor plan``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.cli import show
from heliodor.cli.tables import console, print_error, print_json
from heliodor.errors import HeliodorError, UsageError
from heliodor.products.names import product_name

if TYPE_CHECKING:
    from heliodor.observers import Observer
    from heliodor.plans import Plan, Request
    from heliodor.results import Result


def configure_run(parser: argparse.ArgumentParser) -> None:
    """``heliodor run FILE [FILE ...] --out DIR``."""
    _add_request(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for the products (default: here)",
    )
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="threads to use (default: all cores)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress and no table")
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="folder for the files of --max-memory (default: that of the products)",
    )
    parser.set_defaults(run=_run)


def configure_plan(parser: argparse.ArgumentParser) -> None:
    """``heliodor plan FILE``."""
    _add_request(parser)
    parser.add_argument(
        "--online",
        action="store_true",
        help="fetch what the plan depends on, such as parameter references",
    )
    parser.set_defaults(run=_plan, out=Path(), threads=None, scratch=None)


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="raw exposures (_uncal.fits)"
    )
    add_options(parser)
    parser.add_argument(
        "--locked",
        type=Path,
        metavar="LOCK",
        help="use exactly the references and parameter files of this lock file, and no network; "
        "--references then only says where they are",
    )
    parser.add_argument(
        "--save-parameters",
        type=Path,
        metavar="FILE",
        help="write all parameters of the exposure: as edits (.yaml, read again by --pipeline), or "
        "in the form of jwst (.asdf, read again by --pars)",
    )
    parser.add_argument(
        "--max-memory",
        type=_size,
        metavar="SIZE",
        help="memory the process may take, such as 1.5G (1G = 1e9 bytes, 1Gi = 2**30): "
        "what is larger is worked on in files",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how an exposure is to be calibrated."""
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="STEP.NAME=VALUE",
        help="set a parameter, such as jump.rejection_threshold=5; "
        "an option of the pipeline has no step: save_calibrated_ramp=true",
    )
    parser.add_argument(
        "--references",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="folder of reference files; the right ones are found by their keywords",
    )
    parser.add_argument(
        "--ref",
        action="append",
        default=[],
        metavar="TYPE=FILE",
        help="use this reference file, such as dark=mydark.fits; TYPE=N/A leaves it out",
    )
    parser.add_argument(
        "--pipeline",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a pipeline of your own, or edits of the standard one (YAML)",
    )
    parser.add_argument(
        "--build",
        metavar="NAME",
        help="order, defaults and behaviour of this operational build, such as 9.3; "
        "the plan says what of it is not reproduced",
    )
    parser.add_argument(
        "--context",
        default="",
        metavar="NAME",
        help="rules by which CRDS chooses references, such as jwst_1293.pmap, latest, or a date "
        "(default: that of --build, of CRDS_CONTEXT, or of the server)",
    )
    parser.add_argument(
        "--skip", action="append", default=[], metavar="STEP", help="leave out a step"
    )
    parser.add_argument(
        "--pars",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a parameter file of jwst (ASDF), of a step or of a pipeline",
    )
    parser.add_argument(
        "--no-pars",
        action="store_true",
        help="leave out parameter references (pars-*), which operations use",
    )
    parser.add_argument(
        "--not-for-science",
        action="store_true",
        help="let missing references of a simulated exposure be made up; the products say so",
    )


def request(arguments: argparse.Namespace) -> Request:
    """Turn the options of a command into a request."""
    from heliodor.plans import Request

    given: dict[str, Any] = {
        "parameters": dict(pair(text, "-p STEP.NAME=VALUE") for text in arguments.parameter),
        "pipelines": tuple(arguments.pipeline),
        "skip": tuple(arguments.skip),
        "references": dict(pair(text, "--ref TYPE=FILE") for text in arguments.ref),
        "folders": tuple(arguments.references),
        "out": arguments.out,
        "max_memory": arguments.max_memory,
        "scratch": arguments.scratch,
        "build": arguments.build,
        "context": arguments.context,
        "parameter_files": tuple(arguments.pars),
        "parameter_references": not arguments.no_pars,
        "locked": getattr(arguments, "locked", None),
        "not_for_science": arguments.not_for_science,
    }
    if arguments.threads:
        given["threads"] = arguments.threads
    return Request(**given)


def _plan(arguments: argparse.Namespace) -> int:
    from heliodor.planning import plan

    wanted = replace(request(arguments), online=arguments.online)
    _refuse_several(arguments)
    plans = [plan(path, wanted) for path in arguments.files]
    _save_parameters(plans[0], arguments)
    if arguments.json:
        print_json([each.to_dict() for each in plans])
    else:
        for each in plans:
            show.plan(each)
    return 4 if any(each.lacking for each in plans) else 0


def _run(arguments: argparse.Namespace) -> int:
    from heliodor import joint, planning

    wanted = replace(request(arguments), online=True)
    _refuse_same_products(arguments.files)
    _refuse_several(arguments)
    plans: dict[Path, Plan] = {}
    failed: dict[Path, HeliodorError] = {}
    for path in arguments.files:
        try:
            plans[path] = planning.plan(path, wanted)
        except HeliodorError as error:
            _failed(path, error, failed, arguments)
    _fetch(plans.values(), arguments)
    results: dict[Path, dict[str, Any]] = {}
    for batch in joint.batches(plans.values()):
        for each, result in zip(batch, _run_batch(batch, arguments), strict=True):
            path = each.exposure.path
            if isinstance(result, HeliodorError):
                _failed(path, result, failed, arguments)
            else:
                results[path] = result.to_dict()
    if arguments.json:
        errors = {path: {"input": str(path), "error": str(error)} for path, error in failed.items()}
        print_json([{**errors, **results}[path] for path in arguments.files])
    elif len(arguments.files) > 1:
        console().print(f"{len(results)} of {len(arguments.files)} exposures calibrated")
    return next((error.exit_code for error in failed.values()), 0)


def _failed(
    path: Path,
    error: HeliodorError,
    failed: dict[Path, HeliodorError],
    arguments: argparse.Namespace,
) -> None:
    """Note that an exposure failed; that does not stop the others."""
    if len(arguments.files) == 1:
        raise error
    failed[path] = error
    print_error(error)


def _run_batch(batch: list[Plan], arguments: argparse.Namespace) -> list[Result | HeliodorError]:
    from heliodor import joint

    for planned in batch:
        _save_parameters(planned, arguments)
    with _progress(arguments) as observer:
        results = joint.run_all(joint.counted(batch), observer=observer)
    for result in results:
        if not _silent(arguments) and not isinstance(result, HeliodorError):
            show.result(result)
    return results


def _fetch(plans: Iterable[Plan], arguments: argparse.Namespace) -> None:
    """Fetch the reference files of all exposures before the first is begun."""
    from heliodor.references import prefetch

    with _progress(arguments) as observer:
        prefetch.for_plans(plans, observer)


def _silent(arguments: argparse.Namespace) -> bool:
    return bool(arguments.quiet or arguments.json)


def _progress(arguments: argparse.Namespace) -> AbstractContextManager[Observer]:
    return show.progress(enabled=not _silent(arguments) and sys.stderr.isatty())


def _save_parameters(planned: Plan, arguments: argparse.Namespace) -> None:
    from heliodor.savedparameters import save

    if arguments.save_parameters:
        save(planned, arguments.save_parameters)


def _refuse_several(arguments: argparse.Namespace) -> None:
    if arguments.save_parameters and len(arguments.files) > 1:
        raise UsageError("--save-parameters: parameters may depend on the exposure; give one.")


def _refuse_same_products(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        name = product_name(path, "rate")
        if name in seen:
            raise UsageError(
                f"{seen[name]} and {path} have products of the same name ({name}): "
                "calibrate them into folders of their own."
            )
        seen[name] = path


def pair(text: str, form: str) -> tuple[str, str]:
    """Take apart ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"'{text}' is not of the form {form}")
    return name.strip(), value.strip()


def _size(text: str) -> int:
    from heliodor.memory import parse_size

    return parse_size(text)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise UsageError(f"--threads takes a whole number of at least 1, not '{text}'")
    return value
