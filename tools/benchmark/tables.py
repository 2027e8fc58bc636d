"""What was measured, as tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmark.exposures import SERIES, TITLES
from benchmark.figures import Record, last, line, parts, ratio, seconds


def all_of(measured: Mapping[str, Any]) -> dict[str, str]:
    """Give every table, by the name of its place in a document."""
    cases = {name: measured["cases"][name] for name in TITLES if name in measured["cases"]}
    compared = {name: case for name, case in cases.items() if case["theirs"]}
    return {
        "machine": machine(measured["machine"]),
        "whole": "\n".join(whole_processes(measured["imports"], cases)),
        "marginal": "\n".join(marginal(cases)),
        "floor": "\n".join(floor(cases)),
        "shares": "\n".join(shares(cases)),
        "steps": "\n".join(steps(compared or cases)),
        "samples": "\n".join(samples(cases)),
        "curves": "\n".join(curves(measured.get("curves", {}))),
        "overhead": "\n".join(overhead(measured.get("overhead", {}))),
    }


def machine(facts: Mapping[str, Any]) -> str:
    """Say what it was measured on."""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory'] / 2**30:.0f} GiB; Python "
        f"{facts['python']}; Heliodor {facts['heliodor']} on {facts['threads']} threads against "
        f"`jwst` {facts['jwst'] or '(not measured)'}; {facts['date']}. Load before: "
        f"{facts['load']:.1f}. Runs of each: {facts['pairs']}."
    )


def whole_processes(imports: Mapping[str, Any], cases: Mapping[str, Record]) -> Iterator[str]:
    """Compare whole processes, and the libraries' own start."""
    heads = [""]
    for measure in ("wall, s", "CPU, s", "peak, MiB"):
        heads += [measure, "`jwst`", "ratio"]
    rows = [["`import` of the libraries", *_compared(imports)]]
    for name, case in cases.items():
        whole = {who: case[who] and case[who]["whole"] for who in ("ours", "theirs")}
        row = [_named(name), *_compared(whole)]
        if case["limit"]:
            row[2::3] = ["does not fit"] * 3 if case["unable"] else [""] * 3
            row[0] += f", within {case['limit']}"
        rows.append(row)
    yield from table(heads, rows)
    for name, case in cases.items():
        if case["unable"]:
            yield ""
            yield f"`{name}`: {case['unable']}"


def marginal(cases: Mapping[str, Record]) -> Iterator[str]:
    """Compare the last of several runs in one process."""
    rows = []
    once = False
    for name, case in cases.items():
        ours, theirs = last(case["ours"]), last(case["theirs"])
        if ours is None:
            continue
        mark = ""
        if theirs and len(case["theirs"]["runs"]) == 1:
            mark, once = " (first)", True
        row = [_named(name)]
        for measure in ("cpu", "wall"):
            a, b = ours[measure], theirs[measure] if theirs else None
            row += [seconds(a), seconds(b) + mark, ratio(b, a)]
        rows.append(row)
    yield from table(("", "CPU, s", "`jwst`", "ratio", "wall, s", "`jwst`", "ratio"), rows)
    if once:
        yield ""
        yield "(first): run once; without the imports, but with what the first run sets up."


def floor(cases: Mapping[str, Record]) -> Iterator[str]:
    """Compare both programs with the least that reading and writing takes."""
    rows = []
    for name, case in cases.items():
        least, ours, theirs = case["floor"], case["ours"], case["theirs"]
        again = last(ours)
        cpu = least["cpu"]
        row = [_named(name)]
        row += [f"{least[amount] / 1e6:.0f}" for amount in ("read", "written")]
        row += [seconds(cpu), ratio(ours["whole"]["cpu"], cpu)]
        row += [ratio(again["cpu"], cpu) if again else ""]
        rows.append([*row, ratio(theirs["whole"]["cpu"], cpu) if theirs else ""])
    heads = ("", "read, MB", "written, MB", "floor, CPU s", "we take", "again", "`jwst` takes")
    yield from table(heads, rows)


def shares(cases: Mapping[str, Record]) -> Iterator[str]:
    """Tell where the processor time of whole processes goes, and of the next exposure."""
    heads = ("", "start", *_SHARES, *(f"again: {_SHARES[0]}", *_SHARES[1:]))
    rows = []
    for name, case in cases.items():
        runs = case["ours"]["runs"]
        if not runs:
            continue
        first, again = _shares(runs[0]), _shares(runs[-1])
        start = max(0.0, case["ours"]["whole"]["cpu"] - sum(first.values()))
        rows.append([_named(name), *map(seconds, (start, *first.values(), *again.values()))])
    yield from table(heads, rows)


def _shares(record: Record) -> dict[str, float]:
    """Add up what is not a step by its first word, and steps with everything between them."""
    found = dict.fromkeys(_SHARES, 0.0)
    for name, cpu in parts(record).items():
        word = name.split()[0]
        found[word if word in found else "steps"] += cpu
    return found


