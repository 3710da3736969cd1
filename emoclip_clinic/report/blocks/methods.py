"""The methods text: full sentences, with the numbers of this run and none that it does not know."""

from __future__ import annotations

from typing import Any

import pandas as pd
from reportlab.platypus import Flowable

from emoclip_clinic.report.context import Context, NoOptions, paragraph
from emoclip_clinic.report.numbers import count, number, percent
from emoclip_clinic.report.tables import Column, data_table

__all__ = ["methods"]

FINGERPRINT_DIGITS = 12


def methods(context: Context, options: NoOptions) -> list[Flowable]:
    """Tell how recordings became features, scores and agreement, ready for a paper."""
    parts: list[Flowable] = []
    for key, sentences in (
        ("recordings", _recordings(context)),
        ("features", _features(context)),
        ("ratings", _ratings(context)),
        ("prediction", _prediction(context)),
        ("agreement", _agreement(context)),
        ("software", _software(context)),
    ):
        if sentences:
            parts.append(context.say(f"methods.headings.{key}", "h2"))
            parts.append(paragraph(" ".join(sentences)))
    return [*parts, *_intervals(context)]


def _say(context: Context, key: str, **values: Any) -> list[str]:
    """Give the sentence, unless one of its values is not known."""
    if any(value is None or value == "" for value in values.values()):
        return []
    shown = {name: count(v) if isinstance(v, int) else v for name, v in values.items()}
    return [context.texts(f"methods.{key}", **shown)]


def _recordings(context: Context) -> list[str]:
    flow = context.data.flow
    if flow.empty:
        return []
    first, last = flow.iloc[0], flow.iloc[-1]
    return _say(
        context, "recordings",
        found=int(first["n_recordings"]), participants=int(first["n_participants"]),
        analysed=int(last["n_recordings"]), of=int(last["n_participants"]),
    )  # fmt: skip


def _features(context: Context) -> list[str]:
    facts = context.data.methods
    sentences = []
    if facts.frame_rate_hz is not None and facts.window_frames is not None:
        sentences += _say(
            context, "windows",
            rate=number(facts.frame_rate_hz, 2), frames=facts.window_frames,
            seconds=number(facts.window_frames / facts.frame_rate_hz, 2),
            stride=facts.window_stride_frames,
        )  # fmt: skip
    if facts.turns:
        sentences += _say(context, "turns")
    if facts.joined_pauses_s:
        sentences += _say(context, "pauses", seconds=number(facts.joined_pauses_s, 2))
    if facts.sections:
        sentences += _say(context, "sections", sections=facts.sections)
    if facts.face_finder:
        sentences += _say(context, "faces", finder=facts.face_finder,
                          share=None if facts.face_minimum_fraction is None
                          else percent(facts.face_minimum_fraction))  # fmt: skip
        sentences += _participant(context)
    else:
        sentences += _say(context, "no_faces")
    sentences += _say(context, "encoder", encoder=facts.encoder, n_features=facts.n_features,
                      fingerprint=facts.encoder_fingerprint[:FINGERPRINT_DIGITS])  # fmt: skip
    if facts.precision:
        sentences += _say(context, "precision", precision=facts.precision)
    return [*sentences, *_say(context, "pooling", pooling=facts.pooling)]


def _participant(context: Context) -> list[str]:
    """Tell how the participant was told from other people in view."""
    facts = context.data.methods
    sentences = _say(context, f"participant.{facts.participant}") if facts.participant else []
    return [*sentences, *(_say(context, "reviewed") if facts.reviewed else [])]


def _ratings(context: Context) -> list[str]:
    data = context.data
    items = int((data.targets["kind"] == "item").sum())
    key = "one_rater" if len(data.rater_names) == 1 else "ratings"
    return _say(context, key, scale=data.scale_name, items=items, raters=len(data.rater_names))


def _prediction(context: Context) -> list[str]:
    facts = context.data.methods
    sentences = _say(context, "estimator", estimator=facts.estimator)
    if facts.cv in ("lopo", "loso"):
        sentences += _say(context, facts.cv, inner=facts.inner_folds)
    elif facts.cv:
        sentences += _say(
            context, "repeated", folds=facts.folds, repeats=facts.repeats, inner=facts.inner_folds
        )
    if context.data.cohort:
        sentences += _say(context, "cohort", cohort=context.data.cohort)
    sentences += _say(context, "performance", resamples=facts.fit_resamples)
    made = context.data.permutation["n_permutations"]
    return [*sentences, *_say(context, "permutation", n=None if made.empty else count(made.max()))]


def _agreement(context: Context) -> list[str]:
    if context.data.agreement.empty:
        return []
    resamples = context.data.methods.agree_resamples
    made = set(context.data.agreement["comparison"])
    sentences = _say(context, "agreement")
    if "model-loo-consensus" in made:
        sentences += _say(context, "loo")
    sentences += _say(context, "agreement_bootstrap", resamples=resamples)
    targets = ", ".join(context.data.label(target) for target in context.data.primary)
    if context.data.primary_targets:
        sentences += _say(context, "primary", targets=targets)
    return [*sentences, *_say(context, "no_multiplicity")]


def _software(context: Context) -> list[str]:
    facts = context.data.methods
    name = "emoclip-clinic"
    sentences = _say(context, "software", name=name, version=facts.versions.get(name))
    return [
        *sentences,
        *_say(context, "device", device=facts.device),
        *_say(context, "seed", seed=_text(facts.seed)),
    ]


def _text(value: int | None) -> str | None:
    # a seed is a name, not a quantity: no thousands
    return None if value is None else str(value)


def _intervals(context: Context) -> list[Flowable]:
    """Which interval belongs to which statistic, as the agreement table records it."""
    table = context.data.agreement
    known = table[table["method"].notna() & (table["method"] != "")]
    methods_of = known.groupby("statistic", sort=False)["method"].agg(_unique)
    if methods_of.empty:
        return []
    names = [(context.texts.word("statistics", str(key)).replace("\n", " "), words)
             for key, words in methods_of.items()]  # fmt: skip
    columns = [
        Column(context.texts("methods.statistic"), 140, numeric=False),
        Column(context.texts("methods.method"), numeric=False),
    ]
    caption = context.caption("table", "methods.intervals_caption")
    return data_table(context, caption, columns, [[name, words] for name, words in names])


def _unique(values: pd.Series) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values))
