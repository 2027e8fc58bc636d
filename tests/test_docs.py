"""The documentation is built without a warning, and its links lead somewhere."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = [
    path for path in sorted((ROOT / "docs").rglob("*.md")) if "```pycon\n" in path.read_text()
]
READMES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("*/README.md")),
    *sorted(ROOT.glob("*/*/README.md")),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the documentation."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, ROOT / "docs", out], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return out


def test_every_installed_step_has_a_page_with_its_parameters(built):
    from heliodor.plugins import registry

    pages = {path.stem: path for path in (built / "steps").rglob("*.html")}
    for name in registry().steps:
        text = pages[name].read_text()
        assert "Leave this step out." in text, f"{name}: no table of parameters"
        assert registry().steps[name][0].spec.status in text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_give_what_they_say(path):
    assert doctest.testfile(str(path), module_relative=False).failed == 0


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_readme_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link


def test_the_readme_names_every_member():
    text = (ROOT / "README.md").read_text()
    for project in (*ROOT.glob("core/pyproject.toml"), *ROOT.glob("[pi]*/*/pyproject.toml")):
        assert f"({project.parent.relative_to(ROOT)}/README.md)" in text
