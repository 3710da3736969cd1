"""The one table of `fit` that is read first, as texts, and the words below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic.report.numbers import estimate, number, p_value

__all__ = ["read_table", "skill_table"]


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
    rows = []
    for facts in targets[targets["target"].isin(own["target"])].to_dict("records"):
        target = facts["target"]

        def found(metric: str, target: str = target) -> str:
            row: Any = by_metric[metric].loc[target]
            return estimate(row["value"], row["ci_low"], row["ci_high"])

        mae = number(by_metric["mae"].loc[target, "value"])
        rows.append(
            {
                "target": target,
                "label": facts["label"],
                "n": str(int(by_metric["mae"].loc[target, "n_participants"])),
                "r (95 % interval)": found("pearson"),
                **({"corrected p": _bare(p.get(target))} if len(tested) else {}),
                "CCC (95 % interval)": found("ccc"),
                "R2": number(by_metric["r2"].loc[target, "value"]),
                "MAE (of the mean)": f"{mae} ({number(baseline.get(target))})",
            }
        )
    return pd.DataFrame(rows)


def _bare(p: float | None) -> str:
    # the column says what it is
    return p_value(p).removeprefix("p ").removeprefix("= ")
