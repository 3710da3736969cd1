"""The final model: fitted to all recordings, saved with skops, used on new ones."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray
from skops.io.exceptions import UntrustedTypesFoundException

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.files import sha256_bytes, write_bytes, write_json
from emoclip_clinic.regression import estimators
from emoclip_clinic.regression.crossval import align, participants_of, same_recordings
from emoclip_clinic.regression.estimators import Estimator
from emoclip_clinic.regression.folds import Design

__all__ = [
    "FILES",
    "PREDICTED",
    "Features",
    "FittedModel",
    "TargetFacts",
    "fit_model",
    "load",
    "predict",
    "residual_half_width",
    "save",
]

FILES = ("model.skops", "model.json")
"""What `save` writes: the regressions, and the facts about them."""
PREDICTED = [
    *("participant", "session", "recording", "scale", "target", "model"),
    *("predicted", "interval_low", "interval_high", "note"),
]
SEEN = "training participant: not an independent prediction"
# an archive with anything beyond these, numpy and scikit-learn is not opened
TRUSTED = [f"{kind.__module__}.{kind.__qualname__}" for kind in estimators.KINDS]
# the earliest time a zip archive can hold: equal models are equal bytes
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Features:
    """What the features of a model are; a model works with no others."""

    encoder: str
    """Name of the encoder."""
    fingerprint: str
    """Fingerprint of its weights."""
    pooling: str
    """How windows became a vector a recording."""

    def __str__(self) -> str:
        return f"{self.encoder} ({self.fingerprint[:12]}), pooled by {self.pooling}"


@dataclass(frozen=True)
class TargetFacts:
    """What is known about the model of one target."""

    target: str
    """Name of the item, subscale or total."""
    alpha: float | None
    """Ridge penalty chosen on all training participants; None where nothing is tuned."""
    n_recordings: int
    """Recordings it was fitted to."""
    n_participants: int
    """Participants it was fitted to."""
    lowest: float
    """Lowest possible score."""
    highest: float
    """Highest possible score."""
    half_width: float | None
    """Of the prediction interval, in points; None: too few residuals for the level."""


@dataclass(frozen=True)
class FittedModel:
    """Regressions of all targets of a scale, with what is needed to use them rightly."""

    scale: str
    """Name of the scale."""
    estimator: str
    """Name in `estimators.REGISTRY`."""
    features: Features
    """The features it was fitted to."""
    feature_names: tuple[str, ...]
    """Columns of the features, in order."""
    level: float
    """Of the prediction intervals."""
    targets: tuple[TargetFacts, ...]
    """In the order of the scale."""
    training: tuple[str, ...]
    """SHA-256 of the id of every training participant, to know them again; no anonymisation."""
    regressions: tuple[tuple[tuple[str, ...], Estimator], ...]
    """Targets that were fitted together, with their regression."""

    def facts(self) -> dict[str, Any]:
        """All but the regressions, as JSON can hold it."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del named["regressions"]
        return {
            **named,
            "features": asdict(self.features),
            "targets": [asdict(target) for target in self.targets],
        }


def fit_model(
    x: pd.DataFrame,
    targets: pd.DataFrame,
    participants: pd.Series,
    predictions: pd.DataFrame,
    *,
    scale: str,
    features: Features,
    ranges: Mapping[str, tuple[float, float]],
    design: Design,
    estimator: str = "ridge",
    level: float = 0.95,
) -> FittedModel:
    """Fit the model for new participants to all recordings.

    The penalty is tuned by folds of participants, as within each fold of the cross-validation.

    Parameters
    ----------
    x, targets, participants
        As given to `cross_validate`.
    predictions
        Its out-of-fold predictions: they say which targets can be fitted, and how wide the
        prediction intervals are.
    scale, features
        What is predicted, from what.
    ranges
        Lowest and highest possible score of each target.
    design
        Inner folds and seed.
    estimator
        Name in `estimators.REGISTRY`.
    level
        Of the prediction intervals.

    Returns
    -------
    FittedModel
        A model of every target in `predictions`.
    """
    own = predictions[predictions["model"] == estimator]
    x, targets, _ = align(x, targets[list(own["target"].unique())])
    groups = participants_of(x.index, participants)
    regressions, facts = [], {}
    for rows, names in same_recordings(targets):
        model = estimators.make(estimator, design.n_inner_folds, design.seed)
        model.fit(x.to_numpy()[rows], targets.loc[rows, names].to_numpy(), groups[rows])
        regressions.append((tuple(names), model))
        alphas = getattr(model, "alpha_", [None] * len(names))
        for name, alpha in zip(names, alphas, strict=True):
            table = own[own["target"] == name]
            width = residual_half_width(table["observed"] - table["predicted"], level)
            facts[name] = TargetFacts(
                target=name,
                alpha=None if alpha is None else float(alpha),
                n_recordings=int(rows.sum()),
                n_participants=len(set(groups[rows])),
                lowest=float(ranges[name][0]),
                highest=float(ranges[name][1]),
                half_width=width,
            )
    return FittedModel(
        scale=scale,
        estimator=estimator,
        features=features,
        feature_names=tuple(map(str, x.columns)),
        level=level,
        targets=tuple(facts[str(name)] for name in targets),
        training=tuple(sorted({_hashed(name) for name in groups})),
        regressions=tuple(regressions),
    )


