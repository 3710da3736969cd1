"""The model card: what a fitted model is, what it is for and how far it can be trusted.

References
----------
Mitchell M, Wu S, Zaldivar A, et al. Model cards for model reporting. Proceedings of the Conference
on Fairness, Accountability, and Transparency 2019:220-229.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic.regression.drivers import coefficients
from emoclip_clinic.regression.fitted import FittedModel
from emoclip_clinic.regression.folds import Design

__all__ = ["CARD", "card", "card_facts"]

CARD = "model_card.md"
"""The file beside the model."""
SHOWN = {"mae": "MAE", "r2": "R2", "pearson": "Pearson", "ccc": "CCC"}
"""Metrics in the card's table; model.json has them all."""
INTENDED = (
    "Research on how well symptom scores can be predicted from interview video, and on their "
    "agreement with clinicians, in people and recordings like those of the training."
)
NOT_FOR = (
    "Diagnosis, or any part of one.",
    "Decisions about a person: treatment, admission, benefits, employment, insurance, custody.",
    "People who have not consented, or who do not know that they are being scored.",
    "Recordings of another kind: other interviews, cameras, ages or conditions, unless validated.",
    "Scores of a single person without the interval.",
)
LIMITS = (
    "The scores are those of the raters: the model learns what they have in common, bias included.",
    "Performance is of the cross-validation's models; this one is the same recipe on more data.",
    "Intervals hold for participants who are exchangeable with those of the training, on average "
    "over them; for the most severe, or for a group, they may hold less often.",
    "A recording that is marked as outside is unlike the training. One that is not marked may be "
    "unlike it in ways that the features do not show.",
    "What drives a prediction says what the model does, not what the symptom is.",
)
KEEPS_VECTORS = (
    "This estimator may keep feature vectors of training recordings in the archive: handle it as "
    "you handle the features."
)
MINUS = "\N{MINUS SIGN}"


def card_facts(
    model: FittedModel, performance: pd.DataFrame, coverage: pd.DataFrame, scale: str
) -> dict[str, Any]:
    """Give what the card says beyond `FittedModel.facts`, as JSON can hold it.

    Parameters
    ----------
    model
        From `fit_model`.
    performance
        As `inference.performance` gives it; rows of other models are left out.
    coverage
        As `conformal.measured_coverage` gives it.
    scale
        The scale in words: name and version.

    Returns
    -------
    dict
        scale, intended_use, not_for, validation, limits, performance and coverage (a dict a row,
        None for a missing number).
    """
    limits = [*LIMITS, *([KEEPS_VECTORS] if _keeps_vectors(model) else [])]
    return {
        "scale": scale,
        "intended_use": INTENDED,
        "not_for": list(NOT_FOR),
        "validation": _validation(model.design),
        "limits": limits,
        "performance": _rows(performance[performance["model"] == model.recipe.name]),
        "coverage": _rows(coverage),
    }


def card(
    model: FittedModel,
    performance: pd.DataFrame,
    coverage: pd.DataFrame,
    scale: str,
    sha256: str,
) -> str:
    """Write the card as Markdown.

    Numbers have three significant digits; model.json and the tables have them in full.

    Parameters
    ----------
    model, performance, coverage, scale
        As for `card_facts`.
    sha256
        Of the archive, as `archive.save` gives it.
    """
    facts = card_facts(model, performance, coverage, scale)
    sections = {
        "": [f"# Model card: {scale}", "**Research use only. This is not a diagnostic device.**"],
        "Model": [_table(["what", "value"], _identity(model, sha256))],
        "Intended use": [INTENDED],
        "Not for": [_list(facts["not_for"])],
        "Training data": [_training(model), _table(SCORES, _scores(model))],
        "Validation": [facts["validation"]],
        "Performance": [
            "Out of fold, with intervals over participants. MAE is in points of the scale; R2 "
            "below 0 is worse than the training mean.",
            _table(["target", *SHOWN.values()], _performance(facts["performance"])),
        ],
        "Prediction intervals": [
            f"CV+ by participant, {model.level:.0%}. Measured on the cohort's own out-of-fold "
            "predictions, which is no independent test:",
            _table(["target", "covered", "mean width", "note"], _coverage(facts["coverage"])),
        ],
        "Limits": [_list(facts["limits"])],
        "Software": [_table(["what", "version"], model.versions.items())],
    }
    blocks = []
    for title, parts in sections.items():
        blocks += [f"## {title}"] * bool(title) + parts
    return "\n\n".join(blocks) + "\n"


def _keeps_vectors(model: FittedModel) -> bool:
    return any(
        coefficients(part.model) is None and part.model.estimator != "mean"
        for part in model.regressions
    )


def _validation(design: Design) -> str:
    outer = {
        "repeated": f"{design.n_folds} folds of participants, dealt {design.n_repeats} times",
        "lopo": "Leave one participant out",
        "loso": "Leave one site out",
    }[design.kind]
    return (
        f"{outer}; whatever is learnt or tuned, by {design.n_inner_folds} inner folds of "
        f"participants, is learnt from the training participants of a fold alone. Seed "
        f"{design.seed}."
    )


def _identity(model: FittedModel, sha256: str) -> list[tuple[str, str]]:
    recipe = model.recipe
    return [
        ("scale", model.scale),
        ("recipe", recipe.name),
        ("estimator", recipe.estimator),
        ("pooling of windows", recipe.pooling),
        ("covariates", f"{recipe.covariates} ({', '.join(model.covariates) or 'none'})"),
        ("encoder", model.features.encoder),
        ("fingerprint of its weights", model.features.fingerprint),
        ("SHA-256 of model.skops", sha256),
    ]


SCORES = ["target", "recordings", "participants", "mean", "SD", "lowest", "highest", "tuned"]


def _scores(model: FittedModel) -> list[list[str]]:
    return [
        [
            facts.target,
            str(facts.n_recordings),
            str(facts.n_participants),
            *map(_number, (facts.score_mean, facts.score_sd, facts.score_min, facts.score_max)),
            "the mean for everyone" if facts.mean_only else _tuned(facts.tuned.items()),
        ]
        for facts in model.targets
    ]


def _tuned(values: Iterable[tuple[str, Any]]) -> str:
    named = ((name, v if isinstance(v, str) else _number(v)) for name, v in values)
    return ", ".join(f"{name} {value}" for name, value in named)


def _training(model: FittedModel) -> str:
    counted = [
        f"{column}: {', '.join(f'{value} {n}' for value, n in counts.items())}"
        for column, counts in model.groups.items()
    ]
    who = f"{model.n_recordings} recordings of {model.n_participants} participants"
    return f"{'; '.join([who, *counted])}. Groups that are too small to be named are not counted."


def _performance(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    cells = {(row["target"], row["metric"]): row for row in rows}
    targets = list(dict.fromkeys(row["target"] for row in rows))
    return [
        [target, *(_estimate(cells.get((target, metric)), "value") for metric in SHOWN)]
        for target in targets
    ]


def _coverage(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [
        [row["target"], _estimate(row, "coverage"), _number(row["mean_width"]), row["note"] or ""]
        for row in rows
    ]


def _estimate(row: dict[str, Any] | None, name: str) -> str:
    if row is None or row[name] is None:
        return _number(None)
    return f"{_number(row[name])} ({_number(row['ci_low'])} to {_number(row['ci_high'])})"


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "\N{EN DASH}"
    return f"{value + 0.0:.3g}".replace("-", MINUS)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(name): getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
        for row in plain.to_dict("records")
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
