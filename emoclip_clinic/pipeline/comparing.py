"""zeroshot --compare: the paired difference of two results on the clips that both have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.errors import DatasetError
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.recognised import difference
from emoclip_clinic.pipeline.zeroshotting import RESAMPLES
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.report.numbers import estimate
from emoclip_clinic.settings import StudySettings

__all__ = ["compare_zeroshot"]


def compare_zeroshot(
    one: Path,
    other: Path,
    *,
    output: Path | None = None,
    resamples: int = RESAMPLES,
    seed: int | None = None,
) -> StageResult:
    """Compare two results of `zeroshot`, method by method of the same prompts.

    Of each folder the first method (the encoder, not its baseline) is taken, with descriptions and,
    where both have them, with labels. Clips that only one has are left out.

    Parameters
    ----------
    one, other
        Folders that `zeroshot` wrote.
    output
        The CSV; differences_ONE_OTHER.csv beside the first folder if it is not given.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    DatasetError
        A folder holds no result, the classes differ, a clip has another label, or no clip is
        common.
    """
    results = [_read(folder) for folder in (one, other)]
    classes = results[0][0]
    if set(classes) != set(results[1][0]):
        raise DatasetError(
            f"{one} has the classes {', '.join(classes)}, {other} has {', '.join(results[1][0])}: "
            "only results on the same classes can be compared."
        )
    seed = StudySettings.seed if seed is None else seed
    pairs = list(_pairs(results[0][1], results[1][1]))
    table = pd.concat(
        [difference(first, second, classes, resamples, seed) for first, second in pairs],
        ignore_index=True,
    )
    path = output or one.parent / f"differences_{one.name}_{other.name}.csv"
    files.write_csv(path, table)
    return StageResult(
        stage="zeroshot",
        message=f"{one.name} less {other.name} on {counted(len(pairs[0][0]), 'clip')} of both.",
        written=(path,),
        exclusions=_only_one(results[0][1], results[1][1]),
        summary={"differences": json.loads(table.to_json(orient="records", double_precision=15))},
        table=pd.DataFrame(
            {
                "prompts": table["prompts_a"],
                "statistic": table["statistic"],
                "difference": [
                    estimate(*row)
                    for row in table[["value", "ci_low", "ci_high"]].to_numpy(dtype=float)
                ],
            }
        ),
    )


def _read(folder: Path) -> tuple[list[str], pd.DataFrame]:
    """Read the classes of a result, and the predictions of its first method."""
    try:
        facts: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        classes = list(facts["dataset"]["classes"])
        table = pd.read_csv(folder / "predictions.csv", dtype={"clip": str, "participant": str})
        table["participant"] = table["participant"].fillna("")
        return classes, table[table["method"] == table["method"].iloc[0]]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DatasetError(
            f"{folder} holds no result of 'emoclip-clinic zeroshot' ({error}). Give the two "
            "folders that it wrote."
        ) from error


def _pairs(one: pd.DataFrame, other: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Give the rows of both on the same clips, for each kind of prompts that both have."""
    for prompts in one["prompts"].unique():
        first, second = (
            table[table["prompts"] == prompts].set_index("clip") for table in (one, other)
        )
        if second.empty:
            continue
        both = first.index.intersection(second.index)
        if both.empty:
            raise DatasetError("the two results have no clip in common: nothing can be compared.")
        first, second = first.loc[both].reset_index(), second.loc[both].reset_index()
        differ = first["truth"] != second["truth"]
        if differ.any():
            raise DatasetError(
                f"{int(differ.sum())} clips have another label in the second result (first: "
                f"{first['clip'][differ].iloc[0]}): they are not the same clips."
            )
        yield first, second


def _only_one(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    alone = sorted(set(one["clip"]) ^ set(other["clip"]))
    return exclusion_table(
        Exclusion("zeroshot", "clip", clip, "in one of the two results only") for clip in alone
    )
