"""Compare the choice of reference files with the client of CRDS, and time both, side by side.

    python tools/selection.py --mappings DIR [--headers N] [--context NAME]
    python tools/selection.py --mappings DIR --time

DIR is a folder of mappings: a context (.pmap) and all it names.  Headers are made of the values in
the rules themselves: those of each row, and then some wrong, missing, or in another form.  For each
header all types of its instrument are asked of `heliodor_crds` and of `crds.getreferences`.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Keywords = dict[str, Any]

ODD = (
    "WRONG", "N/A", "ANY", "*", "GENERIC", "UNDEFINED", "", " ", "NOT APPLICABLE", "NOT FULL", "T",
    "F", True, False, 0, 1, 12, 12.0, "12", "0012", "1.2E1", "-2147483648.0", "4294967295.0",
    "FULL|SUB64", "{FULL}", "(FULL)", "BETWEEN 1 2", "not full", "#A OR B#",
)  # fmt: skip
DATES = (
    "1999-12-31", "2014-01-01", "2015-10-01", "2022-07-12", "2099-01-01", "2022/07/12",
    "07/12/2022", "12/07/22", "Jul 12 2022", "2022-13-01", "soon", "N/A", "",
)  # fmt: skip
TIMES = (
    "00:00:00", "00:00:01", "23:59:59.999", "01:02:03.123456", "12:30", "1:2:3 pm", "25:00:00",
    "N/A", "", 5,
)  # fmt: skip
COMMON = ("2022-07-12", "01:02:03.456")


def main() -> int:
    """Compare, or time; 1 if any choice differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mappings", type=Path, required=True)
    parser.add_argument("--context", help="name of the .pmap file (default: the only one there)")
    parser.add_argument("--headers", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time", action="store_true", help="time instead of comparing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        context = cache(Path(folder), arguments.mappings.resolve(), arguments.context)
        if arguments.time:
            timing(Path(folder), arguments.mappings, context)
            return 0
        jobs = list(headers(arguments.mappings, context, arguments.headers, arguments.seed))
        differing, counts = compared(jobs, Path(folder), context)
    for line in differing[:50]:
        print(line)
    print(f"{len(jobs)} headers, {sum(counts.values())} choices: {dict(counts)}")
    print(f"{len(differing)} differ")
    return 1 if differing else 0


# ------------------------------------------------------------------ the cache that both look into


def cache(folder: Path, mappings: Path, context: str | None = None) -> str:
    """Make a cache of these mappings, with an empty file for each reference they name."""
    names = sorted(path.name for path in mappings.glob("*.pmap"))
    context = context or names[0]
    for sub in ("mappings", "config/jwst"):
        (folder / sub).mkdir(parents=True)
    (folder / "mappings/jwst").symlink_to(mappings)
    (folder / "config/jwst/ref_cache_subdir_mode").write_text("instrument")
    info = {
        "observatory": "jwst", "latest_context": context, "operational_context": context,
        "connected": False, "force_remote_mode": False, "status": "cache", "bad_files": [],
        "bad_files_list": [], "last_synced": "", "crds_version": {"str": "14.0.3"},
    }  # fmt: skip
    (folder / "config/jwst/server_config").write_text(repr(info))
    for instrument, _, path in every_rule(mappings, context):
        place = folder / "references/jwst" / instrument.lower()
        place.mkdir(parents=True, exist_ok=True)
        for node in ast.walk(selector(path)):
            if isinstance(node, ast.Constant) and "." in str(node.value):
                name = str(node.value)
                if name.startswith("jwst_"):
                    (place / name).touch()
    return context


def environment(folder: Path) -> dict[str, str]:
    """Settings under which both choose from a cache, without any network."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("CRDS_")}
    return plain | {
        "CRDS_PATH": str(folder),
        "CRDS_SERVER_URL": "https://jwst-serverless.stsci.edu",
        "XDG_CACHE_HOME": str(folder / "user"),
    }


def selector(path: Path) -> ast.expr:
    """Give the selector of a mapping, not evaluated."""
    tree = ast.parse(path.read_text()).body
    assigned = [node for node in tree if isinstance(node, ast.Assign)]
    return next(node.value for node in assigned if ast.unparse(node.targets[0]) == "selector")


def header(path: Path) -> dict[str, Any]:
    """Give the header of a mapping."""
    return dict(ast.literal_eval(ast.parse(path.read_text()).body[0].value))  # type: ignore


def every_rule(mappings: Path, context: str) -> Iterator[tuple[str, str, Path]]:
    """Name instrument, type and file of all rules of a context."""
    for instrument, name in ast.literal_eval(selector(mappings / context)).items():
        if not name.endswith(".imap"):
            continue
        for type, rules in ast.literal_eval(selector(mappings / name)).items():
            if rules.endswith(".rmap"):
                yield instrument, type.lower(), mappings / rules


# ------------------------------------------------------------------ headers


def headers(mappings: Path, context: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Make headers from the rows of all rules in turn, and types to ask for.

    Yields
    ------
    keywords : of the exposure
    types : all of the instrument, and one that is not there
    """
    from heliodor_crds.keywords import KEYWORDS

    luck = random.Random(seed)
    rows: list[tuple[str, dict[str, str]]] = []
    pools: dict[tuple[str, str], set[str]] = {}
    types: dict[str, list[str]] = {}
    days: dict[str, list[str]] = {}
    for instrument, type, path in every_rule(mappings, context):
        types.setdefault(instrument, [type, "nonsense"]).append(type)
        days.setdefault(instrument, [])
        names = header(path)["parkey"][0]
        for key, dates in _rows(selector(path)):
            values = dict(zip(names, key if isinstance(key, tuple) else (key,), strict=False))
            rows.append((instrument, values))
            days[instrument] += dates
            for name, value in values.items():
                pools.setdefault((instrument, name), set()).update(str(value).split("|"))
    for instrument, name in ast.literal_eval(selector(mappings / context)).items():
        if instrument in types:
            every = ast.literal_eval(selector(mappings / name))
            types[instrument] = ["nonsense", *map(str.lower, every)]
    names_of = {instrument: sorted(n for i, n in pools if i == instrument) for instrument in types}
    chosen = {key: sorted(values) for key, values in pools.items()}
    for number in range(count):
        instrument, row = rows[number] if number < len(rows) else luck.choice(rows)
        keywords: Keywords = {"INSTRUME": instrument}
        for name in names_of[instrument]:
            values = str(row.get(name, "ANY")).split("|")
            value = luck.choice(values).strip()
            if value in ("ANY", "N/A", "*"):
                value = luck.choice(chosen[instrument, name])
            keywords[KEYWORDS[name]] = value
        keywords["DATE-OBS"], keywords["TIME-OBS"] = COMMON
        _perturb(keywords, days[instrument], luck)
        yield {"keywords": keywords, "types": types[instrument]}


def _rows(node: ast.expr) -> Iterator[tuple[Any, list[str]]]:
    """Give keys and dates of the rows of a selector."""
    assert isinstance(node, ast.Call)
    table = node.args[0]
    assert isinstance(table, ast.Dict)
    for key, value in zip(table.keys, table.values, strict=True):
        assert key is not None
        dates = value.args[0].keys if isinstance(value, ast.Call) else []  # type: ignore
        yield ast.literal_eval(key), [ast.literal_eval(date) for date in dates]


def _perturb(keywords: Keywords, days: list[str], luck: random.Random) -> None:
    """Change some of a header: half of them not at all, some in several ways."""
    for _ in range(luck.choice((0, 0, 1, 1, 2, 4))):
        name = luck.choice([*keywords])
        match luck.choice(("odd", "absent", "lower", "day", "any day", "time", "spaces")):
            case "odd" if name != "INSTRUME" or luck.random() < 0.1:
                keywords[name] = luck.choice(ODD)
            case "absent" if name != "INSTRUME" or luck.random() < 0.1:
                del keywords[name]
            case "lower":
                keywords[name] = str(keywords[name]).lower()
            case "spaces":
                keywords[name] = f" {keywords[name]}  "
            case "day" if days:
                day, _, clock = luck.choice(days).partition(" ")
                before = luck.random() < 0.5 and clock[-1:] not in ("", "0")
                keywords["DATE-OBS"] = day
                keywords["TIME-OBS"] = f"{clock[:-1]}{int(clock[-1]) - 1}" if before else clock
            case "any day":
                keywords["DATE-OBS"] = luck.choice(DATES)
            case "time":
                keywords["TIME-OBS"] = luck.choice(TIMES)


# ------------------------------------------------------------------ both sides


def compared(
    jobs: list[dict[str, Any]], folder: Path, context: str
) -> tuple[list[str], Counter[str]]:
    """Let both choose; give what differs, and how often there was what."""
    theirs = client(jobs, folder, context)
    differing: list[str] = []
    counts: Counter[str] = Counter()
    for job, their in zip(jobs, theirs, strict=True):
        for type, our in ours(job, folder, context).items():
            counts[our if our in ("N/A", "unknown") else "file"] += 1
            if our != their[type]:
                differing.append(f"{type}: {our}, not {their[type]}, for {job['keywords']}")
    return differing, counts


def ours(job: dict[str, Any], folder: Path, context: str) -> dict[str, str]:
    """Choose with `heliodor_crds`: a file's name, ``N/A`` or ``unknown`` for each type."""
    from unittest import mock

    from heliodor.declare import RefNeed
    from heliodor.references.selectors import Found, NotApplicable, Sources
    from heliodor_crds.selector import Crds

    needs = tuple(RefNeed(type) for type in job["types"])
    with mock.patch.dict(os.environ, environment(folder), clear=True):
        answers = Crds(Sources(context=context)).select(needs, job["keywords"])
    kinds = {type: isinstance(each, NotApplicable) for type, each in answers.items()}
    return {
        type: each.path.name if isinstance(each, Found) else "N/A" if kinds[type] else "unknown"
        for type, each in answers.items()
    }


def client(jobs: list[dict[str, Any]], folder: Path, context: str) -> list[dict[str, str]]:
    """Let the client of CRDS choose, in a process of its own: it reads its settings at import."""
    done = subprocess.run(
        [sys.executable, __file__, "--as-client", context],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env=environment(folder),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return list(json.loads(done.stdout))


def as_client(context: str) -> None:
    """Choose for the headers on standard input, with every type asked by itself now and then."""
    import crds
    from crds.core import heavy_client
    from heliodor_crds.keywords import KEYWORDS

    names = {keyword: name.lower() for name, keyword in KEYWORDS.items()}
    answers = []
    for number, job in enumerate(json.load(sys.stdin)):
        # as jwst asks: by the names of data models; every other time by keywords
        given = job["keywords"]
        given = given if number % 2 else {names[name]: value for name, value in given.items()}
        answer = {type: "N/A" for type in job["types"]}  # a type that is left out has no answer
        try:
            found = heavy_client.getrecommendations(
                given, reftypes=job["types"], context=context, observatory="jwst", fast=True
            )
            answer |= {type: _answer(said) for type, said in found.items()}
            if number % 20 == 0:
                for type in job["types"]:
                    answer[type] = _asked(crds.getreferences, given, type, context)
        except crds.CrdsError:
            answer = {type: "unknown" for type in job["types"]}
        answers.append(answer)
    json.dump(answers, sys.stdout)


def _asked(getreferences: Any, given: Keywords, type: str, context: str) -> str:
    from crds import CrdsLookupError

    try:
        said = getreferences(given, [type], context=context, observatory="jwst")
    except (CrdsLookupError, TypeError):  # it fails on equally good rows without dates
        return "unknown"
    return _answer(said[type]) if type in said else "N/A"


def _answer(said: Any) -> str:
    """Put an answer of the client into our words; for equally good rows it may be a tuple."""
    if not isinstance(said, str):
        return "unknown"
    if said.startswith("NOT FOUND"):
        return "N/A" if said == "NOT FOUND n/a" else "unknown"
    return "N/A" if said == "N/A" else Path(said).name


# ------------------------------------------------------------------ speed

OURS = """
import json, sys, time
begun = time.perf_counter()
from heliodor.declare import RefNeed
from heliodor.references.selectors import Sources
imported = time.perf_counter()
from heliodor_crds.selector import Crds
job = json.load(open(sys.argv[1]))
needs = tuple(RefNeed(type) for type in job["types"])
def choose():
    return Crds(Sources(context=sys.argv[2])).select(needs, job["keywords"])
"""
THEIRS = """
import json, sys, time
begun = imported = time.perf_counter()
import crds
job = json.load(open(sys.argv[1]))
def choose():
    return crds.getreferences(job["keywords"], job["types"], sys.argv[2], observatory="jwst")
"""
TIMED = """
first = time.perf_counter()
choose()
cold = time.perf_counter()
for _ in range(20):
    choose()
print(cold - imported, cold - first, (time.perf_counter() - cold) / 20, len(job["types"]))
"""


def timing(folder: Path, mappings: Path, context: str) -> None:
    """Print how long it takes to choose all references of an exposure."""
    jobs = [job for job in headers(mappings, context, 6000, 1) if job["keywords"].get("INSTRUME")]
    print(f"{'instrument':10} {'types':>5}  {'':28} {'crds':>8} {'heliodor':>8}   [ms]")
    for instrument in ("FGS", "MIRI", "NIRCAM", "NIRISS", "NIRSPEC"):
        job = next(job for job in jobs if job["keywords"]["INSTRUME"] == instrument)
        good = {
            type for type, said in client([job], folder, context)[0].items() if said != "unknown"
        }
        job = {**job, "types": sorted(good)}
        path = folder / "job.json"
        path.write_text(json.dumps(job))
        figures = {}
        for name, code in (("crds", THEIRS), ("heliodor", OURS), ("again", OURS)):
            done = subprocess.run(
                [sys.executable, "-c", code + TIMED, str(path), context],
                capture_output=True, text=True, env=environment(folder), check=True,
            )  # fmt: skip
            figures[name] = [1e3 * float(word) for word in done.stdout.split()[-4:]]
        for line, text in enumerate(("new process, with its import", "first time", "again")):
            label = (instrument, len(good)) if line == 0 else ("", "")
            print(f"{label[0]:10} {label[1]:>5}  {text:28} "
                  f"{figures['crds'][line]:8.1f} {figures['heliodor'][line]:8.1f}")  # fmt: skip
        print(f"{'':10} {'':>5}  {'new process, parsed form kept':28} {figures['crds'][0]:8.1f} "
              f"{figures['again'][0]:8.1f}")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-client"]:
        as_client(sys.argv[2])
    else:
        begun = time.perf_counter()
        code = main()
        print(f"{time.perf_counter() - begun:.0f} s")
        sys.exit(code)
