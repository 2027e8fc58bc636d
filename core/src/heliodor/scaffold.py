"""Writes packages to begin a plugin with, from templates inside this package."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from heliodor.errors import OutputError, UsageError

KINDS = {
    "step": "a calibration step",
    "selector": "a source of reference files",
    "rule": "an association rule",
    "mode": "an instrument mode",
    "instrument": "an instrument and its modes",
}
"""What a plugin can be begun with."""

DEPENDENCIES = {
    "step": ("numpy>=2.0",),
    "mode": ("heliodor-detector{bounds}",),
    "instrument": ("heliodor-detector{bounds}",),
}

SUMMARIES = {
    "step": "Subtract the median of every row.",
    "selector": "Reference files of a folder of one's own.",
    "rule": "Associations of exposures of one filter.",
    "mode": "An instrument mode and its pipeline.",
    "instrument": "An instrument, its modes and their pipeline.",
}


def write(kind: str, name: str, folder: Path, match: Mapping[str, str] | None = None) -> list[Path]:
    """Write a package that installs, and whose test passes.

    Parameters
    ----------
    kind : one of `KINDS`
    name : of the step, mode ...: lower case, digits, ``_``
    folder : in which the package's own, ``heliodor-NAME``, is made
    match : keywords by which exposures of a mode are recognised

    Returns
    -------
    the files, in order

    Raises
    ------
    heliodor.errors.UsageError
        The name cannot be one, or the keywords of a mode are missing.
    heliodor.errors.OutputError
        There is such a folder, or it cannot be written.
    """
    words = _words(kind, name, dict(match or {}))
    top = folder / words["distribution"]
    if top.exists():
        raise OutputError(f"{top}: is there already; choose another name, or another --out.")
    written = []
    try:
        for source, template in _templates("common", kind):
            place = template
            for token, word in (("PACKAGE", words["package"]), ("NAME", name), ("DOT", ".")):
                place = place.replace(token, word)
            path = top / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(source.read_text("utf-8"), words), "utf-8")
            written.append(path)
    except OSError as error:
        raise OutputError(f"{top}: cannot be written: {error.strerror or error}") from error
    return sorted(written)


def _words(kind: str, name: str, match: Mapping[str, str]) -> dict[str, str]:
    """Give what stands in the place of each ``@{word}``."""
    from heliodor.functions import status_keyword

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(f"'{name}' is no name: it is made of a-z, 0-9 and _, such as destripe.")
    if kind == "mode" and "INSTRUME" not in match:
        raise UsageError(
            "Which exposures are of the mode? Say --match INSTRUME=... --match EXP_TYPE=..."
        )
    major, minor = version("heliodor").split(".")[:2]
    bounds = f">={major}.{minor},<{major}.{int(minor) + 1}"
    instrument = match.get("INSTRUME", name.upper().replace("_", ""))
    dashed = name.replace("_", "-")
    values = ", ".join(f'"{key}": ("{value}",)' for key, value in match.items())
    needed = (text.format(bounds=bounds) for text in DEPENDENCIES.get(kind, ()))
    return {
        "name": name,
        "Name": "".join(part.capitalize() for part in name.split("_")),
        "NAME": name.upper(),
        "Title": name.replace("_", " ").capitalize(),
        "distribution": f"heliodor-{dashed}",
        "package": f"heliodor_{name}",
        "summary": SUMMARIES[kind],
        "status": status_keyword(name),
        "heliodor": f"heliodor{bounds}",
        "dependencies": "".join(f'    "{text}",\n' for text in needed),
        # between the user's folders and CRDS, and not that of another made in the same way
        "rank": str(200 + sum(name.encode()) % 100),
        "instrument": instrument,
        "mode": f"{instrument.lower()}-{dashed}" if kind == "mode" else instrument.lower(),
        "match": f"{{{values}}}",
        "keywords": "\n".join(f"{key} = {value}" for key, value in match.items()),
    }


def _templates(*kinds: str) -> list[tuple[Traversable, str]]:
    found: list[tuple[Traversable, str]] = []

    def look(folder: Traversable, place: str) -> None:
        for each in folder.iterdir():
            if each.is_dir():
                look(each, f"{place}{each.name}/")
            elif each.name.endswith(".in"):
                found.append((each, f"{place}{each.name.removesuffix('.in')}"))

    for kind in kinds:
        look(files("heliodor") / "templates" / kind, "")
    return found


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"@\{(\w+)\}", lambda found: words[found[1]], text)
