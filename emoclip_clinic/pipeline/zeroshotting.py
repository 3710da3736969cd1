"""zeroshot: recognise clips by words alone, beside the baselines, on the same clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import __version__, files
from emoclip_clinic.errors import DatasetError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.embeddings import Embedded, embed_clips, refuse_many
from emoclip_clinic.pipeline.methods import Method, methods, predict_all, towers
from emoclip_clinic.pipeline.recognised import difference_table, score_tables
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.report.numbers import estimate, number
from emoclip_clinic.report.recognition import recognition, write_figure
from emoclip_clinic.scan import safe_id
from emoclip_clinic.settings import StudySettings
from emoclip_clinic.training.datasets import Dataset, read_dataset
from emoclip_clinic.training.metrics import LEVEL
from emoclip_clinic.training.prompts import find_prompts, read_prompts
from emoclip_clinic.training.zeroshot import Sampling

__all__ = ["RESAMPLES", "plain", "shown", "zeroshot"]

RESAMPLES = 2000
CENTRE = Sampling()
"""One window at the centre of each clip."""


def zeroshot(
    name: str,
    root: Path | None = None,
    *,
    study: Path = Path(),
    fold: int | None = None,
    split: str = "test",
    encoder: str = "emoclip",
    prompts: str = "emotions",
    baseline: str = "auto",
    sampling: Sampling = CENTRE,
    output: Path | None = None,
    max_broken: float = 0.01,
    resamples: int = RESAMPLES,
    seed: int | None = None,
    device: str = "auto",
    weights: Path | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Recognise the clips of a dataset by the similarity of their embeddings to words.

    Parameters
    ----------
    name, root, fold, split
        As for `emoclip_clinic.training.datasets.read_dataset`; without a fold, the clips of all.
    study
        Where the results go (zeroshot/DATASET_ENCODER), and where own descriptions are looked for.
    encoder, baseline, device, weights
        As for `emoclip_clinic.pipeline.methods.towers`.
    prompts
        A set of descriptions, by name or path.
    sampling
        Which frames of a clip.
    output
        Another folder for the results: scores.csv, confusion.csv, differences.csv,
        predictions.csv, result.json, figure.pdf and the embeddings.
    max_broken
        Share of clips that may fail to decode; they are listed.
    resamples, seed
        Of the bootstrap, over participants where they are known, else over clips.
    progress
        Told of clips.

    Raises
    ------
    DatasetError
        Dataset, fold or split are not there, no clip has a label, or too many do not decode.
    SettingsError
        The descriptions lack a class, or their file is wrong.
    EncoderError
        The weights are missing, or have no text tower.
    """
    dataset = read_dataset(name, root, fold=fold)
    clips, unlabelled = _labelled(dataset, split)
    words_file = find_prompts(prompts, study)
    words = read_prompts(words_file)
    chosen, notes = towers(encoder, baseline, weights, device)
    # before hours of encoding: a class without words, an encoder without a text tower
    ways = methods(chosen, words, dataset.classes)
    folder = output or study / "zeroshot" / f"{safe_id(dataset.name)}_{encoder_label(encoder)}"
    made = _embed(ways, clips, sampling, folder, progress)
    lost = refuse_many(clips, _reasons(made), max_broken)
    predictions = predict_all(ways, clips, dataset.classes, made)
    seed = StudySettings.seed if seed is None else seed
    facts = {
        "dataset": {"name": dataset.name, "classes": dataset.classes, "fold": fold, "split": split},
        "prompts": {"title": words.title, "sha256": files.sha256_file(words_file)},
        "sampling": asdict(sampling),
        "bootstrap": {"resamples": resamples, "seed": seed, "level": LEVEL},
        "notes": [*dataset.notes, *notes],
        **_versions(ways),
    }
    tables = _tables(predictions, dataset.classes, resamples, seed)
    written = _write(folder, tables, facts)
    left_out = pd.concat([dataset.exclusions, unlabelled, lost], ignore_index=True)
    return _result(facts, tables["scores"], written, left_out)


