"""What must not be loaded: libraries that cost a second where a millisecond is enough."""

from __future__ import annotations

import json

import pytest

SAYS_WHAT_IS_LOADED = """
import json, sys
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def loaded(child):
    """Give the packages that are loaded after some code has run in a new process."""

    def loaded(code, *arguments):
        lines = child(code + SAYS_WHAT_IS_LOADED, *arguments).splitlines()
        return set(json.loads(lines[-1]))

    return loaded


def test_a_plan_loads_no_models_and_no_compiler(loaded, small_nircam):
    code = """
import sys
import heliodor
assert heliodor.plan(sys.argv[1], folders=sys.argv[2]).steps
"""
    packages = loaded(code, small_nircam.exposure, small_nircam.references)
    assert "astropy" in packages
    heavy = {"stdatamodels", "asdf", "gwcs", "crds", "numba", "llvmlite", "scipy", "matplotlib"}
    assert not packages & heavy


@pytest.mark.parametrize("command", ["steps", "modes", "pipelines", "plugins", "step jump"])
def test_lists_load_no_arrays_of_data(loaded, command):
    code = f"from heliodor.cli.main import main; assert main({command.split()!r}) == 0"
    assert not loaded(code) & {"astropy", "stdatamodels", "asdf", "numba", "scipy", "matplotlib"}


def test_a_run_loads_neither_models_nor_what_chooses_references(loaded, small_nircam, tmp_path):
    code = """
import sys
import heliodor
done = heliodor.run(sys.argv[1], folders=sys.argv[2], out=sys.argv[3], save=True)
assert set(done.paths) == {"rate", "rateints"}
"""
    arguments = small_nircam.exposure, small_nircam.references, tmp_path
    loaded(code, *arguments)  # the first product of a kind leaves its schema's table
    assert not loaded(code, *arguments) & {"stdatamodels", "asdf", "gwcs", "crds", "matplotlib"}


def test_a_second_process_compiles_nothing(child, small_nircam, tmp_path):
    code = """
import sys
import heliodor
done = heliodor.run(sys.argv[1], folders=sys.argv[2], out=sys.argv[3], save=True)
print(done.compiled.kernels)
"""
    arguments = small_nircam.exposure, small_nircam.references, tmp_path
    child(code, *arguments)
    assert child(code, *arguments).split() == ["0"]


def test_nothing_looks_at_the_network(child, small_nircam, tmp_path):
    code = """
import socket, sys

def refused(*arguments, **options):
    raise AssertionError("a connection was asked for")

socket.socket.connect = refused
socket.create_connection = refused
import heliodor
heliodor.run(sys.argv[1], folders=sys.argv[2], out=sys.argv[3], save=True)
"""
    child(code, small_nircam.exposure, small_nircam.references, tmp_path)
