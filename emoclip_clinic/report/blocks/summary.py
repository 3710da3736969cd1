"""The summary: one page that a clinician can read."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.platypus import Flowable, KeepInFrame, Paragraph, Spacer

from emoclip_clinic.report.blocks.front import tinted
from emoclip_clinic.report.context import Context, NoOptions, paragraph, plain
from emoclip_clinic.report.evidence import PAIR, Estimate, koo_li, overall
from emoclip_clinic.report.figures import Group, forest
from emoclip_clinic.report.flow import FlowStrip
from emoclip_clinic.report.numbers import count, number, scale_digits
from emoclip_clinic.report.theme import CLINICIANS, STYLES
from emoclip_clinic.report.vector import FigureFlowable
from emoclip_clinic.report.versus import Versus, skill, versus

__all__ = ["summary"]

SUMMARY_TARGETS = 3
ABOVE_SUMMARY_PT = 50.0
FIGURE_PT = 190.0
# with more raters, their agreement with the model is given by its mean and range
RATERS_NAMED = 4


def summary(context: Context, options: NoOptions) -> list[Flowable]:
    """Answer on one page whether the model agrees with clinicians as they agree with each other."""
    target = context.data.primary[0] if context.data.primary else ""
    found = versus(context.data, target)
    parts: list[Flowable] = [
        context.say("summary.question", "h2"),
        tinted(
            context,
            [
                paragraph(line, "body" if place else "lead")
                for place, line in enumerate(_verdict(context, target, found))
            ],
            CLINICIANS,
        ),
        Spacer(1, 4),
        context.say("summary.found", "h2"),
    ]
    findings = [
        *_skill(context),
        *_how_well(context, target, found.clinicians),
        *_in_points(context, target),
    ]
    parts += [Paragraph(plain(line), STYLES["bullet"], bulletText="•") for line in findings]
    parts += [*_traffic(context), *_figure(context, found, target)]
    parts += [context.say("summary.meaning_heading", "h2"), context.say("summary.meaning")]
    # one page, whatever the labels: what does not fit is made smaller
    height = context.frame_height - ABOVE_SUMMARY_PT
    return [KeepInFrame(context.page.text_width, height, parts, mode="shrink")]


def _verdict(context: Context, target: str, found: Versus) -> list[str]:
    """Give the verdict, then what it rests on; neither says more than the intervals."""
    words = context.texts
    margin = number(found.margin, 2)
    lines = [words(f"verdict.{found.verdict}", target=context.data.label(target), margin=margin)]
    if found.clinicians.defined:
        evidence = [words("verdict.clinicians", interval=_full(context, found.clinicians))]
    else:
        reason = found.clinicians.note or words("words.not_recorded")
        evidence = [words("verdict.no_clinicians", reason=reason)]
    evidence += _of_model(context, found.model)
    if found.difference.defined:
        evidence.append(words("verdict.difference", interval=_full(context, found.difference)))
    key = f"verdict.because_{'difference_' * found.difference.defined}{found.verdict}"
    return [*lines, " ".join(evidence), words(key, margin=margin)]


def _of_model(context: Context, model: Sequence[Estimate]) -> list[str]:
    if len(model) == 1:
        return [context.texts("verdict.model", interval=_full(context, model[0]))]
    values = [each.value for each in model if each.value == each.value]
    if len(model) > RATERS_NAMED and values:
        mean, low, high = (
            number(value) for value in (sum(values) / len(values), min(values), max(values))
        )
        n = count(len(values))
        return [context.texts("verdict.model_many", n=n, mean=mean, low=low, high=high)]
    each = "; ".join(f"{one.who.partition(PAIR)[2]}: {_full(context, one)}" for one in model)
    return [context.texts("verdict.model_each", intervals=each)] if model else []


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


def _skill(context: Context) -> list[str]:
    """Say of how many scores the model knows nothing."""
    found = skill(context.data)
    if found is None or not found.n:
        return []
    key = "none" if not found.found else "all" if found.found == found.n else "some"
    counts = {"n": count(found.n), "found": count(found.found), "not": count(found.n - found.found)}
    if found.test == "r2":
        return [context.texts("skill.untested", **counts)]
    how = context.texts(f"skill.by_{found.test}")
    return [context.texts(f"skill.{key}", how=how, **counts)]


def _how_well(context: Context, target: str, clinicians: Estimate) -> list[str]:
    words, label = context.texts, context.data.label(target)
    lines = []
    consensus = "consensus_grade" if len(context.data.rater_names) > 1 else "rater_grade"
    for key, estimate in (
        ("clinicians_grade", clinicians),
        (consensus, overall(context.data, target, "model-consensus")),
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


def _traffic(context: Context) -> list[Flowable]:
    """From recordings found to recordings analysed, in a line."""
    flow = context.data.flow
    if flow.empty:
        return []
    steps, previous = [], None
    for row in flow.to_dict("records"):
        n = int(row["n_recordings"])
        lost = "" if previous in (None, n) else context.texts("summary.lost", n=count(previous - n))
        title = context.texts.word("steps", str(row["step"]))
        of = context.texts("summary.of_participants", n=count(row["n_participants"]))
        steps.append((title, count(n), of, lost))
        previous = n
    return [
        context.say("summary.traffic", "h2"),
        FlowStrip(steps, context.page.text_width),
        context.say("summary.traffic_note", "note", raters=count(len(context.data.rater_names))),
    ]


def _figure(context: Context, found: Versus, target: str) -> list[Flowable]:
    data = context.data
    totals = data.targets.loc[data.targets["kind"] != "item", "target"]
    chosen = list(dict.fromkeys([*data.primary, *totals]))[:SUMMARY_TARGETS]
    groups = []
    for name in chosen:
        beside = found if name == target else versus(data, name)
        groups.append(Group(data.label(name), [beside.clinicians], beside.model))
    if not any(each.defined for group in groups for each in [*group.clinicians, *group.model]):
        return []
    each = any(len(group.model) > 1 for group in groups)
    key = "summary.figure" if each else "summary_figure.mean"
    legend = context.texts("words.clinicians"), context.texts("words.model")
    axis = context.texts("forest.axis")
    figures = forest(groups, context.page.text_width, FIGURE_PT, legend, axis)
    return [FigureFlowable(figures[0]), context.caption("figure", key)]
