"""The report of one participant: what was predicted beside what clinicians gave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from reportlab.platypus import Flowable, HRFlowable, Spacer

from emoclip_clinic.report.asked import Named, points_digits
from emoclip_clinic.report.blocks.agreement import AllTargets, by_kind
from emoclip_clinic.report.blocks.front import facts_table, stale, tinted
from emoclip_clinic.report.context import Context, NoOptions, paragraph
from emoclip_clinic.report.evidence import Estimate
from emoclip_clinic.report.numbers import DASH, count, digits_for, interval, number, percent
from emoclip_clinic.report.person import Person
from emoclip_clinic.report.person_figures import (
    AXIS_PT,
    ROW_PT,
    PersonItem,
    Timeline,
    items_page,
    timelines,
)
from emoclip_clinic.report.tables import Column, Subheading, data_table
from emoclip_clinic.report.theme import CLINICIANS, color
from emoclip_clinic.report.vector import FigureFlowable
from emoclip_clinic.report.versus import skilled

__all__ = ["heading", "items_figure", "quality", "scores_table", "timeline"]

# with more raters, their scores stand in the figure only
RATERS_ACROSS = 6


def heading(context: Context, options: NoOptions) -> list[Flowable]:
    """Say what this is, of whom if they may be named, and what it may be used for."""
    data, words = context.data, context.texts
    person = data.person or Person()
    facts = [
        (words("person.named"), person.name or words("person.pseudonym")),
        (words("title.scale"), data.scale_name),
        (words("person.sessions"), ", ".join(_sessions(person)) or words("words.not_recorded")),
        (words("title.encoder"), data.methods.encoder or words("words.not_recorded")),
    ]
    use = [context.say("person.use_heading", "head"), context.say("person.use", "box")]
    return [
        paragraph(data.title, "subtitle"),
        paragraph(words("person.heading"), "title"),
        HRFlowable(width="100%", thickness=1.5, color=color(CLINICIANS), spaceAfter=8),
        facts_table(context, facts),
        Spacer(1, 8),
        tinted(context, use, CLINICIANS),
        Spacer(1, 6),
        *stale(context),
    ]


def _sessions(person: Person) -> list[str]:
    if person.scores.empty:
        return []
    return [str(name) for name in dict.fromkeys(person.scores["session"])]


def scores_table(context: Context, options: AllTargets) -> list[Flowable]:
    """Set predictions with their intervals beside every rater's score, a table a visit."""
    data, person = context.data, context.data.person
    if person is None or person.scores.empty:
        return [context.say("person.scores_none")]
    level, n = percent(person.level), count(person.n_others)
    parts: list[Flowable] = [context.say("person.scores_intro", level=level, n=n)]
    if person.limited:
        parts.append(context.say("person.scores_range", level=level, n=n))
    letters = _letters(context, person)
    with_skill = skilled(data)
    for session in _sessions(person):
        rows: list[Any] = []
        found = {row["target"]: row for row in _visit(person.scores, session)}
        for target, title in by_kind(context, [t for t in context.select(options) if t in found]):
            if title:
                rows.append(Subheading(title))
            known = None if with_skill is None else target in with_skill
            rows.append(_row(context, found[target], letters, known))
        caption = context.caption("table", "person.scores_caption", session=session)
        parts += data_table(context, caption, _columns(context, letters), rows)
    return [*parts, context.say("person.skill_note", "note")]


def _columns(context: Context, letters: dict[str, str]) -> list[Column]:
    words = context.texts
    return [
        Column(words("words.target"), numeric=False),
        Column(words("person.predicted"), 96),
        *(Column(words("words.rater", letter=letter), 34) for letter in letters.values()),
        Column(words("person.consensus"), 54),
        Column(words("person.inside"), 36),
        Column(words("person.skill"), 58),
    ]


def _row(
    context: Context, row: dict[Any, Any], letters: dict[str, str], known: bool | None
) -> list[str]:
    words, target = context.texts, str(row["target"])
    digits = points_digits(context, target)
    given = _given(context, str(row["session"]), target)
    shown = digits_for([*given.values()]) if given else 0
    inside = row["low"] <= row["observed"] <= row["high"]
    skill = DASH if known is None else words(f"person.skill_{'found' if known else 'none'}")
    return [
        context.data.label(target),
        f"{number(row['predicted'], digits)} ({interval(row['low'], row['high'], digits)})",
        *(number(given.get(letter), shown) for letter in letters.values()),
        number(row["observed"], digits),
        words("person.yes" if inside else "person.no"),
        skill,
    ]


def _letters(context: Context, person: Person) -> dict[str, str]:
    """Name the raters of this participant; none where they are too many for a table."""
    own = set(person.ratings["rater"].astype(str)) if len(person.ratings) else set()
    letters = {name: letter for name, letter in context.data.rater_names.items() if name in own}
    return letters if len(letters) <= RATERS_ACROSS else {}


def _visit(table: pd.DataFrame, session: str) -> list[dict[Any, Any]]:
    return list(table[table["session"].astype(str) == session].to_dict("records"))


