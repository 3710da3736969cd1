"""The first pages: title, limits of use, contents, and the summary in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.platypus import (
    Flowable,
    HRFlowable,
    KeepInFrame,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

from emoclip_clinic.report.context import Context, NoOptions, paragraph, plain
from emoclip_clinic.report.evidence import PAIR, Estimate, estimates, judge, koo_li, overall
from emoclip_clinic.report.figures import Group, forest
from emoclip_clinic.report.numbers import count, number, scale_digits
from emoclip_clinic.report.theme import CLINICIANS, REGULAR, RULE, STYLES, TINT, color
from emoclip_clinic.report.vector import FigureFlowable

__all__ = ["contents", "limits", "summary", "title"]

SUMMARY_TARGETS = 3
ABOVE_SUMMARY_PT = 50.0


def title(context: Context, options: NoOptions) -> list[Flowable]:
    """Title, institution and what the report is about."""
    data = context.data
    lines = [
        Spacer(1, 24),
        paragraph(context.title, "subtitle"),
        paragraph(data.title, "title"),
        *([paragraph(data.institution, "subtitle")] if data.institution else []),
        HRFlowable(
            width="100%", thickness=1.5, color=color(CLINICIANS), spaceBefore=8, spaceAfter=10
        ),
    ]
    facts = [
        (context.texts("title.scale"), data.scale_name),
        (context.texts("title.cohort"), data.cohort or context.texts("title.whole_study")),
        (context.texts("title.analysed"), _analysed(context)),
        (context.texts("title.raters"), count(len(data.rater_names))),
        (
            context.texts("title.encoder"),
            data.methods.encoder or context.texts("words.not_recorded"),
        ),
    ]
    return [*lines, _facts(context, facts), Spacer(1, 10)]


def _analysed(context: Context) -> str:
    flow = context.data.flow
    if flow.empty:
        return context.texts("words.not_recorded")
    last = flow.iloc[-1]
    return context.texts(
        "title.counts",
        recordings=count(last["n_recordings"]),
        participants=count(last["n_participants"]),
    )


def _facts(context: Context, facts: Sequence[tuple[str, str]]) -> Table:
    rows = [[paragraph(name, "head"), paragraph(value, "cell")] for name, value in facts]
    style = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, color(RULE)),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    return Table(rows, colWidths=[120, context.page.text_width - 120], style=style, hAlign="LEFT")


def limits(context: Context, options: NoOptions) -> list[Flowable]:
    """Say what the report may not be used for."""
    lines = [context.say("limits.heading", "head")]
    lines += [paragraph(line, "box") for line in context.texts.table("limits.lines").values()]
    return [_tinted(context, lines, CLINICIANS), Spacer(1, 10)]


def _tinted(context: Context, lines: Sequence[Paragraph], edge: str) -> Table:
    style = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("BACKGROUND", (0, 0), (-1, -1), color(TINT)),
            ("LINEBEFORE", (0, 0), (0, -1), 3, color(edge)),
            ("LEFTPADDING", (0, 0), (-1, -1), 12),
            ("RIGHTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
    )
    return Table(
        [[line] for line in lines], colWidths=[context.page.text_width], style=style, hAlign="LEFT"
    )


def contents(context: Context, options: NoOptions) -> list[Flowable]:
    """Sections and their pages, each a link."""
    sides = ("TOPPADDING", "BOTTOMPADDING", "LEFTPADDING", "RIGHTPADDING")
    close = TableStyle(
        [*((side, (0, 0), (-1, -1), 0) for side in sides), ("FONTNAME", (0, 0), (-1, -1), REGULAR)]
    )
    table = TableOfContents(dotsMinLevel=0, rightColumnWidth=30, tableStyle=close)
    table.levelStyles = [STYLES["toc1"]]
    return [context.say("words.contents", "h2"), table]


def summary(context: Context, options: NoOptions) -> list[Flowable]:
    """Answer on one page whether the model agrees with clinicians as they agree with each other."""
    target = context.data.primary[0] if context.data.primary else ""
    clinicians = overall(context.data, target, "rater-rater")
    model = estimates(context.data, target, "model-rater", "ICC(A,1)")
    lead = _verdict(context, target, clinicians, model)
    parts: list[Flowable] = [
        context.say("summary.question", "h2"),
        _tinted(
            context,
            [paragraph(line, "lead" if n == 0 else "body") for n, line in enumerate(lead)],
            CLINICIANS,
        ),
        Spacer(1, 8),
        context.say("summary.found", "h2"),
    ]
    findings = [
        *_who(context),
        *_how_well(context, target, clinicians),
        *_in_points(context, target),
    ]
    parts += [Paragraph(plain(line), STYLES["bullet"], bulletText="•") for line in findings]
    parts += _figure(context)
    parts += [context.say("summary.meaning_heading", "h2"), context.say("summary.meaning")]
    # one page, whatever the labels: what does not fit is made smaller
    height = context.frame_height - ABOVE_SUMMARY_PT
    return [KeepInFrame(context.page.text_width, height, parts, mode="shrink")]


def _verdict(
    context: Context, target: str, clinicians: Estimate, model: Sequence[Estimate]
) -> list[str]:
    """Give the verdict, then what it rests on; neither says more than the intervals."""
    key = judge(clinicians, list(model))
    words = context.texts
    label = context.data.label(target)
    lines = [words(f"verdict.{key}", target=label)]
    if clinicians.defined:
        lines.append(words("verdict.clinicians", interval=_full(context, clinicians)))
    elif clinicians.note:
        lines.append(words("verdict.no_clinicians", reason=clinicians.note))
    if len(model) == 1:
        lines.append(words("verdict.model", interval=_full(context, model[0])))
    elif model:
        each = "; ".join(f"{each.who.partition(PAIR)[2]}: {_full(context, each)}" for each in model)
        lines.append(words("verdict.model_each", intervals=each))
    lines.append(words(f"verdict.because_{key}"))
    return lines


def _full(context: Context, estimate: Estimate, digits: int = 2) -> str:
    if not estimate.defined:
        return context.texts(
            "words.no_interval", value=number(estimate.value, digits), reason=estimate.note or "–"
        )
    return context.texts(
        "words.with_interval",
        value=number(estimate.value, digits),
        low=number(estimate.low, digits), high=number(estimate.high, digits),
    )  # fmt: skip


def _who(context: Context) -> list[str]:
    flow = context.data.flow
    if flow.empty:
        return []
    first, last = flow.iloc[0], flow.iloc[-1]
    return [
        context.texts(
            "summary.who",
            found=count(first["n_recordings"]), analysed=count(last["n_recordings"]),
            participants=count(last["n_participants"]), raters=count(len(context.data.rater_names)),
            left_out=count(first["n_recordings"] - last["n_recordings"]),
        )
    ]  # fmt: skip


def _how_well(context: Context, target: str, clinicians: Estimate) -> list[str]:
    words, label = context.texts, context.data.label(target)
    lines = []
    for key, estimate in (
        ("clinicians_grade", clinicians),
        ("consensus_grade", overall(context.data, target, "model-consensus")),
    ):
        if estimate.defined:
            low, high = (words.word("grades", grade) for grade in koo_li(estimate))
            grades = low if low == high else words("words.range", low=low, high=high)
            lines.append(
                words(
                    f"summary.{key}", target=label, grades=grades, interval=_full(context, estimate)
                )
            )
    return lines


def _in_points(context: Context, target: str) -> list[str]:
    data = context.data
    bias, lower, upper = (
        overall(data, target, "model-consensus", name)
        for name in ("bias", "LoA lower", "LoA upper")
    )
    if not bias.defined or not (lower.defined and upper.defined):
        return []
    row = data.targets[data.targets["target"] == target].iloc[0]
    digits = scale_digits(float(row["minimum"]), float(row["maximum"]))
    ends = {"low": _full(context, lower, digits), "high": _full(context, upper, digits)}
    direction = "unbiased" if bias.low <= 0 <= bias.high else "over" if bias.value > 0 else "under"
    return [
        context.texts(f"summary.bias_{direction}", target=data.label(target),
                      interval=_full(context, bias, digits)),
        context.texts("summary.limits", **ends),
    ]  # fmt: skip


def _figure(context: Context) -> list[Flowable]:
    data = context.data
    totals = data.targets.loc[data.targets["kind"] != "item", "target"]
    chosen = list(dict.fromkeys([*data.primary, *totals]))[:SUMMARY_TARGETS]
    groups = [
        Group(
            data.label(target),
            estimates(data, target, "rater-rater", "ICC(A,1)")[:1],
            estimates(data, target, "model-rater", "ICC(A,1)"),
        )
        for target in chosen
    ]
    if not any(each.defined for group in groups for each in [*group.clinicians, *group.model]):
        return []
    legend = context.texts("words.clinicians"), context.texts("words.model")
    figures = forest(groups, context.page.text_width, 230, legend, context.texts("forest.axis"))
    return [FigureFlowable(figures[0]), context.caption("figure", "summary.figure")]
