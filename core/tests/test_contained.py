"""A plugin that fails is named with its version, and everything unrelated still works."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from heliodor import cli, plugins
from heliodor.checks import allows
from heliodor.cli import tables
from heliodor.cli.main import main, parser
from heliodor.declare import Command, Match, ModeSpec, RefNeed, Resource, SelectorSpec, StepSpec
from heliodor.engine import load
from heliodor.errors import PluginError, UsageError
from heliodor.plugins import Registry
from heliodor.references.selectors import Sources, select_all

PLUGIN = 5
WANTED = (RefNeed("gain"),)


@pytest.fixture
def call(monkeypatch):
    """Call the command line with the plugins that are named; gives exit code, output, errors."""

    def call(only: str, *arguments: object) -> SimpleNamespace:
        monkeypatch.setenv("HELIODOR_PLUGINS", only)
        monkeypatch.delenv("HELIODOR_TRACE_HOOKS", raising=False)
        plugins.registry.cache_clear()
        out, err = io.StringIO(), io.StringIO()
        for console in (tables.console, tables.console_err):
            console.cache_clear()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return SimpleNamespace(code=code, out=out.getvalue(), err=" ".join(err.getvalue().split()))

    yield call
    monkeypatch.delenv("HELIODOR_TRACE_HOOKS", raising=False)
    for cached in (plugins.registry, tables.console, tables.console_err):
        cached.cache_clear()


@pytest.fixture
def module(tmp_path, install, monkeypatch):
    """Install a plugin whose module has this text; returns its entry point."""

    def make(text: str, distribution: str = "heliodor-bad") -> object:
        name = f"{distribution.replace('-', '_')}_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return install(distribution, name, version="2.7")

    return make


def exits(*args, **kwargs):
    sys.exit(3)


def raises(*args, **kwargs):
    raise RuntimeError("out of beryllium")


# ------------------------------------------------------------------ declaring


def test_a_plugin_that_wants_to_end_the_process_does_not(plugin, module):
    found = Registry(
        [
            module("import sys\nsys.exit(3)\n"),
            plugin("heliodor-exits", heliodor_steps=exits),
            plugin("heliodor-good", heliodor_modes=[]),
        ]
    )
    assert {str(p): p.error for p in found.failed} == {
        "heliodor-bad==2.7 (bad)": "SystemExit: 3",
        "heliodor-exits==1.0 (exits)": "SystemExit: 3",
    }


@pytest.mark.parametrize(
    "hooks",
    [
        {"heliodor_modes": [ModeSpec("x", "", "X", {"INSTRUME": ("X",)})]},
        {"heliodor_modes": [ModeSpec("x", "", "X", Match({}), ("calwebb_detector1",))]},
        {"heliodor_steps": [StepSpec("x", "n:S", "n:P", "", "S_X", applies=None)]},
    ],
)
def test_a_record_that_would_fail_later_fails_its_plugin_now(plugin, hooks):
    bad = plugin("heliodor-bad", **hooks)
    found = Registry([bad, plugin("heliodor-good")])
    assert [p.distribution for p in found.failed] == ["heliodor-bad"]
    assert "AttributeError" in found.failed[0].error


def test_a_command_of_ours_cannot_be_taken(plugin):
    (failed,) = Registry([plugin("heliodor-x", heliodor_commands=[Command("run", "", "")])]).failed
    assert "the command run is Heliodor's own" in failed.error


def test_our_commands_are_those_there_are(monkeypatch):
    monkeypatch.setenv("HELIODOR_PLUGINS", "")
    plugins.registry.cache_clear()
    (commands,) = (each for each in parser()._actions if each.dest == "command")
    plugins.registry.cache_clear()
    assert tuple(commands.choices) == cli.COMMANDS


# ------------------------------------------------------------------ the core that it asks for


@pytest.mark.parametrize(
    ("asked", "version", "allowed"),
    [
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1.0", "0.1", True),
        (">=0.2", "0.1.9", False),
        ("<0.2", "0.2.0", False),
        ("(>=0.1)", "0.10", True),
        ("~=0.1.2", "0.1.5", True),
        ("~=0.1.2", "0.2.0", False),
        ("==0.1.*", "0.1.7", True),
        ("!=0.1.7", "0.1.7", False),
        (">0.1", "0.1.0", False),
        ("", "0.1.0", True),
    ],
)
def test_versions(asked, version, allowed):
    assert allows(asked, version) is allowed


@pytest.mark.parametrize(
    ("needs", "error"),
    [
        ("heliodor>=0.1", ""),
        ("heliodor>=99.1 ; python_version > '3'", "it asks for heliodor >=99.1, and this is 0."),
        ("Heliodor (>=99.1)", "it asks for heliodor >=99.1, and this is 0."),
        ("heliodor-detector>=99.1", ""),
        ("numpy>=99", ""),
    ],
)
def test_a_plugin_that_asks_for_another_core_is_not_taken(plugin, needs, error):
    point = plugin("heliodor-x", heliodor_modes=[])
    metadata = Path(str(point.dist._path)) / "METADATA"
    metadata.write_text(
        f"{metadata.read_text()}Requires-Dist: {needs}\n\nRequires-Dist: heliodor<0\n"
    )
    (found,) = Registry([point]).plugins
    assert error in found.error
    assert bool(found.error) == bool(error)


# ------------------------------------------------------------------ loading


def test_what_cannot_be_loaded_is_said_to_be_whose(call, module):
    module(
        "from heliodor.declare import StepSpec\nfrom heliodor.hookspecs import hookimpl\n"
        "@hookimpl\ndef heliodor_steps():\n"
        "    return [StepSpec('x', __name__ + ':Gone', __name__ + ':Gone', '', 'S_X')]\n"
    )
    done = call("bad", "step", "x")
    assert done.code == PLUGIN
    assert "heliodor-bad==2.7 (bad): heliodor_bad" in done.err
    assert "cannot be loaded: AttributeError" in done.err
    with pytest.raises(
        PluginError, match=r"no_such_module: no_such_module:X cannot be loaded: Mod"
    ):
        load("no_such_module:X")


class Breaks:
    def __init__(self, sources):
        pass

    select = raises


class Lies(Breaks):
    def select(self, wanted, keywords):
        return {"gain": "gain.fits"}


@pytest.mark.parametrize(
    ("name", "said"),
    [("Breaks", "RuntimeError: out of beryllium"), ("Lies", "TypeError: its answer for gain is")],
)
def test_a_selector_that_fails_is_named(name, said):
    spec = SelectorSpec("shelf", 150, f"{__name__}:{name}")
    with pytest.raises(
        PluginError, match=f"the selector shelf of .*test_contained.* failed: {said}"
    ):
        select_all([spec], WANTED, {}, Sources())


# ------------------------------------------------------------------ commands


def configure(sub):
    sub.add_argument("--wrong", action="store_true")
    sub.set_defaults(run=lambda given: raises() if given.wrong else 0)


def configure_badly(sub):
    raises()


def usage(sub):
    sub.set_defaults(run=lambda given: (_ for _ in ()).throw(UsageError("not so")))


@pytest.fixture
def commands(plugin):
    for name in ("configure", "configure_badly", "usage", "gone"):
        spec = Command(name.replace("_", "-"), "help", f"{__name__}:{name}")
        plugin(f"heliodor-{name.replace('_', '-')}", heliodor_commands=[spec])
    return "configure,configure-badly,usage,gone"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("configure",), 0, ""),
        (("configure", "--wrong"), PLUGIN, "configure of heliodor-configure==1.0 (configure) fail"),
        (("configure-badly",), PLUGIN, "configure-badly of heliodor-configure-badly==1.0"),
        (("gone",), PLUGIN, "gone cannot be loaded: AttributeError"),
        (("usage",), 2, "not so"),
        (("modes",), 0, ""),
    ],
)
def test_a_command_that_fails_is_named_and_the_others_work(call, commands, arguments, code, said):
    done = call(commands, *arguments)
    assert done.code == code
    assert said in done.err


# ------------------------------------------------------------------ documents


@pytest.fixture
def documents(tmp_path, plugin, monkeypatch):
    """Two plugins with a pipeline of one name, one of which cannot be read."""
    for name, text in (
        ("sound", "name: made_up\nfor: {instrument: X}\nsteps: [jump]\n"),
        ("spoilt", "name: made_up\nsteps: [jump\n"),
    ):
        folder = tmp_path / f"with_{name}"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "made_up.yaml").write_text(text)
        plugin(f"heliodor-{name}", heliodor_pipelines=[Resource(f"with_{name}", "made_up.yaml")])
    plugin("heliodor-gone", heliodor_pipelines=[Resource("with_sound", "gone.yaml")])
    monkeypatch.syspath_prepend(tmp_path)


def test_a_document_that_cannot_be_read_is_named_and_the_others_are_listed(call, documents):
    done = call("sound,spoilt,gone", "pipelines", "--json")
    assert done.code == 0
    found = {each["distribution"]: each["for"] for each in json.loads(done.out)}
    assert found["heliodor-sound"] == "INSTRUME is X"
    assert "broken: heliodor-spoilt: made_up.yaml:2: not YAML" in found["heliodor-spoilt"]
    assert "heliodor-gone: its pipeline gone.yaml cannot be read" in found["heliodor-gone"]
    assert call("sound,spoilt,gone", "pipelines").code == PLUGIN
    assert call("sound", "pipelines").code == 0


def test_a_document_that_cannot_be_read_does_not_stop_another_of_its_name(documents, monkeypatch):
    from heliodor.documents.facts import facts
    from heliodor.documents.shipped import _shipped

    mode = ModeSpec("x-a", "", "X", Match({"INSTRUME": ("X",)}), {1: "made_up"})
    found = Registry(only=["sound", "spoilt"])
    monkeypatch.setattr(found, "owner", lambda mode: found.plugins[0])
    known = facts({"INSTRUME": "X"}, stage=1)
    assert _shipped(found, "made_up", mode, known).distribution == "heliodor-sound"
    with pytest.raises(PluginError, match=r"heliodor-spoilt: made_up\.yaml:2: not YAML"):
        _shipped(Registry(only=["spoilt"]), "made_up", mode, known)


# ------------------------------------------------------------------ which plugins, and what they do


def test_a_plugin_that_is_asked_for_and_not_there(call, plugin):
    plugin("heliodor-wanted")
    done = call("wantde", "modes")
    assert done.code == 2
    assert "no plugin 'wantde'. Did you mean 'wanted'?" in done.err


def test_what_will_go_is_told_by_the_list_of_plugins(call, module):
    module(
        "import warnings\nfrom heliodor.hookspecs import hookimpl\n"
        "warnings.warn('heliodor.old goes with 0.3: use new', DeprecationWarning)\n"
        "@hookimpl\ndef heliodor_steps():\n    return []\n"
    )
    done = call("bad", "plugins")
    assert done.code == 0
    assert "heliodor-bad==2.7 (bad): heliodor.old goes with 0.3: use new" in " ".join(
        done.out.split()
    )
    found = json.loads(call("bad", "plugins", "--json").out)
    assert "deprecations" in found[0]


def test_hooks_are_traced(call, plugin):
    plugin("heliodor-x", heliodor_modes=[])
    done = call("x", "modes", "--trace-hooks")
    assert done.code == 0
    assert "hook heliodor_modes of heliodor-x==1.0 (x): 0 records, " in done.err
    assert "hook" not in call("x", "modes").err


def test_events_that_raise_are_told_with_the_version(plugin):
    found = Registry(
        [
            plugin("heliodor-a", run_finished=raises_with_result),
            plugin("heliodor-b", run_finished=exits_with_result),
        ]
    )
    assert sorted(found.notify("run_finished", result=None)) == [
        "heliodor-a==1.0 (a): run_finished: RuntimeError: out of beryllium",
        "heliodor-b==1.0 (b): run_finished: SystemExit: 3",
    ]


def raises_with_result(result):
    raises()


def exits_with_result(result):
    exits()


@pytest.mark.parametrize("arguments", [("--version",), ("new", "--help")])
def test_commands_that_need_no_plugin_declare_none(arguments):
    code = (
        "import sys\nfrom heliodor.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "assert 'heliodor.builtin' not in sys.modules, 'builtin'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
