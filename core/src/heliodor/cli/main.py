"""``heliodor``: parse the command, run it, turn errors into a message and an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from heliodor.errors import HeliodorError, Interrupted, PluginError, UsageError, did_you_mean

if TYPE_CHECKING:
    from heliodor.declare import Command

WITHOUT_PLUGINS = ("new", "picture")
"""Commands that no plugin has a part in."""

EPILOG = """\
exit codes: 0 done; 1 unexpected failure; 2 wrong command, parameter or pipeline; 3 unusable
exposure; 4 reference file missing or unusable; 5 plugin broken or ambiguous; 6 not there yet;
7 product cannot be written; 8 a step failed; 64 exposure abandoned as not usable; 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """Says what is nearest to a wrong command, and never exits by itself.

    Attributes
    ----------
    intermixed : options may stand between the words of a list
    """

    intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with options and words in any order if that is asked for."""
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False  # what follows calls this method again
        return self.parse_known_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with the message and how to get help."""
        raise UsageError(f"{message}\nSee `{self.prog} --help`.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = "command" if isinstance(action, argparse._SubParsersAction) else action.dest
            raise UsageError(did_you_mean(str(value), map(str, action.choices), what))


def parser(chosen: str | None = None) -> Parser:
    """Build the parser, with the commands that plugins add.

    Parameters
    ----------
    chosen : the command that will be run: a plugin's code is loaded for its own command only, and
        plugins are looked for only by commands that need them
    """
    from heliodor.cli import builds, lists, lock, new, parameters, picture, pipeline, refs, run

    top = Parser(
        prog="heliodor",
        description="Calibrate JWST exposures with pipelines assembled from plugins.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def add(name: str, text: str, configure: Callable[[Any], None]) -> None:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(parser=sub)
        sub.add_argument("--json", action="store_true", help="print JSON instead of tables")
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.add_argument("--trace-hooks", action="store_true", help="print each call of a plugin")
        configure(sub)

    add("run", "Calibrate raw exposures.", run.configure_run)
    add("plan", "Show what would be done, without doing it.", run.configure_plan)
    add("refs", "Explain, check or compare the references of exposures.", refs.configure)
    add("lock", "Write down which references exposures are calibrated with.", lock.configure_lock)
    add("sync", "Fetch and verify the references of a lock file.", lock.configure_sync)
    add("picture", "Draw products as PNG pictures.", picture.configure)
    add("steps", "List the calibration steps.", lists.configure_steps)
    add("step", "Explain one step and its parameters.", lists.configure_step)
    add(
        "explain",
        "Explain a parameter: value, meaning, and who set it.",
        parameters.configure_explain,
    )
    add("schema", "Print the JSON Schema of pipelines or of a step.", parameters.configure_schema)
    add("modes", "List the instrument modes.", lists.configure_modes)
    add("pipelines", "List the pipelines, or print one.", lists.configure_pipelines)
    add("pipeline", "Show a pipeline with edits, or what they change.", pipeline.configure)
    add("builds", "List the operational builds, or describe one.", builds.configure_builds)
    add("whatsnew", "List what changed from one build to another.", builds.configure_whatsnew)
    add("new", "Begin a plugin: a package that installs, with a test that passes.", new.configure)
    add("plugins", "List the plugins, with what is wrong with any.", lists.configure_plugins)
    if chosen not in WITHOUT_PLUGINS:
        from heliodor.plugins import registry

        for command in registry().commands.values():
            ready = _configured(command) if command.name == chosen else lambda sub: None
            add(command.name, command.help, ready)
    return top


def _configured(command: Command) -> Callable[[argparse.ArgumentParser], None]:
    """Load the code of a plugin's command; what it raises is said to be the plugin's."""
    from heliodor.engine import load
    from heliodor.plugins import registry

    configure = load(command.impl)
    plugin = registry().owner(command)

    def blamed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(argument: Any) -> Any:
            try:
                return function(argument)
            except (HeliodorError, BrokenPipeError):
                raise
            except Exception as error:
                said = f"{type(error).__name__}: {error}. --debug shows where."
                raise PluginError(f"{command.name} of {plugin} failed: {said}") from error

        return call

    def ready(sub: argparse.ArgumentParser) -> None:
        blamed(configure)(sub)
        sub.set_defaults(run=blamed(sub.get_default("run")))

    return ready


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : arguments without the program's name; those of the process by default

    Returns
    -------
    exit code, see ``heliodor --help``
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        with _terminable():
            return _dispatch(arguments)
    except KeyboardInterrupt:
        return _report(Interrupted("Interrupted. Nothing half-written was left behind."), debug)
    except HeliodorError as error:
        return _report(error, debug)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        said = f"unexpected {type(error).__name__}: {error}. --debug shows where."
        return _report(HeliodorError(said), debug, error)


def _dispatch(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        import heliodor

        print(heliodor.__version__)
        return 0
    if "--trace-hooks" in arguments:
        os.environ["HELIODOR_TRACE_HOOKS"] = "1"
    top = parser(next((word for word in arguments if not word.startswith("-")), None))
    namespace, unknown = top.parse_known_args(arguments)
    if unknown:
        raise UsageError(_not_understood(getattr(namespace, "parser", top), unknown[0]))
    if namespace.version:
        return _dispatch(["--version"])
    if namespace.command is None:
        top.print_help()
        return 2
    return int(namespace.run(namespace) or 0)


def _not_understood(parser: argparse.ArgumentParser, word: str) -> str:
    if not word.startswith("-"):
        return f"{parser.prog} does not take '{word}' here.\nSee `{parser.prog} --help`."
    options = [option for action in parser._actions for option in action.option_strings]
    return did_you_mean(word.partition("=")[0], options, f"option of {parser.prog}")


@contextmanager
def _terminable() -> Iterator[None]:
    """Take SIGTERM as an interruption, as long as the context lasts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _report(error: HeliodorError, debug: bool, cause: Exception | None = None) -> int:
    from heliodor.cli.tables import print_error

    if debug:
        import traceback

        traceback.print_exception(cause or error)
    print_error(error)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
