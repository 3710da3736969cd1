"""The figures of zero-shot recognition and of descriptions over time, by themselves in a PDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emoclip_clinic.files import atomic_path
from emoclip_clinic.report.numbers import percent
from emoclip_clinic.report.theme import CLINICIANS, INK, MODEL, RULE, SUBDUED
from emoclip_clinic.report.vector import new_figure, styled

__all__ = ["recognition", "timeline", "write_figure"]

WIDTH_PT = 480.0
ROW_PT = 16.0
CELL_PT = 24.0
PANEL_PT = 58.0
MARGIN_PT = 70.0
COLOURS = {"WAR": CLINICIANS, "UAR": MODEL}


@styled
def recognition(scores: pd.DataFrame, confusion: pd.DataFrame, title: str) -> Figure:
    """Draw WAR and UAR of every method with intervals, above the confusion matrix of the first.

    Parameters
    ----------
    scores, confusion
        As `zeroshot` writes them.
    title
        Over all.
    """
    methods = [
        (str(method), str(prompts))
        for method, prompts in scores[["method", "prompts"]].drop_duplicates().to_numpy()
    ]
    classes = list(confusion["truth"].unique())
    top, below = ROW_PT * len(methods) + 24, CELL_PT * len(classes)
    height = top + below + 3 * MARGIN_PT
    figure = new_figure(WIDTH_PT, height)
    figure.suptitle(title, x=0.02, ha="left", fontsize=8, fontweight="bold")
    left = 0.34
    upper = figure.add_axes((left, 1 - (MARGIN_PT * 0.6 + top) / height, 0.96 - left, top / height))
    _methods(upper, scores, methods)
    width = min(0.96 - left, below / WIDTH_PT)
    lower = figure.add_axes((left, MARGIN_PT * 1.2 / height, width, below / height))
    own = confusion[
        (confusion["method"] == methods[0][0]) & (confusion["prompts"] == methods[0][1])
    ]
    _matrix(lower, own, classes)
    return figure


def _methods(axes: Axes, scores: pd.DataFrame, methods: list[tuple[str, str]]) -> None:
    for row, method in enumerate(methods):
        mine = (scores["method"] == method[0]) & (scores["prompts"] == method[1])
        for offset, statistic in ((-0.15, "WAR"), (0.15, "UAR")):
            found = scores[mine & (scores["statistic"] == statistic)].iloc[0]
            colour = COLOURS[statistic]
            axes.plot([found["ci_low"], found["ci_high"]], [row + offset] * 2, color=colour)
            axes.plot(found["value"], row + offset, "o", color=colour, markersize=3.5)
            if row == 0:
                axes.plot([], [], "o-", color=colour, markersize=3.5, label=statistic)
    chance = scores.loc[scores["statistic"] == "UAR", "chance"].iloc[0]
    axes.axvline(chance, color=SUBDUED, linewidth=0.7, linestyle="--", label="chance (UAR)")
    axes.set(
        xlim=(0, 1), ylim=(len(methods) - 0.4, -0.6), xlabel="share recognised (95 % interval)"
    )
    axes.set_yticks(range(len(methods)), [f"{name}, {prompts}" for name, prompts in methods])
    axes.legend(frameon=False, fontsize=6.5, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)


def _matrix(axes: Axes, confusion: pd.DataFrame, classes: list[str]) -> None:
    k = len(classes)
    shares = confusion["share"].to_numpy(dtype=float).reshape(k, k)
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(np.isfinite(shares)):
        share = shares[row, column]
        colour = "white" if share > 0.55 else INK
        axes.text(column, row, percent(share), ha="center", va="center", fontsize=5.5, color=colour)
    counts = confusion.groupby("truth", sort=False)["n_clips"].sum()
    axes.set_yticks(range(k), [f"{name} (n = {counts[name]})" for name in classes])
    axes.set_xticks(range(k), classes, rotation=45, ha="right")
    axes.set(ylabel="true class", xlabel="recognised as")


@styled
def timeline(table: pd.DataFrame, title: str, remark: str) -> Figure:
    """Draw the similarity to each description over time, above the floor of neutral sentences.

    Parameters
    ----------
    table
        As `describe` writes it.
    title, remark
        Over all, and below.
    """
    names = list(table["description"].unique())
    height = PANEL_PT * len(names) + 2 * MARGIN_PT
    figure = new_figure(WIDTH_PT, height)
    figure.suptitle(title, x=0.02, ha="left", fontsize=8, fontweight="bold")
    panels = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=0.1,
        right=0.97,
        top=1 - 0.6 * MARGIN_PT / height,
        bottom=MARGIN_PT / height,
        hspace=0.6,
    )
    for axes, name in zip(panels, names, strict=True):
        rows = table[table["description"] == name]
        edges = [*rows["start_s"], rows["stop_s"].iloc[-1]]
        axes.stairs(rows["floor"], edges, baseline=None, color=RULE, label="neutral sentences")
        axes.stairs(rows["similarity"], edges, baseline=None, color=CLINICIANS, linewidth=1.2)
        axes.set_title(rows["name"].iloc[0])
    panels[-1].set_xlabel("time, s")
    panels[0].legend(frameon=False, fontsize=6, loc="lower right", bbox_to_anchor=(1, 1))
    figure.text(0.02, 12 / height, remark, fontsize=6, color=SUBDUED, wrap=True)
    return figure


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a PDF that is the same, byte by byte, for the same content."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
