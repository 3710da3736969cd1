"""What the report of one participant says: predictions by models that never saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from emoclip_clinic import features, participants
from emoclip_clinic.errors import ClinicError, StudyError
from emoclip_clinic.pipeline.sources import Rated, read_participants
from emoclip_clinic.pipeline.tuning import frames_of, tunes
from emoclip_clinic.regression import FittedModel, Inputs, load
from emoclip_clinic.regression.conformal import cv_plus, fewest_participants
from emoclip_clinic.regression.drivers import drivers
from emoclip_clinic.regression.fitted import Regression
from emoclip_clinic.report import Person, ReportData
from emoclip_clinic.resources import close_matches
from emoclip_clinic.study import Study

__all__ = ["of_person"]

LEVEL = 0.95
WINDOWS = ["recording", "session", "start_s", "stop_s", "status", "target", "contribution"]
# a residual that is found again differs by rounding error only, as a share of the scale's range
SAME = 1e-6


def of_person(
    study: Study, rated: Rated, everyone: ReportData, name: str, label: str, *, named: bool
) -> ReportData:
    """Make of the cohort's report data that of one participant.

    Parameters
    ----------
    study, rated
        Where the features and the model lie; the ratings.
    everyone
        The data of the cohort's report.
    name
        The participant, as in participants.csv.
    label
        Of the encoder's features.
    named
        Whether the report names them.

    Raises
    ------
    StudyError
        The participant has no out-of-fold prediction.
    """
    table = everyone.predictions[everyone.predictions["model"] == everyone.model]
    own = table[table["participant"] == name]
    if own.empty:
        known = sorted(set(table["participant"]))
        raise StudyError(
            f"participant {name!r} has no prediction on {everyone.scale}. "
            f"{close_matches(name, known)}Predicted are {', '.join(known[:20])}"
            f"{' and others' if len(known) > 20 else ''}; exclusions.csv says why others are not."
        )
    recordings = everyone.recordings[everyone.recordings["participant"] == name]
    mine = recordings["recording"]
    windows, unseen = _windows(study, everyone, own, label)
    scored = rated.scored[rated.scored["participant"] == name]
    n_others = table["participant"].nunique() - 1
    person = Person(
        name=name if named else "",
        scores=_scores(everyone, table, own),
        ratings=scored[["session", "rater", "target", "value"]].reset_index(drop=True),
        windows=windows,
        level=LEVEL,
        n_others=n_others,
        limited=n_others < fewest_participants(LEVEL),
        unseen=unseen,
    )
    return replace(
        everyone,
        person=person,
        recordings=recordings,
        quality=everyone.quality[everyone.quality["recording"].isin(mine)],
        segments=everyone.segments[everyone.segments["recording"].isin(mine)],
    )


def _scores(everyone: ReportData, table: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Give each target's out-of-fold prediction a visit, with an interval from other people.

    The interval is the prediction plus and minus the quantile of the absolute out-of-fold residuals
    of all other participants, each weighing the same (`conformal.cv_plus` of one fold).
    """
    spans = everyone.targets.set_index("target")[["minimum", "maximum"]].astype(float)
    numbers = ["observed", "predicted"]
    by_visit = own.groupby(["session", "target"], sort=False)[numbers].mean().reset_index()
    others = table[table["participant"] != own["participant"].iloc[0]]
    parts = []
    for target, rows in by_visit.groupby("target", sort=False):
        theirs = others[others["target"] == target]
        predicted = rows["predicted"].to_numpy(float)
        low, high = np.full((2, len(rows)), np.inf) * [[-1], [1]]
        if len(theirs):
            low, high = cv_plus(
                predicted[:, np.newaxis],
                (theirs["observed"] - theirs["predicted"]).to_numpy(float),
                np.zeros(len(theirs), dtype=np.intp),
                theirs["participant"].to_numpy(),
                LEVEL,
            )
        lowest, highest = spans.loc[str(target)].to_numpy(float)
        # both are cut to the range of the scale, as 'predict' does
        cut = {"predicted": predicted, "low": low, "high": high}
        parts.append(
            rows.assign(**{key: np.clip(value, lowest, highest) for key, value in cut.items()})
        )
    return pd.concat(parts, ignore_index=True)


def _windows(
    study: Study, everyone: ReportData, own: pd.DataFrame, label: str
) -> tuple[pd.DataFrame, bool]:
    """Say how much each window moves each score, and whether by models that never saw the person.

    Empty where features or model are not there, or not of one another.
    """
    nothing = pd.DataFrame(columns=WINDOWS), True
    try:
        model = load(study.model_dir(everyone.scale))
        names = sorted(set(own["recording"]))
        table = features.read_folder(study.features_dir(label), names)
        frames = frames_of(study, label, table) if tunes([model.recipe]) else None
    except (ClinicError, OSError):
        return nothing
    if table.fingerprint != model.features.fingerprint or table.segments.empty:
        return nothing
    of_window = table.segments["recording"].to_numpy()
    inputs = Inputs.of_windows(table.vectors, of_window, _covariates(study, model, own), frames)
    blind = _without(model, inputs, own)
    moved = drivers(blind or model, inputs, table.segments)
    sessions = own.drop_duplicates("recording").set_index("recording")["session"]
    every = _segments(study, label, set(names))
    left_out = every[every["status"] != "used"]
    found = pd.concat([moved.assign(status="used"), left_out], ignore_index=True)
    return found.assign(session=found["recording"].map(sessions))[WINDOWS], blind is not None


def _segments(study: Study, label: str, recordings: set[str]) -> pd.DataFrame:
    """Read the windows of recordings, also those that were left out."""
    path = study.features_dir(label) / "segments.csv"
    table = pd.read_csv(path, dtype={"recording": str, "reason": str}, keep_default_na=False)
    return table[table["recording"].isin(recordings)].assign(target="", contribution=np.nan)


def _covariates(study: Study, model: FittedModel, own: pd.DataFrame) -> pd.DataFrame | None:
    if not model.covariates:
        return None
    known = participants.covariates(read_participants(study), model.covariates)
    people = own.drop_duplicates("recording").set_index("recording")["participant"]
    return known.reindex(people).set_axis(people.index)


def _without(model: FittedModel, inputs: Inputs, own: pd.DataFrame) -> FittedModel | None:
    """Put in the model's place that of the fold which left the participant out.

    A fold's residuals are those of the people it left out: it is the one that has this person's.
    None where no fold has, for some of the scores.
    """
    observed = own.pivot(index="recording", columns="target", values="observed")
    observed = observed.reindex(inputs.recordings)
    spans = {facts.target: facts.highest - facts.lowest for facts in model.targets}
    found = [_blind(part, inputs, observed, spans) for part in model.regressions]
    if any(part is None for part in found):
        return None
    return replace(model, regressions=tuple(part for part in found if part is not None))


def _blind(
    part: Regression, inputs: Inputs, observed: pd.DataFrame, spans: Mapping[str, float]
) -> Regression | None:
    scores = observed.reindex(columns=list(part.targets)).to_numpy(float)
    rated = np.flatnonzero(~np.isnan(scores).any(axis=1))
    span = np.array([spans[name] for name in part.targets])
    for number, fold in enumerate(part.folds):
        theirs = part.residuals[part.fold_of == number]
        mine = scores[rated] - fold.predict(inputs)[rated]
        gaps = np.abs(mine[:, np.newaxis] - theirs) / span
        if len(rated) and (gaps.max(axis=2).min(axis=1) < SAME).all():
            return replace(part, model=fold)
    return None
