"""What was measured, as plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmark.exposures import SERIES, TITLES
from benchmark.figures import last, line, parts

OURS, THEIRS, FLOOR = "#c2571a", "#7a8793", "#222222"

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}


def save_all(measured: Mapping[str, Any], folder: Path) -> None:
    """Write every plot that there are figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = {name: measured["cases"][name] for name in TITLES if name in measured["cases"]}
    with mpl.rc_context(STYLE):
        whole(cases).savefig(folder / "whole.png", dpi=150)
        steps(cases).savefig(folder / "steps.png", dpi=150)
        if measured.get("curves"):
            curves(measured["curves"]).savefig(folder / "curves.png", dpi=150)


def whole(cases: Mapping[str, Any]) -> Figure:
    """Draw the processor time of whole processes and of the next exposure, and the floor."""
    figure = Figure((7.5, 0.55 * len(cases) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, case in enumerate(cases.values()):
        for program, colour, offset in (("ours", OURS, -0.16), ("theirs", THEIRS, 0.16)):
            measured = case[program]
            if not measured:
                continue
            y, cpu = place + offset, measured["whole"]["cpu"]
            axes.plot(cpu, y, "o", color=colour, markersize=7)
            again = last(measured)
            if again:
                axes.plot([again["cpu"], cpu], [y, y], color=colour, linewidth=1.5)
                axes.plot(again["cpu"], y, "o", color=colour, markerfacecolor="white")
        axes.plot(case["floor"]["cpu"], place, "|", color=FLOOR, markersize=16)
    for label, colour, marker, face in (
        ("Heliodor, whole process", OURS, "o", OURS),
        ("next exposure", OURS, "o", "white"),
        ("jwst, whole process", THEIRS, "o", THEIRS),
        ("next exposure", THEIRS, "o", "white"),
        ("reading and writing alone", FLOOR, "|", FLOOR),
    ):
        axes.plot([], [], marker, color=colour, markerfacecolor=face, label=label)
    axes.set_yticks(range(len(cases)), list(cases))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("processor time, s")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def steps(cases: Mapping[str, Any]) -> Figure:
    """Draw what every step costs for one pixel of one group, both programs."""
    chosen = [name for name in cases if cases[name]["theirs"] and cases[name]["ours"]["runs"]]
    chosen = [name for name in chosen if name != "small"] or chosen or list(cases)[:1]
    figure = Figure((9.5, 4.6), layout="constrained")
    for axes, name in zip(
        np.atleast_1d(figure.subplots(1, len(chosen), sharex=True)), chosen, strict=True
    ):
        _one_case(axes, name, cases[name])
    figure.supxlabel("processor time for a pixel of a group, ns", fontsize=9)
    for label, colour in (("Heliodor", OURS), ("jwst", THEIRS)):
        figure.axes[0].plot([], [], "o", color=colour, markersize=4.5, label=label)
    figure.axes[0].legend(fontsize=7)
    return figure


def _one_case(axes: Axes, name: str, case: Mapping[str, Any]) -> None:
    found: dict[str, dict[str, float]] = {}
    for program in ("ours", "theirs"):
        record = last(case[program])
        found[program] = parts(record) if record else {}
    names = [part for part in found["ours"] if not part.startswith(("rest", "group", "gain"))]
    for place, part in enumerate(names):
        a, b = (found[program].get(part) for program in ("ours", "theirs"))
        a, b = (value and value / case["samples"] * 1e9 for value in (a, b))
        if a and b:
            axes.plot([a, b], [place, place], color="#d0d0d0", zorder=1)
        for value, colour in ((a, OURS), (b, THEIRS)):
            if value:
                axes.plot(value, place, "o", color=colour, markersize=4.5)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(name, fontsize=9)


def curves(measured: Mapping[str, Any]) -> Figure:
    """Draw cost against size, with the straight lines that were fitted."""
    figure = Figure((9, 3.2), layout="constrained")
    for axes, one in zip(figure.subplots(1, len(SERIES)), SERIES, strict=True):
        points = measured[one.name]
        sizes = np.asarray(points["sizes"], float)
        scale = 1e6 if one.name == "pixels" else 1
        for program, label, colour in (("theirs", "jwst", THEIRS), ("ours", "Heliodor", OURS)):
            costs = points[program]
            if not costs:
                continue
            slope, start = line(points["sizes"], costs)
            axes.plot(sizes / scale, costs, "o", color=colour, label=label)
            axes.plot(sizes / scale, start + slope * sizes, color=colour, linewidth=1)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("million pixels" if scale > 1 else one.name)
    figure.axes[0].set_ylabel("processor time, s")
    figure.axes[0].legend()
    return figure
