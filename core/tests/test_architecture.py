"""Who may import whom, and what the core may not know; read from the sources of all members."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTRUMENTS = ("NIRCAM", "NIRISS", "MIRI", "NIRSPEC", "FGS")
HEAVY = ("numpy", "numba", "pydantic", "astropy", "stdatamodels", "scipy", "matplotlib", "asdf")
KERNELS_MAY_IMPORT = {
    "__future__", "functools", "math", "typing", "numpy", "numba", "heliodor.kernels",
    "heliodor.bits",
}  # fmt: skip
DISTRIBUTION = {"yaml": "pyyaml"}
"""Distributions whose name is not that of their module."""


@dataclass(frozen=True)
class Member:
    """One distribution of the workspace."""

    folder: Path

    @property
    def kind(self) -> str:
        """``core``, ``plugins`` or ``instruments``."""
        return self.folder.relative_to(ROOT).parts[0]

    @property
    def package(self) -> str:
        (package,) = (path.name for path in (self.folder / "src").iterdir() if path.is_dir())
        return package

    @property
    def sources(self) -> list[Path]:
        return sorted((self.folder / "src").rglob("*.py"))

    @property
    def project(self) -> dict:
        return tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]

    def __str__(self) -> str:
        return str(self.folder.relative_to(ROOT))


MEMBERS = [
    Member(path.parent)
    for path in sorted(ROOT.glob("*/**/pyproject.toml"))
    if path.relative_to(ROOT).parts[0] in ("core", "plugins", "instruments")
    and (path.parent / "src").is_dir()
]
SOURCES = [(member, path) for member in MEMBERS for path in member.sources]
every_member = pytest.mark.parametrize("member", MEMBERS, ids=str)


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            yield node.module


def imported_packages(member: Member) -> set[str]:
    return {name.partition(".")[0] for path in member.sources for name in imports(path)}


def packages(*kinds: str) -> set[str]:
    return {member.package for member in MEMBERS if member.kind in kinds}


def test_all_members_are_seen():
    assert {member.kind for member in MEMBERS} == {"core", "plugins", "instruments"}
    assert {"heliodor", "heliodor_detector", "heliodor_nircam"} <= {m.package for m in MEMBERS}


@every_member
def test_arrows_point_one_way(member):
    may_not = {
        "core": packages("plugins", "instruments"),
        "plugins": packages("instruments"),
        "instruments": packages("instruments") - {member.package},
    }[member.kind]
    assert not imported_packages(member) & may_not


@every_member
def test_what_is_imported_is_a_declared_dependency(member):
    project = member.project
    extras = project.get("optional-dependencies", {}).values()
    declared = {
        re.split(r"[^\w.-]", text)[0].lower().replace("-", "_")
        for text in (*project["dependencies"], *(text for extra in extras for text in extra))
    }
    foreign = imported_packages(member) - set(sys.stdlib_module_names) - {member.package}
    assert {DISTRIBUTION.get(name, name).lower() for name in foreign} <= declared


@every_member
def test_a_member_names_its_siblings_with_bounds(member):
    for text in member.project["dependencies"]:
        if text.startswith("heliodor"):
            assert re.fullmatch(r"heliodor[a-z-]*>=0\.1,<0\.2", text)


@every_member
def test_a_member_has_one_entry_point_and_a_page_about_itself(member):
    (module,) = member.project["entry-points"]["heliodor"].values()
    assert module.startswith(f"{member.package}.")
    assert (member.folder / "README.md").read_text().startswith(f"# {member.project['name']}\n")


def test_types_are_checked_across_members():
    """What mypy does not find is of any type to it, and it says nothing."""
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert set(mypy["mypy_path"]) == {f"{member}/src" for member in MEMBERS}


# ------------------------------------------------------------------ the core knows no instrument


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Names and texts of a file, without comments and docstrings."""
    tree = ast.parse(path.read_text())
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value
        for name in ("id", "attr", "arg", "name", "module"):
            if isinstance(getattr(node, name, None), str):
                yield getattr(node, "lineno", 0), getattr(node, name)


@pytest.mark.parametrize(
    "path", [p for m, p in SOURCES if m.kind == "core"], ids=lambda path: path.stem
)
def test_the_core_knows_no_instrument(path):
    known = re.compile(rf"(?<![a-z])({'|'.join(INSTRUMENTS)})(?![a-z])", re.IGNORECASE)
    found = [f"{path.name}:{line}: {text}" for line, text in words(path) if known.search(text)]
    assert not found


def test_words_leaves_out_what_is_only_said(tmp_path):
    path = tmp_path / "example.py"
    path.write_text(
        '"""NIRCAM."""\n# MIRI\ndef f(x):\n    """FGS."""\n    return x.miri == "NIRISS"\n'
        'VALUE = 1\n"""NIRSPEC."""\n'
    )
    assert {text for _, text in words(path)} >= {"miri", "NIRISS"}
    assert not {text for _, text in words(path)} & {"NIRCAM.", "FGS.", "NIRSPEC."}


# ------------------------------------------------------------------ kernels know arrays only


def is_kernel_file(path: Path) -> bool:
    return path.stem == "kernel" or path.stem.endswith("_kernel")


KERNEL_FILES = [path for _, path in SOURCES if is_kernel_file(path)]


@pytest.mark.parametrize("path", KERNEL_FILES, ids=lambda path: path.parent.name)
def test_kernels_know_arrays_only(path):
    todo, seen = [path], set()
    while todo:  # with the helpers that they import, which may do no more
        each = todo.pop()
        seen.add(each)
        for name in imports(each):
            if name in KERNELS_MAY_IMPORT:
                continue
            beside = [p for _, p in SOURCES if ".".join(p.with_suffix("").parts).endswith(name)]
            assert beside, f"{each.name} imports {name}"
            todo += set(beside) - seen


@pytest.mark.parametrize(("member", "path"), SOURCES, ids=lambda value: Path(str(value)).stem)
def test_compiled_functions_do_not_call_themselves(member, path):
    """Numba loads a recursive function from its cache without its own address, and aborts."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef) or not function.decorator_list:
            continue
        marks = {ast.unparse(mark).partition("(")[0] for mark in function.decorator_list}
        called = {
            ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)
        }
        assert not (marks & {"kernel", "helper"} and function.name in called), function.name


def test_there_are_kernels():
    assert KERNEL_FILES


# ------------------------------------------------------------------ what an import costs


def loaded(code: str) -> set[str]:
    """Top-level packages that are loaded after `code` has run in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_heliodor_loads_nothing_heavy():
    assert not loaded("import heliodor") & set(HEAVY)


def test_declaring_all_plugins_loads_nothing_heavy():
    code = "from heliodor.plugins import registry; assert registry().plugins"
    assert not loaded(code) & set(HEAVY)


@every_member
def test_files_are_short_enough_to_read(member):
    lines = {path.name: path.read_text().count("\n") for path in member.sources}
    assert not {name: count for name, count in lines.items() if count > 500}
