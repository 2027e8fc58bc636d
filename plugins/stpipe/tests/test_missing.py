"""What is said when a foreign step is not there; needs no stpipe."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from heliodor.errors import PluginError, UsageError
from heliodor.plugins import registry


@pytest.fixture
def module(monkeypatch, tmp_path):
    """Put a module on the path; returns nothing."""

    def make(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return make


def resolve(name: str):
    return registry().offers(f"stpipe:{name}")


def test_a_package_that_is_not_installed_is_named_with_what_to_install():
    with pytest.raises(PluginError, match="`pip install nosuchpackage`") as caught:
        resolve("nosuchpackage.steps.CleanStep")
    assert caught.value.exit_code == 5
    assert "stpipe:nosuchpackage.steps.CleanStep" in str(caught.value)


def test_a_package_that_wants_another_names_that(module):
    module("stpipe_test_wants", "import nosuchpackage\n")
    with pytest.raises(PluginError, match=r"stpipe_test_wants.*`pip install nosuchpackage`"):
        resolve("stpipe_test_wants.CleanStep")


def test_a_package_that_cannot_be_imported_is_told_with_its_error(module):
    module("stpipe_test_breaks", "raise RuntimeError('out of beryllium')\n")
    with pytest.raises(PluginError, match="RuntimeError: out of beryllium"):
        resolve("stpipe_test_breaks.CleanStep")


def test_a_module_that_is_not_there():
    with pytest.raises(UsageError, match=r"json has no module json\.steps"):
        resolve("json.steps.CleanStep")


def test_a_class_without_its_module():
    with pytest.raises(UsageError, match=r"write package\.module\.Class"):
        resolve("JumpStep")


def test_without_stpipe_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stpipe", None)
    with pytest.raises(PluginError, match="`pip install stpipe`"):
        resolve("json.JSONEncoder")


def test_declaring_imports_no_foreign_package():
    assert registry().schemes["stpipe"].name == "stpipe"
    assert isinstance(sys.modules["heliodor_stpipe.plugin"], ModuleType)
