"""Steps in files and modules: found, loaded, refused."""

from __future__ import annotations

import hashlib
import sys

import pytest
from heliodor import stepfiles
from heliodor.declare import Match, Phase, RefNeed, StepSpec
from heliodor.engine import load
from heliodor.errors import PipelineError, PluginError, UsageError
from heliodor.plugins import Registry
from heliodor.stepfiles import declared, find, is_code

DESTRIPE = '''
"""Steps of mine."""
from heliodor.step import step

@step(looks="frame", writes="data", when={"instrument": "NIRCAM", "ngroups": {"ge": 3}})
def destripe(data, *, strength: float = FACTOR):
    """Subtract."""
    return data - strength

def plain(data, dq):
    data += 1

def _private(data):
    pass

NUMBER = 5
'''


@pytest.fixture
def file(tmp_path):
    """Write a file of steps."""

    def write(text: str = DESTRIPE, name: str = "my_steps.py", factor: float = 1.0):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("FACTOR", str(factor)))
        return path

    return write


@pytest.fixture
def plugins(plugin):
    """Plugins with one step, which needs a reference type."""
    spec = StepSpec(
        "bias", "n:S", "n:P", "", "S_BIAS",
        refs=(RefNeed("superbias", keys=("DETECTOR", "READPATT"), header="R_SUPERB"),),
    )  # fmt: skip
    return Registry([plugin("heliodor-x", heliodor_steps=[spec])])


def test_what_is_a_file_or_module():
    names = ("my_steps.py:f", "/a b/my.py:f", "package.module", "package.module:f", "jump")
    assert [is_code(name) for name in names] == [True, True, True, True, False]


def test_a_step_is_found_with_its_hash(file, plugins):
    path = file()
    offer = find(f"{path}:destripe", plugins)
    assert offer.spec.name == "destripe"
    assert offer.spec.status == "S_DESTRI"
    assert load(offer.spec.params)().strength == 1.0
    assert load(offer.spec.impl).__doc__ == "Subtract."
    assert str(offer.plugin) == offer.plugin.distribution == "my_steps.py"
    assert offer.plugin.version == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert offer.when.describe() == "INSTRUME is NIRCAM and NGROUPS >= 3"
    assert "my_steps" not in sys.modules


def test_a_function_without_mark(file, plugins):
    offer = find(f"{file()}:plain", plugins)
    assert offer.spec.takes == "image"
    assert offer.spec.phases == (Phase("run", "exposure", ("data", "dq")),)
    assert offer.when.evaluate({}) is True


def test_a_file_that_has_changed_is_read_anew_and_what_was_found_before_stays(file, plugins):
    step = f"{file()}:destripe"
    before = find(step, plugins)
    assert find(step, plugins) == before
    file(factor=7)
    after = find(step, plugins)
    assert load(after.spec.params)().strength == 7.0
    assert load(before.spec.params)().strength == 1.0


def test_files_of_one_name_are_two(file, plugins):
    here, there = file(factor=2), file(name="other/my_steps.py", factor=2)
    assert here.read_bytes() == there.read_bytes()
    first, second = (find(f"{path}:destripe", plugins) for path in (here, there))
    assert first.spec.impl != second.spec.impl


def test_it_may_do_for_a_ramp_or_a_product(file, plugins):
    step = f"{file()}:destripe"
    assert find(step, plugins, ramp=True).spec.takes == "ramp"
    assert find(step, plugins, ramp=False).spec.takes == "image"


# ------------------------------------------------------------------ what is refused