def _result(
    facts: dict[str, Any], scores: pd.DataFrame, written: tuple[Path, ...], left_out: pd.DataFrame
) -> StageResult:
    n_clips, n_classes = int(scores["n_clips"].iloc[0]), len(facts["dataset"]["classes"])
    return StageResult(
        stage="zeroshot",
        message=f"{counted(n_clips, 'clip')} of {n_classes} classes.",
        written=written,
        exclusions=left_out,
        notes=tuple(facts["notes"]),
        summary={"n_clips": n_clips, "scores": plain(_overall(scores))},
        table=shown(scores),
        words=(
            "WAR is the share of clips recognised, UAR the mean recall of the classes, with 95 % "
            f"intervals; guessing gives a UAR of {number(1 / n_classes)}.",
        ),
    )


def _labelled(dataset: Dataset, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the clips of a split that have one class, each once, and those that have not."""
    clips = dataset.part(split).drop_duplicates(["path", "label"])
    none, several = clips["label"] == "", clips.duplicated("path", keep=False)
    left_out = [
        *(Exclusion("zeroshot", "clip", str(clip), "no label") for clip in clips["clip"][none]),
        *(
            Exclusion("zeroshot", "clip", str(clip), "listed with several labels")
            for clip in clips["clip"][several & ~none].unique()
        ),
    ]
    kept = clips[~none & ~several].reset_index(drop=True)
    if kept.empty:
        raise DatasetError(
            f"no clip of the split {split} of {dataset.name} has a label. Give the manifest a "
            "column label."
        )
    return kept, exclusion_table(left_out)


def _embed(
    ways: Sequence[Method], clips: pd.DataFrame, sampling: Sampling, folder: Path, told: Progress
) -> dict[str, Embedded]:
    """Embed the clips with every encoder, by fingerprint; one that serves twice works once."""
    encoders = {way.tower.encoder.fingerprint: way.tower.encoder for way in ways}
    return {
        key: embed_clips(encoder, clips, sampling, folder / "embeddings" / key[:12], told)
        for key, encoder in encoders.items()
    }


def _reasons(made: Mapping[str, Embedded]) -> list[str]:
    """Say of each clip why an encoder could not read it; mostly empty."""
    by_encoder = [one.reasons for one in made.values()]
    return [next(filter(None, reasons), "") for reasons in zip(*by_encoder, strict=True)]


def _versions(ways: Sequence[Method]) -> dict[str, Any]:
    used = {way.tower.name: way.tower.encoder.fingerprint for way in ways}
    libraries = ("torch", "open_clip_torch", "numpy", "opencv-python-headless")
    return {
        "encoders": [{"name": name, "sha256": value} for name, value in used.items()],
        "versions": {"emoclip-clinic": __version__, **{one: version(one) for one in libraries}},
    }


def _tables(
    predictions: pd.DataFrame, classes: Sequence[str], resamples: int, seed: int
) -> dict[str, pd.DataFrame]:
    scores, confusion = score_tables(predictions, classes, resamples, seed)
    return {
        "scores": scores,
        "confusion": confusion,
        "differences": difference_table(predictions, classes, resamples, seed),
        "predictions": predictions,
    }


def _write(
    folder: Path, tables: dict[str, pd.DataFrame], facts: dict[str, Any]
) -> tuple[Path, ...]:
    written = [folder / f"{name}.csv" for name in tables]
    for path, table in zip(written, tables.values(), strict=True):
        files.write_csv(path, table)
    figure, result = folder / "figure.pdf", folder / "result.json"
    title = f"{facts['dataset']['name']}: zero-shot recognition by words"
    write_figure(figure, recognition(tables["scores"], tables["confusion"], title))
    numbers = {name: plain(tables[name]) for name in ("scores", "confusion", "differences")}
    files.write_json(result, {**facts, **numbers})
    return (*written[:3], figure, result, written[3])


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, which has no NaN."""
    return [
        {
            str(key): None if isinstance(value, float) and math.isnan(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _overall(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["statistic"].isin(["WAR", "UAR"])]


def shown(scores: pd.DataFrame) -> pd.DataFrame:
    """Write WAR and UAR of every method as texts."""
    rows = []
    for (method, prompts), found in _overall(scores).groupby(["method", "prompts"], sort=False):
        numbers = found[["value", "ci_low", "ci_high"]].to_numpy(dtype=float)
        told = dict(zip(found["statistic"], (estimate(*row) for row in numbers), strict=True))
        rows.append({"method": method, "prompts": prompts, **told})
    return pd.DataFrame(rows)