def _given(context: Context, session: str, target: str) -> dict[str, float]:
    """Scores of a visit by the raters' letters."""
    person = context.data.person or Person()
    if person.ratings.empty:
        return {}
    table = person.ratings
    own = table[(table["session"].astype(str) == session) & (table["target"] == target)]
    names = context.data.rater_names
    scores = {
        names[str(rater)]: float(value)
        for rater, value in own[["rater", "value"]].itertuples(index=False, name=None)
        if value == value
    }
    return dict(sorted(scores.items(), key=lambda pair: (len(pair[0]), pair[0])))


def items_figure(context: Context, options: NoOptions) -> list[Flowable]:
    """Draw the items of each visit: prediction, interval, and the letters of the raters."""
    person = context.data.person
    if person is None or person.scores.empty:
        return []
    parts: list[Flowable] = []
    for session in _sessions(person):
        items = list(_items(context, person, session))
        # two on a page, of equal length
        most = max(int((context.frame_height / 2 - AXIS_PT - 40) // ROW_PT), 1)
        rows = math.ceil(len(items) / max(math.ceil(len(items) / most), 1))
        pages = [items[start : start + rows] for start in range(0, len(items), rows)]
        axis = context.texts("words.target")
        figures = [
            FigureFlowable(items_page(page, context.page.text_width, axis)) for page in pages
        ]
        parts += context.figures(figures, "person.figure_caption", session=session)
    return parts


def _items(context: Context, person: Person, session: str) -> Iterator[PersonItem]:
    rows = {row["target"]: row for row in _visit(person.scores, session)}
    table = context.data.targets
    for target in table.loc[table["kind"] == "item"].to_dict("records"):
        row = rows.get(target["target"])
        if row is not None:
            yield PersonItem(
                label=context.data.label(target["target"]),
                predicted=Estimate(row["predicted"], row["low"], row["high"]),
                ratings=_given(context, session, target["target"]),
                span=(float(target["minimum"]), float(target["maximum"])),
            )


def timeline(context: Context, options: Named) -> list[Flowable]:
    """Show how much each window of the recordings moved the primary predictions."""
    person = context.data.person
    if person is None or person.windows.empty:
        return [context.say("person.timeline_none")]
    seen = context.say(f"person.timeline_{'unseen' if person.unseen else 'seen'}")
    parts: list[Flowable] = [context.say("person.timeline_intro"), seen]
    words = (
        context.texts("person.timeline_seconds"),
        context.texts("person.timeline_minutes"),
        context.texts("person.timeline_y"),
    )
    for target in context.select(options):
        panels = list(_timelines(context, person.windows, target))
        figures = [FigureFlowable(one) for one in timelines(panels, context.page.text_width, words)]
        label = context.data.label(target)
        parts += context.figures(figures, "person.timeline_caption", target=label)
    return parts


def _timelines(context: Context, windows: pd.DataFrame, target: str) -> Iterator[Timeline]:
    n_recordings = windows.groupby("session")["recording"].nunique()
    several = {str(session) for session, n in n_recordings.items() if n > 1}
    seen: dict[str, int] = {}
    for _, rows in windows.groupby(["session", "recording"], sort=False):
        session = str(rows["session"].iloc[0])
        seen[session] = seen.get(session, 0) + 1
        used = rows[rows["target"] == target].sort_values("start_s", kind="stable")
        if used.empty:
            continue
        key = "person.timeline_panel_n" if session in several else "person.timeline_panel"
        left_out = rows.loc[rows["status"] != "used", ["start_s", "stop_s"]]
        yield Timeline(
            label=context.texts(key, session=session, n=seen[session]),
            start_s=used["start_s"].to_numpy(np.float64),
            stop_s=used["stop_s"].to_numpy(np.float64),
            contribution=used["contribution"].to_numpy(np.float64),
            left_out=tuple(left_out.itertuples(index=False, name=None)),
        )


def quality(context: Context, options: NoOptions) -> list[Flowable]:
    """List the measures of this participant's recordings, with their warnings."""
    data = context.data
    if data.recordings.empty:
        return [context.say("quality.none")]
    rows: list[Any] = []
    windows = data.segments.set_index("recording")
    for recording in data.recordings.to_dict("records"):
        own = data.quality[data.quality["recording"] == recording["recording"]]
        rows.append(
            Subheading(context.texts("person.timeline_panel", session=recording["session"]))
        )
        minutes = number(float(recording["duration_s"]) / 60, 2)
        rows.append([context.texts("measures.duration_min"), minutes, ""])
        if recording["recording"] in windows.index:
            counted = windows.loc[recording["recording"]]
            for key, name in (("n_used", "windows"), ("n_excluded", "excluded")):
                rows.append([context.texts(f"person.quality_{name}"), count(counted[key]), ""])
        for row in own.to_dict("records"):
            name = context.texts.word("measures", str(row["measure"]))
            unit = f" ({row['unit']})" if row["unit"] and row["unit"] == row["unit"] else ""
            value = float(row["value"])
            note = row["note"] if row["flag"] == "warn" and row["note"] == row["note"] else ""
            rows.append([f"{name}{unit}", number(value, digits_for([value])),
                         data.masked(str(note))])  # fmt: skip
    columns = [
        Column(context.texts("quality.measure"), 190, numeric=False),
        Column(context.texts("person.quality_value"), 80),
        Column(context.texts("person.quality_flag"), numeric=False),
    ]
    return data_table(context, context.caption("table", "person.quality_caption"), columns, rows)