def steps(cases: Mapping[str, Record]) -> Iterator[str]:
    """Compare the processor time of the steps, in the last runs of both."""
    ours = {name: _parts(case["ours"]) for name, case in cases.items()}
    theirs = {name: _parts(case["theirs"]) for name, case in cases.items()}
    rows = []
    for part in _union([*ours.values(), *theirs.values()]):
        row = [part if part in _NOT_STEPS else f"`{part}`"]
        for name in cases:
            a, b = ours[name].get(part), theirs[name].get(part)
            row += [_small(a), seconds(b) if b is None or b >= 0.005 else ""]
        rows.append(row)
    heads = [""]
    for name in cases:
        heads += [f"`{name}`", "`jwst`"]
    yield from table(heads, rows)


def samples(cases: Mapping[str, Record]) -> Iterator[str]:
    """Give what the steps cost for one pixel of one group, in nanoseconds."""
    found = {
        name: {part: cpu / case["samples"] * 1e9 for part, cpu in _parts(case["ours"]).items()}
        for name, case in cases.items()
        if case["ours"]["runs"]
    }
    rows = [
        [part if part in _NOT_STEPS else f"`{part}`"]
        + [f"{found[name][part]:.2f}" if part in found[name] else "" for name in found]
        for part in _union(list(found.values()))
    ]
    rows.append(["all", *(f"{sum(one.values()):.1f}" for one in found.values())])
    yield from table(["", *(f"`{name}`" for name in found)], rows)


def curves(measured: Mapping[str, Any]) -> Iterator[str]:
    """Compare what one group, one integration, one million pixels more cost."""
    rows = []
    for one in SERIES:
        points = measured.get(one.name)
        if not points:
            continue
        unit, scale = ("Mpixel", 1e6) if one.name == "pixels" else (one.name.rstrip("s"), 1)
        row = [f"a {unit} more" if unit != "integration" else f"an {unit} more"]
        ours = line(points["sizes"], points["ours"])
        theirs = line(points["sizes"], points["theirs"]) if points["theirs"] else None
        row.append(f"{ours[0] * scale * 1e3:.1f}")
        row += [f"{theirs[0] * scale * 1e3:.0f}", ratio(theirs[0], ours[0])] if theirs else ["", ""]
        row.append(f"{ours[1]:.2f}")
        row += [f"{theirs[1]:.2f}", ratio(theirs[1], ours[1])] if theirs else ["", ""]
        rows.append(row)
    heads = ("", "CPU, ms", "`jwst`", "ratio", "none, s", "`jwst`", "ratio")
    yield from table(heads, rows)


def overhead(measured: Mapping[str, Any]) -> Iterator[str]:
    """Say what a step costs that does nothing, by how much of a ramp it is given at a time."""
    rows = [
        [
            f"{_code(name)}: {_GIVEN[row['looks']]}",
            f"{case['planning_ms'] + case['run_ms']:.0f}",
            f"{row['planning_ms']:.1f}",
            f"{row['run_ms']:.1f}",
            f"{row['percent']:.1f}",
        ]
        for name, case in measured.items()
        for row in case["one_step_more"]
    ]
    heads = ("", "planning and run, CPU ms", "planning one more", "running it", "percent")
    yield from table(heads, rows)


def _code(name: str) -> str:
    """Mark the first word of a case, and not the limit of memory after it."""
    case, space, limit = name.partition(" ")
    return f"`{case}`{space}{limit}"


_GIVEN = {"ramp": "ramps, by rows", "frame": "images of groups", "pixels": "all, by rows"}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table whose first column is text and whose others are numbers."""
    yield "| " + " | ".join(headings) + " |"
    yield "|---|" + "---:|" * (len(headings) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def fill(document: str, tables: Mapping[str, str]) -> str:
    """Put tables where a document has ``<!-- measured: NAME -->`` and ``<!-- end -->``.

    Raises
    ------
    KeyError
        The document asks for a table that there is not.
    """

    def put(found: re.Match[str]) -> str:
        return f"<!-- measured: {found[1]} -->\n\n{tables[found[1]]}\n\n<!-- end -->"

    return re.sub(r"<!-- measured: (\w+) -->.*?<!-- end -->", put, document, flags=re.DOTALL)


_SHARES = ("planning", "reading", "steps", "writing")

_NOT_STEPS = ("planning", "reading", "writing rate", "writing rateints", "rest")


def _named(name: str) -> str:
    return f"`{name}`: {TITLES[name]}"


def _compared(uses: Mapping[str, Any]) -> list[str]:
    """Give wall, processor time and peak of both with their ratios."""
    ours, theirs = uses["ours"], uses["theirs"]
    row = []
    for measure, write in (("wall", seconds), ("cpu", seconds), ("peak", "{:.0f}".format)):
        row.append(write(ours[measure]))
        row += (
            [write(theirs[measure]), ratio(theirs[measure], ours[measure])] if theirs else ["", ""]
        )
    return row


def _parts(program: Record | None) -> dict[str, float]:
    record = last(program)
    return parts(record) if record else {}


def _union(found: Sequence[Mapping[str, float]]) -> list[str]:
    """Give all names of parts in the order of the runs, ``rest`` last."""
    names: list[str] = []
    for one in found:
        place = 0
        for name in one:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return [name for name in names if name != "rest"] + ["rest"]


def _small(value: float | None) -> str:
    return "" if value is None or value < 0.0005 else f"{value:.3f}"
