"""`heliodor new` writes packages that work, and `examples/` holds one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from heliodor import receipt
from heliodor.scaffold import KINDS

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "heliodor-destripe"
MATCH = ("--match", "INSTRUME=NIRISS", "--match", "EXP_TYPE=NIS_IMAGE", "--match", "PROGRAM=01234")


def content(folder: Path) -> dict[str, str]:
    """Text of all files in a folder, without what tools leave behind."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any("cache" in part for part in path.parts)
    }


def python(folder: Path, *arguments: object, path: tuple[Path, ...] = ()):
    """Run Python in a folder, with the package in it to be imported."""
    found = os.pathsep.join(map(str, (folder / "src", *path)))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": found, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


@pytest.fixture
def made(cli, tmp_path):
    """Make a package; gives its folder."""

    def make(kind: str, name: str) -> Path:
        more = MATCH if kind == "mode" else ()
        done = cli("new", kind, name, "--out", tmp_path, "--json", *more)
        assert done.code == 0, done.err
        folder = tmp_path / f"heliodor-{name.replace('_', '-')}"
        assert sorted(map(Path, json.loads(done.out))) == sorted(
            folder / n for n in content(folder)
        )
        return folder

    return make


def test_the_example_is_what_would_be_made_today(made):
    assert content(EXAMPLE) == content(made("step", "destripe"))


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass_and_it_is_tidy(made, kind):
    folder = made(kind, "my_own")
    done = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    pytest.importorskip("ruff")
    for command in (["check"], ["format", "--check"]):
        done = python(folder, "-m", "ruff", *command, "--no-cache", ".")
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(made, kind):
    folder = made(kind, "my_own")
    for name, text in content(folder).items():
        assert "@{" not in text, name
        assert not any(word in name for word in ("PACKAGE", "NAME", "DOT")), name
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "heliodor-my-own"
    assert project["entry-points"]["heliodor"] == {"my_own": "heliodor_my_own.plugin"}
    assert all(">=" in text for text in project["dependencies"])
    assert (folder / "docs" / "my_own.md").read_text().startswith("# my_own\n")
    flow = yaml.safe_load((folder / ".github" / "workflows" / "test.yml").read_text())
    assert {"run": "pytest"} in flow["jobs"]["test"]["steps"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("step", "De-stripe"), 2, "'De-stripe' is no name"),
        (("step", "lambda"), 2, "'lambda' is no name"),
        (("stp", "destripe"), 2, "Did you mean 'step'"),
        (("mode", "deep"), 2, "Which exposures are of the mode?"),
        (("mode", "deep", "--match", "INSTRUME"), 2, "is not of the form --match KEYWORD=VALUE"),
    ],
)
def test_what_cannot_be_made(cli, tmp_path, arguments, code, said):
    done = cli("new", *arguments, "--out", tmp_path)
    assert done.code == code
    assert said in " ".join(done.err.split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(cli, made, tmp_path):
    folder = made("step", "mine")
    (folder / "README.md").write_text("Changed.")
    done = cli("new", "step", "mine", "--out", tmp_path)
    assert done.code == 7
    assert "heliodor-mine: is there already" in " ".join(done.err.split())
    assert (folder / "README.md").read_text() == "Changed."


# ------------------------------------------------------------------ the example, as if installed


@pytest.fixture
def installed(tmp_path):
    """What an installation of the example adds to a Python environment."""
    info = tmp_path / "site" / "heliodor_destripe-0.1.0.dist-info"
    info.mkdir(parents=True)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    needs = "".join(f"Requires-Dist: {text}\n" for text in project["dependencies"])
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    )
    points = project["entry-points"]["heliodor"]
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[heliodor]\n{lines}")
    return info.parent


def test_the_example_is_found_placed_and_recorded(installed, small_nircam, tmp_path, monkeypatch):
    monkeypatch.setenv("HELIODOR_PLUGINS", "destripe,detector,nircam")

    def heliodor(*arguments: object):
        done = python(EXAMPLE, "-m", "heliodor.cli.main", *arguments, path=(installed,))
        assert done.returncode == 0, done.stderr
        return done.stdout

    (plugin,) = (p for p in json.loads(heliodor("plugins", "--json")) if p["name"] == "destripe")
    assert (plugin["distribution"], plugin["state"]) == ("heliodor-destripe", "declared")
    assert "Fraction of it that is" in heliodor("step", "destripe")
    page = (EXAMPLE / "docs" / "destripe.md").read_text()
    edits = tmp_path / "my.yaml"
    edits.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    (run,) = json.loads(
        heliodor(
            "run", small_nircam.exposure, "--references", small_nircam.references,
            "--pipeline", edits, "--out", tmp_path / "out", "--json",
        )
    )  # fmt: skip
    found = receipt.read(run["products"]["rate"])
    (step,) = (step for step in found["steps"] if step["name"] == "destripe")
    assert step["implementation"] == "heliodor-destripe 0.1.0"
    assert step["status"] == "COMPLETE"
    assert {p["name"]: p["value"] for p in step["parameters"]}["strength"] == 0.8
    assert found["plugins"]["heliodor-destripe"] == "0.1.0"
