"""The tables that `fit` and `agree` may leave, made up for the tests of reports.

They have the columns and look of real ones; what the numbers are worth is tested where they are
made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic.report.questions import QUESTIONS

FORMS = ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)")
WHY = "undefined: all ratings are equal"


def report_tables(
    targets: pd.DataFrame, raters: Iterable[str], n: int, *, seed: int = 3, margin: float = np.nan
) -> dict[str, pd.DataFrame]:
    """Make every table of `QUESTIONS` for the targets and raters; `n` participants."""
    rng = np.random.default_rng(seed)
    names, raters = list(targets["target"]), list(raters)
    kinds = dict(targets[["target", "kind"]].itertuples(index=False, name=None))
    made = {
        "reliability": list(_reliability(rng, names, kinds, n)),
        "rater_diagnostics": [
            {"target": t, "rater": r, **row}
            for t in names
            for r in raters
            for row in _rows(rng, ("leniency", "spread ratio", "drift a year"), n)
        ],
        "rater_pairs": list(_pairs(rng, names, raters, n)),
        "limits": list(_limits(rng, names, n)),
        "equivalence": list(_equivalence(rng, names, n, margin)),
        "groups": [
            {"target": t, "group": "site", "level": level, **row}
            for t in names
            for level in ("A", "B")
            for row in _rows(rng, ("rater-rater ICC(A,1)", "model-rater ICC(A,1)"), n // 2)
        ],
        "rated_change": [
            {"target": t, **row}
            for t in names
            for row in _rows(rng, ("rater-rater ICC(A,1)", "model-rater ICC(A,1)"), n // 3)
        ],
        **_of_fit(rng, names, raters, n),
    }  # fmt: skip
    if len(raters) < 2:
        # nothing to be said of raters among themselves, nor of the model beside them
        for name in ("reliability", "rater_diagnostics", "rater_pairs", "equivalence", "groups"):
            del made[name]
    return {
        name: pd.DataFrame(rows, columns=list(QUESTIONS[name].columns))
        for name, rows in made.items()
    }


def _rows(rng: Any, statistics: Iterable[str], n: int, **same: Any) -> Iterator[dict[str, Any]]:
    for name in statistics:
        value = float(rng.uniform(0.2, 0.9))
        yield {"statistic": name, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.08,
               "n_subjects": n, "method": "made up", "note": "", **same}  # fmt: skip


def _reliability(
    rng: Any, names: list[str], kinds: dict[str, str], n: int
) -> Iterator[dict[str, Any]]:
    for place, target in enumerate(names):
        statistics = [
            *FORMS,
            "ICC(A,1) mixed",
            "ICC(C,1) mixed",
            "SEM (agreement)",
            "SDC (agreement)",
        ]
        if kinds[target] == "item":
            statistics += ["raw agreement", "within 1 point", "Fleiss' kappa", "AC1"]
            statistics += ["AC2 (quadratic)", "alpha (ordinal)"]
        for row in _rows(rng, statistics, n):
            if place == len(names) - 1:
                row |= {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "note": WHY}
            yield {"target": target, **row}


def _pairs(rng: Any, names: list[str], raters: list[str], n: int) -> Iterator[dict[str, Any]]:
    for target in names:
        for i, first in enumerate(raters):
            for second in raters[i + 1 :]:
                alone = (i, second) == (0, raters[-1]) and len(raters) > 2
                for row in _rows(rng, ("raw agreement", "within 1 point", "Spearman", "RMSE"), n):
                    if alone:
                        row |= {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan,
                                "n_subjects": 0, "note": "nothing rated in common"}  # fmt: skip
                    yield {"target": target, "rater_a": first, "rater_b": second, **row}


def _limits(rng: Any, names: list[str], n: int) -> Iterator[dict[str, Any]]:
    who = {"rater_a": "model", "rater_b": "consensus"}
    for target in names:
        for form in ("approximate", "exact", "percentage", "log ratio", "non-parametric"):
            for name, value in (("bias", 0.1), ("LoA lower", -2.2), ("LoA upper", 2.4)):
                row = next(_rows(rng, [name], n))
                row |= {"value": value, "ci_low": value - 0.4, "ci_high": value + 0.4}
                yield {"target": target, **who, "form": form, **row}
        for name, value in (("intercept", 1.0), ("slope", -0.3)):
            row = next(_rows(rng, [name], n)) | {"value": value}
            yield {"target": target, **who, "form": "proportional bias", **row}


def _equivalence(rng: Any, names: list[str], n: int, margin: float) -> Iterator[dict[str, Any]]:
    for place, target in enumerate(names):
        head = {"target": target, "role": "secondary" if place else "primary", "margin": margin}
        for name, value in (
            ("rater-rater ICC(A,1)", 0.8),
            ("model-rater ICC(A,1)", 0.7),
            ("difference of ICC(A,1)", -0.1),
            ("Williams' index", 0.9),
            ("share of the ceiling", 0.875),
        ):
            row = next(_rows(rng, [name], n))
            yield {**head, **row, "value": value, "ci_low": value - 0.06, "ci_high": value + 0.05}


def _of_fit(rng: Any, names: list[str], raters: list[str], n: int) -> dict[str, list[Any]]:
    nothing = {"n_participants": np.nan, "note": "not shown: fewer than 10 participants"}
    groups = [("sex", "F"), ("sex", "M"), ("rater", " and ".join(raters[:2]))]
    return {
        "comparison": [
            {"target": t, "model_a": "ridge", "model_b": b, "metric": m, "value_a": 0.6,
             "value_b": 0.5, "difference": 0.1, "ci_low": 0.02, "ci_high": 0.18,
             "p_corrected_t": 0.03, "n_participants": n, "note": ""}
            for t in names for b in ("ridge@mean", "mean") for m in ("mae", "ccc")
        ],
        "coverage": [
            {"target": t, "level": 0.95, "coverage": 0.94, "ci_low": 0.9, "ci_high": 0.97,
             "mean_width": 3.2, "n_participants": n, "note": ""}
            for t in names
        ],
        "subgroups": [
            {"target": t, "model": "ridge", "column": column, "group": group, "metric": m,
             **dict.fromkeys(("value", "ci_low", "ci_high", "difference", "difference_ci_low",
                              "difference_ci_high", "p"), np.nan if column == "rater" else 0.5),
             **(nothing if column == "rater" else {"n_participants": n // 2, "note": ""})}
            for t in names for column, group in groups for m in ("mae", "ccc")
        ],
        "learning_curve": [
            {"n_participants": size, "n_training": 0.9 * size, "draw": draw, "target": t,
             "model": "ridge", "metric": m, "value": float(rng.normal(0.5, 0.1))}
            for t in names for m in ("mae", "pearson", "ccc") for size in (10, 20, 30)
            for draw in (1, 2)
        ],
        "precision": [
            {"target": t, "statistic": s, "planning": 0.6, "width": w, "n": int(30 / w),
             "method": "made up"}
            for t in names for s in ("pearson", "ccc") for w in (0.1, 0.2, 0.3, 0.4)
        ],
        "stability": [
            {"target": t, "n_models": 9, "n_mean_only": 1, "cosine": 0.7, "sign_agreement": 0.8}
            for t in names
        ],
        "predicted_change": [
            {"target": t, "model": "ridge", "metric": m, "value": 0.4, "ci_low": 0.1,
             "ci_high": 0.6, "n_participants": n // 3, "note": ""}
            for t in names for m in ("mae", "r2", "pearson", "ccc")
        ],
    }  # fmt: skip
