"""demo: a synthetic study with a known truth, taken through every stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.running import run
from emoclip_clinic.report.numbers import interval, number
from emoclip_clinic.settings import EncodeSettings, ReportSettings, Settings, StudySettings
from emoclip_clinic.study import Study

__all__ = ["demo", "summary"]

SCALE = "panss"
SETTINGS = Settings(
    study=StudySettings(title="Demonstration: drawn faces, invented ratings", seed=1),
    encode=EncodeSettings(encoder="emoclip-demo", protocol="dense", faces="none"),
    report=ReportSettings(primary=("N1",)),
)


def demo(
    folder: Path, *, seed: int | None = None, progress: Progress = quiet
) -> Iterator[StageResult]:
    """Make a synthetic study in `folder` and run every stage on it.

    A demonstration that was stopped goes on; the same seed gives the same study.

    Raises
    ------
    StudyError
        The folder holds something else, or a demonstration made with another seed.
    """
    from emoclip_clinic.demo.cohort import make_cohort

    settings = SETTINGS
    if seed is not None:
        settings = replace(settings, study=replace(settings.study, seed=seed))
    if folder.exists() and _holds_more(folder) and not _is_demo(folder):
        raise StudyError(f"{folder} is not empty and no demonstration. Name another folder.")
    study = Study.create(folder, settings)
    made_with = study.settings.study.seed
    if seed not in (None, made_with):
        raise StudyError(
            f"{folder} is a demonstration made with seed {made_with}. Name another folder for "
            f"seed {seed}."
        )
    stamp = study.stamp("demo", [], {"seed": made_with})
    fresh = study.is_fresh(stamp)
    if not fresh:
        make_cohort(folder, seed=made_with, progress=progress)
        written = [folder / "participants.csv", folder / "ratings.csv"]
        study.record(stamp, [*written, *sorted((folder / "truth").iterdir())])
    yield StageResult(
        stage="demo",
        message="up to date." if fresh else "a synthetic study: drawn faces, invented ratings.",
        written=(folder / "truth" / "truth.json",),
        fresh=fresh,
    )
    yield from run(study, progress=progress)


def _holds_more(folder: Path) -> bool:
    # cache/ is made by whichever library is first to keep something
    return any(path.name != "cache" for path in folder.iterdir())


def _is_demo(folder: Path) -> bool:
    try:
        return Study(folder).settings.study.title == SETTINGS.study.title
    except StudyError:
        return False


def summary(folder: Path) -> list[tuple[str, str, str, str]]:
    """Set what was put into the demonstration beside what was found.

    Returns
    -------
    list
        What, known truth, found, interval: texts for a table.
    """
    study = Study(folder)
    truth = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    agreement = pd.read_csv(study.agreement_csv(SCALE))
    skill = pd.read_csv(study.model_dir(SCALE) / "performance.csv")
    raters = agreement[
        (agreement["rater_a"] == "all") & (agreement["statistic"] == "ICC(A,1)")
    ].set_index("target")
    model = agreement[
        (agreement["comparison"] == "model-consensus") & (agreement["statistic"] == "ICC(A,1)")
    ].set_index("target")
    pearson = skill[(skill["model"] == "ridge") & (skill["metric"] == "pearson")].set_index(
        "target"
    )
    rows = []
    for target in ("N1", "P1", "negative", "total"):
        known = truth["targets"][target]["icc_a1"]
        rows.append((f"{target}: ICC(A,1) of the raters", f"{known:.2f}", *_found(raters, target)))
    for target, loading in (("N1", "driven by the face"), ("P1", "nothing in the face")):
        rows.append((f"{target}: Pearson of the model", loading, *_found(pearson, target)))
        rows.append((f"{target}: ICC(A,1) of the model", loading, *_found(model, target)))
    return rows


def _found(table: pd.DataFrame, target: str) -> tuple[str, str]:
    # a model that says nothing beyond the mean correlates with nothing: a dash
    value, low, high = table.loc[[target], ["value", "ci_low", "ci_high"]].to_numpy(float)[0]
    return number(value), interval(low, high)
