"""What `agree` shows: the model beside the clinicians, and what it means."""

from __future__ import annotations

from typing import Any

import pandas as pd

from emoclip_clinic.agreement.equivalence import DIFFERENCE, MODEL, RATERS
from emoclip_clinic.report.numbers import DASH, number, p_value

__all__ = ["comparison_table", "comparison_words"]

ALPHA = 0.025
"""Of a one-sided test: the 95 % interval of both sides begins above the margin."""


def comparison_table(table: pd.DataFrame) -> pd.DataFrame:
    """Give a row a target, in texts: ICC(A,1) of raters, of the model, and their difference.

    Parameters
    ----------
    table
        As `agreement.equivalence` returns it.
    """
    by_target: dict[str, dict[str, Any]] = {}
    for row in table.to_dict("records"):
        by_target.setdefault(row["target"], {})[row["statistic"]] = row
    rows = [
        {
            "target": target,
            "n": str(int(found[MODEL]["n_subjects"])),
            "raters": number(found[RATERS]["value"]),
            "model": number(found[MODEL]["value"]),
            "difference [95 %]": _cell(found[DIFFERENCE]),
            "p corr.": p_value(found[DIFFERENCE]["p_corrected"])
            .removeprefix("p ")
            .removeprefix("= "),
            "verdict": _word(found[DIFFERENCE]["verdict"]),
        }
        for target, found in by_target.items()
    ]
    made = pd.DataFrame(rows)
    tested = table["margin"].notna().any()
    return made if tested else made.drop(columns=["p corr.", "verdict"])


def _word(value: Any) -> str:
    return value if isinstance(value, str) else DASH


def _cell(row: dict[str, Any]) -> str:
    value = number(row["value"])
    if value == DASH or pd.isna(row["ci_low"]):
        return value
    return f"{value} [{number(row['ci_low'])}, {number(row['ci_high'])}]"


def comparison_words(table: pd.DataFrame) -> tuple[str, ...]:
    """Say what the table shows, and what not."""
    what = (
        "ICC(A,1), agreement of single scores: raters with each other, and the model with them, on "
        "the same visits."
    )
    tested = table[(table["statistic"] == DIFFERENCE) & table["margin"].notna()]
    if tested.empty:
        none = (
            "No margin was set beforehand ([agree] margin in study.toml): whether the model is as "
            "good as another clinician is not tested."
        )
        return what, none
    if tested["p_corrected"].isna().all():
        return what, f"Nothing could be tested against the margin: {tested['note'].iloc[0]}."
    names = ", ".join(tested.loc[tested["p_corrected"] <= ALPHA, "target"]) or "no target"
    found = (
        f"Not inferior by the margin of {tested['margin'].iloc[0]:g}, corrected for the number of "
        f"targets (one-sided p at most {ALPHA}): {names}. Open is not equal: the interval holds "
        "both."
    )
    return what, found
