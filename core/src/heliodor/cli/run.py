"""``heliodor run`` and ``heliodor plan``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.cli import show
from heliodor.cli.tables import console, print_error, print_json
from heliodor.errors import HeliodorError, UsageError
from heliodor.products.names import product_name

if TYPE_CHECKING:
    from heliodor.plans import Request


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
    parser.set_defaults(run=_plan, out=Path(), threads=None, scratch=None)


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="raw exposures (_uncal.fits)"
    )
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
        "--skip", action="append", default=[], metavar="STEP", help="leave out a step"
    )
    parser.add_argument(
        "--max-memory",
        type=_size,
        metavar="SIZE",
        help="memory the process may take, such as 1.5G (1G = 1e9 bytes, 1Gi = 2**30): "
        "what is larger is worked on in files",
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
    }
    if arguments.threads:
        given["threads"] = arguments.threads
    return Request(**given)


def _plan(arguments: argparse.Namespace) -> int:
    from heliodor.planning import plan

    wanted = request(arguments)
    plans = [plan(path, wanted) for path in arguments.files]
    if arguments.json:
        print_json([each.to_dict() for each in plans])
    else:
        for each in plans:
            show.plan(each)
    return 4 if any(each.missing for each in plans) else 0


def _run(arguments: argparse.Namespace) -> int:
    wanted = request(arguments)
    _refuse_same_products(arguments.files)
    results: list[dict[str, Any]] = []
    code = 0
    for path in arguments.files:
        try:
            results.append(_run_one(path, wanted, arguments))
        except HeliodorError as error:
            # one exposure that fails does not stop the others
            if len(arguments.files) == 1:
                raise
            code = code or error.exit_code
            results.append({"input": str(path), "error": str(error)})
            print_error(error)
    if arguments.json:
        print_json(results)
    elif len(results) > 1:
        failed = sum("error" in each for each in results)
        console().print(f"{len(results) - failed} of {len(results)} exposures calibrated")
    return code


def _run_one(path: Path, wanted: Request, arguments: argparse.Namespace) -> dict[str, Any]:
    from heliodor.planning import plan
    from heliodor.running import run

    planned = plan(path, wanted)
    silent = arguments.quiet or arguments.json
    with show.progress(enabled=not silent and sys.stderr.isatty()) as observer:
        result = run(planned, save=True, observer=observer)
    if not silent:
        show.result(result)
    return result.to_dict()


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
