"""What `fit` learns from: windows, covariates and scores of the visits that have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from emoclip_clinic import features, matching, scales
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.participants import covariates
from emoclip_clinic.pipeline.sources import (
    Rated,
    read_participants,
    read_rated,
    require_recordings,
)
from emoclip_clinic.pipeline.tuning import frames_of, layers_of, tunes
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.regression import Features, Inputs, Recipe
from emoclip_clinic.settings import FitSettings
from emoclip_clinic.study import Study

__all__ = ["Material", "gather"]

USUAL_ATTRIBUTES = ("sex", "age", "ethnicity", "site", "rater", "face_fraction")


@dataclass(frozen=True, eq=False)
class Material:
    """Filmed and rated visits of a study."""

    rated: Rated
    """The ratings, and their consensus."""
    visits: pd.DataFrame
    """recording, participant, session: those that are both filmed and rated."""
    inputs: Inputs
    """Windows and covariates of the recordings that were encoded."""
    targets: pd.DataFrame
    """Consensus scores: index recording, a column a target in the scale's order."""
    features: Features
    """What the features are."""
    participants: pd.DataFrame
    """participants.csv; empty where there is none."""
    face_fraction: pd.Series
    """Mean share of a used window's frames with a face (index recording)."""
    exclusions: pd.DataFrame
    """stage, unit, id, reason."""
    notes: tuple[str, ...]
    """What else there is to know."""

    @property
    def analysed(self) -> set[str]:
        """Participants with a recording that was encoded and a score."""
        rated = self.targets.index[self.targets.notna().any(axis=1)]
        return set(self.people.loc[self.inputs.recordings.intersection(rated)])

    @property
    def people(self) -> pd.Series:
        """Participant of each recording (index recording)."""
        return self.visits.set_index("recording")["participant"]

    @property
    def sessions(self) -> pd.Series:
        """Session of each recording (index recording)."""
        return self.visits.set_index("recording")["session"]

    def attributes(self, wanted: Sequence[str]) -> pd.DataFrame:
        """Give what performance may be split by (index recording, a column an attribute).

        Parameters
        ----------
        wanted
            Columns of participants.csv, "rater" (who rated the visit) or "face_fraction" (mean
            share of a window's frames with a face); those of `USUAL_ATTRIBUTES` that there are, if
            empty.

        Raises
        ------
        SettingsError
            There is no such attribute.
        """
        visits = self.visits.set_index("recording")
        people = self.participants.set_index("participant").reindex(visits["participant"])
        known = people.set_axis(visits.index).assign(
            rater=self._raters(visits), face_fraction=self.face_fraction
        )
        unknown = [name for name in wanted if name not in known]
        if unknown:
            allowed = ", ".join(map(str, known))
            raise SettingsError(f"study.toml: fit: subgroups = {unknown[0]!r}; allowed: {allowed}")
        usual = [name for name in USUAL_ATTRIBUTES if name in known]
        return known[list(wanted) or usual].rename_axis("recording")

    def _raters(self, visits: pd.DataFrame) -> pd.Series:
        by_visit = self.rated.ratings.groupby(["participant", "session"])["rater"].unique()
        names = by_visit.map(lambda raters: " and ".join(sorted(raters)))
        return names.reindex(pd.MultiIndex.from_frame(visits)).set_axis(visits.index)

    def without(self, people: set[str]) -> Material:
        """Leave some participants out, with all their recordings."""
        if not people:
            return self
        visits = self.visits[~self.visits["participant"].isin(people)]
        kept = np.flatnonzero(self.inputs.recordings.isin(visits["recording"]))
        return replace(
            self,
            visits=visits,
            inputs=self.inputs.take(kept),
            targets=self.targets.loc[self.targets.index.isin(visits["recording"])],
        )

    def strata(self, target: str) -> pd.Series | None:
        """Give each participant's mean score on a target; None for an empty text.

        Raises
        ------
        SettingsError
            There is no such target.
        """
        if not target:
            return None
        if target not in self.targets:
            known = ", ".join(map(str, self.targets))
            raise SettingsError(f"study.toml: fit: stratify = {target!r}; allowed: {known}")
        scores = self.targets[target]
        return scores.groupby(self.people.reindex(scores.index)).mean()

    def column(self, name: str) -> pd.Series | None:
        """Give a column of participants.csv as text (index participant); None if there is none."""
        if name not in self.participants:
            return None
        return self.participants.set_index("participant")[name].dropna().astype(str)

    def strata_within(self, name: str) -> pd.Series | None:
        """Give the column within which scores are exchanged; None for an empty name.

        Raises
        ------
        SettingsError
            There is no such column.
        """
        found = self.column(name)
        if name and found is None:
            columns = ", ".join(self.participants.columns.drop("participant")) or "none"
            raise SettingsError(
                f"study.toml: fit: permute_within = {name!r}; columns of participants.csv: "
                f"{columns}."
            )
        return found

    @property
    def scale_in_words(self) -> str:
        """Name and version of the scale."""
        return f"{self.rated.scale.name}, {self.rated.scale.version}"

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest possible score of each target."""
        table = scales.targets(self.rated.scale)[["target", "minimum", "maximum"]]
        return {str(name): (low, high) for name, low, high in table.itertuples(index=False)}

    @property
    def kinds(self) -> dict[str, str]:
        """Kind of each target: item, subscale, total."""
        table = scales.targets(self.rated.scale)
        return dict(zip(table["target"], table["kind"], strict=True))


def gather(study: Study, scale_id: str, label: str, settings: FitSettings) -> Material:
    """Read what a scale is fitted from.

    Raises
    ------
    StudyError, ScaleError, RatingsError
        Features, ratings or a covariate are missing or wrong.
    """
    recordings = require_recordings(study)
    rated = read_rated(study, scale_id)
    matched, unmatched = matching.match(rated.consensus, recordings)
    table = features.read_folder(study.features_dir(label), list(matched["recording"]))
    twins = _twins(table, matched.set_index("recording")["participant"])
    copies = [lost.id for lost in twins]
    matched = matched[~matched["recording"].isin(copies)]
    kept = ~table.segments["recording"].isin(copies).to_numpy()
    frames = None
    if tunes(Recipe.parse(name, settings.pooling) for name in settings.models):
        layers = layers_of(study, label, table.fingerprint)
        frames = frames_of(study, label, table, layers).take(kept)
    people = read_participants(study)
    return Material(
        rated=rated,
        visits=matched,
        inputs=Inputs.of_windows(
            table.vectors[kept],
            table.segments["recording"].to_numpy()[kept],
            _covariates(people, matched, settings),
            frames,
        ),
        targets=_wide(rated, matched),
        features=Features(table.encoder, table.fingerprint, settings.pooling),
        participants=people,
        face_fraction=table.segments.groupby("recording")["face_fraction"].mean(),
        exclusions=pd.concat([unmatched, exclusion_table(twins)], ignore_index=True),
        notes=(*rated.notes, *matching.id_hints(rated.consensus, recordings)),
    )


def _twins(table: features.FeatureTable, people: pd.Series) -> list[Exclusion]:
    """Find recordings with equal vectors under two participant ids: one person on two sides.

    A video that was copied into another container has another hash, and the same pictures.
    """
    owners: dict[str, list[str]] = {}
    for recording, rows in table.segments.groupby("recording", sort=True).indices.items():
        content = sha256_bytes(np.ascontiguousarray(table.vectors[rows]).tobytes())
        owners.setdefault(content, []).append(str(recording))
    return [
        Exclusion("fit", "recording", name, "same features under two participant ids")
        for names in owners.values()
        if people.loc[names].nunique() > 1
        for name in names
    ]


def _covariates(
    people: pd.DataFrame, matched: pd.DataFrame, settings: FitSettings
) -> pd.DataFrame | None:
    """Covariates of each recording: those of its participant."""
    if not settings.covariates:
        return None
    known = covariates(people, settings.covariates)
    return known.reindex(matched["participant"]).set_axis(matched["recording"])


def _wide(rated: Rated, matched: pd.DataFrame) -> pd.DataFrame:
    """Consensus scores: index recording, a column a target in the scale's order, NaN if missing."""
    scores = matched.merge(rated.consensus, on=["participant", "session"])
    wide = scores.pivot(index="recording", columns="target", values="value")
    order = scales.targets(rated.scale)["target"]
    return wide[[target for target in order if target in wide]]