def test_a_file_or_function_that_is_not_there(file, plugins, tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.py: cannot be read: No such file"):
        find(f"{tmp_path}/nothing.py:f", plugins)
    with pytest.raises(UsageError, match=r"Did you mean 'destripe'\? Allowed: destripe, plain"):
        find(f"{file()}:destrip", plugins)
    with pytest.raises(PluginError, match=r"my_steps\.py: 5 is neither a function nor a class"):
        find(f"{file()}:NUMBER", plugins)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n\ndef f(data:\n    pass\n", r"^my_steps\.py:3: SyntaxError: "),
        ("x = 1\ny = x + z\n", r"^my_steps\.py:2: NameError: name 'z'"),
        ("import json\n\njson.loads('{')\n", r"^my_steps\.py:3: JSONDecodeError: "),
        ("import nothing_of_that_name\n", r"^my_steps\.py:1: ModuleNotFoundError: "),
        ("import sys\nsys.exit(3)\n", r"^my_steps\.py:2: SystemExit: 3"),
        ("\0", r"^my_steps\.py:?\d*: \w+: source code string cannot contain null bytes"),
        (
            "from heliodor.step import step\n\n@step(looks='frmae')\ndef f(data): pass\n",
            r"^my_steps\.py:3: f: There is no look 'frmae'",
        ),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(file, plugins, text, said):
    path = file(text)
    with pytest.raises(PluginError, match=said):
        find(f"{path}:f", plugins)
    assert not [name for name in sys.modules if "my_steps" in name and not path.exists()]
    file("def f(data): pass\n")
    assert find(f"{path}:f", plugins).spec.name == "f"


def test_a_file_may_be_interrupted(file, plugins):
    with pytest.raises(KeyboardInterrupt):
        find(f"{file('raise KeyboardInterrupt')}:f", plugins)


def test_a_condition_that_cannot_be_asked_is_named_with_its_line(file, plugins):
    text = (
        "from heliodor.step import step\n\n@step(when={'ngroups': {'gee': 3}})\ndef f(data): pass\n"
    )
    with pytest.raises(PipelineError, match=r"^my_steps\.py:3: There is no relation 'gee'"):
        find(f"{file(text)}:f", plugins)


# ------------------------------------------------------------------ references


def test_a_reference_of_other_steps_is_looked_for_as_they_do(file, plugins):
    offer = find(f"{file('def f(data, superbias): pass')}:f", plugins)
    (need,) = offer.spec.refs
    assert (need.type, need.keys, need.keyword) == (
        "superbias", ("DETECTOR", "READPATT"), "R_SUPERB"
    )  # fmt: skip


def test_a_reference_of_its_own_is_declared(file, plugins):
    text = "def f(data, wisp): pass"
    with pytest.raises(PluginError, match=r"no plane or reference type 'wisp'.*references='wisp'"):
        find(f"{file(text)}:f", plugins)
    with pytest.raises(PluginError, match="Did you mean 'data'"):
        find(f"{file('def f(daata): pass')}:f", plugins)
    mark = "from heliodor.step import step\n@step(references='wisp')\n"
    assert find(f"{file(mark + text)}:f", plugins).spec.refs == (RefNeed("wisp"),)


# ------------------------------------------------------------------ classes and modules

CLASS = '''
from heliodor.declare import Match, Note, Phase
from heliodor.params import Params, parameter
from heliodor.step import Step

class LevelParams(Params):
    factor: float = parameter(1.0, "Factor.")

class Level(Step[LevelParams]):
    """Subtract the level of every integration."""

    Params = LevelParams
    phases = (
        Phase("measure", looks="frames", notes=(Note("level", "i"),)),
        Phase("subtract", looks="ramp", writes=("data",)),
    )
    applies = Match({"INSTRUME": ("NIRCAM",)})
    status = "S_LEVEL"

    def measure(self, ramp, piece):
        self.notes.level[piece.integration] = ramp.data[piece.integration].mean()

    def subtract(self, ramp, piece):
        index = (piece.integration, slice(None), piece.rows)
        ramp.data[index] -= self.notes.level[piece.integration] * self.params.factor
'''


def test_a_class_declares_by_its_attributes(file, plugins):
    import numpy as np
    from heliodor.testing import check_pieces, make_ramp

    spec = find(f"{file(CLASS)}:Level", plugins).spec
    assert (spec.name, spec.status) == ("Level", "S_LEVEL")
    assert spec.summary == "Subtract the level of every integration."
    assert spec.applies == Match({"INSTRUME": ("NIRCAM",)})
    assert [phase.name for phase in spec.phases] == ["measure", "subtract"]
    assert spec.prepare_reads == StepSpec("", "", "", "", "").prepare_reads
    data = np.full((2, 3, 70, 4), 5.0)
    changed, _ = check_pieces(spec, make_ramp(data), factor=2)
    assert (changed.data == -5).all()


def test_a_class_that_lacks_a_phase(file, plugins):
    path = file(CLASS.replace("def subtract", "def subtrcat"))
    with pytest.raises(PluginError, match="Level: its phase subtract is not a method"):
        find(f"{path}:Level", plugins)


@pytest.fixture
def package(file, monkeypatch):
    path = file("def joint(data): pass\ndef f(data): pass\n", "my_package/joint.py")
    (path.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(path.parents[1])
    yield path
    for name in ("my_package", "my_package.joint"):
        sys.modules.pop(name, None)


def test_a_step_in_a_module(package, plugins):
    offer = find("my_package.joint:f", plugins)
    assert offer.spec.impl == "my_package.joint:f.Step"
    assert find("my_package.joint", plugins).spec.name == "joint"
    assert str(offer.plugin) == "my_package.joint"
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    assert offer.plugin.version == f"sha256:{sha256}"


def test_a_module_of_an_installed_package_has_its_version(plugins):
    code = stepfiles._module("numpy.linalg")[1]
    import numpy as np

    assert code.distribution == "numpy"
    assert code.version.startswith(f"{np.__version__} sha256:")


def test_a_module_that_is_not_there_or_fails(package, plugins, file):
    with pytest.raises(UsageError, match="there is no module 'no_such_package' installed"):
        find("no_such_package.steps:f", plugins)
    with pytest.raises(UsageError, match=r"no module 'my_package\.other' installed"):
        find("my_package.other:f", plugins)
    package.write_text("import no_such_thing\n")
    with pytest.raises(PluginError, match=r"my_package\.joint: ModuleNotFoundError: .*no_such_thi"):
        find("my_package.joint:f", plugins)
    package.write_text("1 / 0\n")
    with pytest.raises(PluginError, match=r"my_package\.joint: ZeroDivisionError"):
        find("my_package.joint:f", plugins)


def test_what_has_a_declaration():
    spec = StepSpec("bias", "n:S", "n:P", "", "S_BIAS")
    assert declared(spec) is spec
    with pytest.raises(PluginError, match="5 is neither"):
        declared(5)
