"""The one table of `fit` that is read first, as texts, and the words below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic.regression.interpretation import words
from emoclip_clinic.report.numbers import DASH, number, p_value

__all__ = ["read_table", "skill_table", "skill_words"]


def read_table(path: Path, *texts: str) -> pd.DataFrame:
    """Read a table of a model's folder, empty where there is none; the columns named are text."""
    if not path.is_file():
        return pd.DataFrame()
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])


def skill_table(folder: Path, own: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Give a row a target: association with its p, agreement, error beside that of the mean.

    Parameters
    ----------
    folder
        Of the model.
    own
        The rows of performance.csv of the reported model.
    targets
        As `scales.targets` gives them.

    Returns
    -------
    DataFrame
        Texts, in the order of the scale.
    """
    everyone = read_table(folder / "performance.csv")
    means = everyone[(everyone["model"] == "mean") & (everyone["metric"] == "mae")]
    baseline = means.set_index("target")["value"]
    tested = read_table(folder / "permutation.csv")
    p = pd.Series(dtype=float)
    if len(tested):
        p = tested[tested["metric"] == "pearson"].set_index("target")["p_max_t"]
    by_metric = {name: rows.set_index("target") for name, rows in own.groupby("metric")}
    rows = [
        {
            "target": target,
            "n": str(int(by_metric["mae"].loc[target, "n_participants"])),
            "r [95 % interval]": _with_interval(by_metric["pearson"].loc[target]),
            **({"p corr.": _bare(p.get(target))} if len(tested) else {}),
            "CCC": number(by_metric["ccc"].loc[target, "value"]),
            "R2": number(by_metric["r2"].loc[target, "value"]),
            "MAE": number(by_metric["mae"].loc[target, "value"]),
            "of mean": number(baseline.get(target)),
        }
        for target in targets.loc[targets["target"].isin(own["target"]), "target"]
    ]
    return pd.DataFrame(rows)


def _with_interval(row: Any) -> str:
    value = number(row["value"])
    if value == DASH:
        return value
    return f"{value} [{number(row['ci_low'])}, {number(row['ci_high'])}]"


def skill_words(folder: Path, own: pd.DataFrame) -> tuple[str, ...]:
    """Say what the table means, and what it does not."""
    tested = read_table(folder / "permutation.csv")
    return tuple(words(own, tested if len(tested) else None))


def _bare(p: float | None) -> str:
    # the column says what it is
    return p_value(p).removeprefix("p ").removeprefix("= ")