def residual_half_width(residuals: pd.Series, level: float) -> float | None:
    """Half width of an interval from out-of-fold residuals.

    The ceil((n + 1) level)-th smallest absolute residual, as in split conformal prediction: if a
    new participant's residual is exchangeable with the n out-of-fold ones, prediction +- this
    holds the score with probability `level`. Here that is approximate (the final model has seen
    more recordings than those of the folds; recordings of one person are not independent; the
    width is one for all, whoever is predicted). None where n is too small for the level.
    """
    rank = ceil((len(residuals) + 1) * level)
    if rank > len(residuals):
        return None
    return float(np.sort(residuals.abs())[rank - 1])


def _hashed(participant: str) -> str:
    return sha256_bytes(participant.encode())


def predict(
    model: FittedModel, x: pd.DataFrame, recordings: pd.DataFrame, features: Features
) -> pd.DataFrame:
    """Predict every target of new recordings.

    Parameters
    ----------
    model
        From `fit_model` or `load`.
    x
        Features; index recording, columns as in training.
    recordings
        Columns recording, participant, session; may hold further recordings.
    features
        What `x` was made with.

    Returns
    -------
    DataFrame
        Columns `PREDICTED`. The prediction and its interval are cut to the range of the scale,
        which can only bring them nearer to a score; an interval that the number of training
        recordings cannot support is the whole range. `note` marks participants whose recordings
        the model was fitted to.

    Raises
    ------
    ClinicError
        The features are of another encoder, pooling or width, or a recording is unknown.
    """
    if features != model.features or list(map(str, x.columns)) != list(model.feature_names):
        raise ClinicError(
            f"the model of {model.scale} was fitted to {len(model.feature_names)} features of "
            f"{model.features}; given are {x.shape[1]} features of {features}. Encode the "
            f"recordings with --encoder {model.features.encoder}, or fit a model to these features."
        )
    keys = recordings.set_index("recording").reindex(x.index)
    groups = participants_of(x.index, keys["participant"])
    seen = np.isin([_hashed(name) for name in groups], model.training)
    values = x.to_numpy(dtype=float)
    predicted: dict[str, NDArray[np.float64]] = {}
    for names, regression in model.regressions:
        predicted.update(zip(names, regression.predict(values).T, strict=True))
    parts = [
        pd.DataFrame(
            {
                "participant": groups,
                "session": keys["session"].to_numpy(),
                "recording": x.index,
                "scale": model.scale,
                "target": facts.target,
                "model": model.estimator,
                "note": np.where(seen, SEEN, ""),
                **_within_range(predicted[facts.target], facts),
            }
        )
        for facts in model.targets
    ]
    return pd.concat(parts, ignore_index=True)[PREDICTED]


def _within_range(predicted: NDArray[np.float64], facts: TargetFacts) -> dict[str, Any]:
    half = np.inf if facts.half_width is None else facts.half_width
    limits = {
        "predicted": predicted,
        "interval_low": predicted - half,
        "interval_high": predicted + half,
    }
    return {name: np.clip(value, facts.lowest, facts.highest) for name, value in limits.items()}


def save(model: FittedModel, folder: Path) -> None:
    """Write `FILES` into the folder; equal models give equal bytes."""
    content = [{"targets": list(names), "model": fitted} for names, fitted in model.regressions]
    archive = _canonical(skops.io.dumps(content))
    write_bytes(folder / FILES[0], archive)
    write_json(folder / FILES[1], {**model.facts(), "sha256": sha256_bytes(archive)})


def _canonical(archive: bytes) -> bytes:
    """Make a skops archive a function of its content alone.

    skops names objects by their memory address and zip stamps the time: number them instead, in
    order of appearance, at one time.
    """
    numbers: dict[int, int] = {}
    renamed = {}

    def renumber(node: dict[str, Any]) -> dict[str, Any]:
        if "__loader__" in node and "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
            if "file" in node:
                renamed[node["file"]] = f"{node['__id__']}{Path(node['file']).suffix}"
                node["file"] = renamed[node["file"]]
        return node

    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(output, "w") as new:
        schema = json.loads(old.read("schema.json"), object_hook=renumber)
        for name, stored in renamed.items():
            new.writestr(zipfile.ZipInfo(stored, ZIP_EPOCH), old.read(name))
        new.writestr(zipfile.ZipInfo("schema.json", ZIP_EPOCH), json.dumps(schema))
    return output.getvalue()


def load(folder: Path) -> FittedModel:
    """Read a saved model; nothing but numpy, scikit-learn and this package's classes is made.

    Raises
    ------
    ClinicError
        A file is absent or damaged, does not belong to the other, or holds anything else.
    """
    archive_path, facts_path = (folder / name for name in FILES)
    again = "Fit the model again, or copy the whole folder again."
    try:
        archive, facts = archive_path.read_bytes(), json.loads(facts_path.read_bytes())
        if facts.pop("sha256") != sha256_bytes(archive):
            raise ClinicError(f"{archive_path} is not the file that {FILES[1]} describes. {again}")
        return _model(facts, skops.io.loads(archive, trusted=TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ClinicError(
            f"{archive_path} holds code that is not of this package and was not opened ({error}). "
            "Use models from 'emoclip-clinic fit' only."
        ) from error
    except OSError as error:
        raise ClinicError(f"{folder}: no model can be read ({error.strerror}). {again}") from error
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ClinicError(f"{folder} does not hold a model of this package. {again}") from error


def _model(facts: dict[str, Any], content: list[dict[str, Any]]) -> FittedModel:
    facts["features"] = Features(**facts["features"])
    facts["targets"] = [TargetFacts(**target) for target in facts["targets"]]
    for name in ("feature_names", "targets", "training"):
        facts[name] = tuple(facts[name])
    regressions = tuple((tuple(part["targets"]), part["model"]) for part in content)
    return FittedModel(**facts, regressions=regressions)
