"""The tables that answer a question each, made by `fit` and `agree`; not every study has all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["QUESTIONS", "Question"]

AGREEMENT = (
    "target", "statistic", "value", "ci_low", "ci_high", "n_subjects", "method", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A table that a report shows where the study has it."""

    stage: str
    """The command that makes it: "fit" or "agree"."""
    file: str
    """Its name in models/<scale>/ or agreement/<slug>/, without its suffix."""
    columns: tuple[str, ...]
    """The columns it must have; more are allowed."""


QUESTIONS: Mapping[str, Question] = {
    "comparison": Question(
        "fit", "comparison",
        ("target", "model_a", "model_b", "metric", "value_a", "value_b", "difference", "ci_low",
         "ci_high", "p_corrected_t", "n_participants", "note"),
    ),
    "coverage": Question(
        "fit", "intervals",
        ("target", "level", "coverage", "ci_low", "ci_high", "mean_width", "n_participants",
         "note"),
    ),
    "subgroups": Question(
        "fit", "subgroups",
        ("target", "model", "column", "group", "metric", "value", "ci_low", "ci_high",
         "difference", "difference_ci_low", "difference_ci_high", "p", "n_participants", "note"),
    ),
    "learning_curve": Question(
        "fit", "learning_curve",
        ("n_participants", "n_training", "draw", "target", "model", "metric", "value"),
    ),
    "precision": Question(
        "fit", "precision", ("target", "statistic", "planning", "width", "n", "method")
    ),
    "stability": Question(
        "fit", "stability", ("target", "n_models", "n_mean_only", "cosine", "sign_agreement")
    ),
    "predicted_change": Question(
        "fit", "change",
        ("target", "model", "metric", "value", "ci_low", "ci_high", "n_participants", "note"),
    ),
    "reliability": Question("agree", "reliability", AGREEMENT),
    "rater_diagnostics": Question("agree", "raters", ("rater", *AGREEMENT)),
    "rater_pairs": Question("agree", "pairs", ("rater_a", "rater_b", *AGREEMENT)),
    "limits": Question("agree", "limits", ("rater_a", "rater_b", "form", *AGREEMENT)),
    "equivalence": Question("agree", "equivalence", ("role", "margin", *AGREEMENT)),
    "groups": Question("agree", "groups", ("group", "level", *AGREEMENT)),
    "rated_change": Question("agree", "change", AGREEMENT),
}  # fmt: skip
"""By the name that blocks use."""
