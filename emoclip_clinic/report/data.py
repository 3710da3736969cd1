"""What a cohort's report says, as tables and texts: no paths, nothing that needs a file."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.report.checklists import Checklist
from emoclip_clinic.report.person import Person
from emoclip_clinic.report.questions import QUESTIONS

__all__ = ["COLUMNS", "Methods", "ReportData"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "targets": ("target", "kind", "label", "minimum", "maximum"),
    "flow": ("step", "stage", "n_recordings", "n_participants"),
    "exclusions": ("stage", "unit", "id", "reason"),
    "recordings": (
        "recording", "participant", "session", "duration_s", "width", "height", "fps_mean",
        "variable_rate",
    ),
    "quality": ("recording", "measure", "value", "unit", "flag", "note"),
    "segments": ("recording", "n_used", "n_excluded", "face_fraction_mean"),
    "participants": ("participant",),
    "raters": ("rater", "n_visits", "n_items_missing"),
    "performance": (
        "target", "kind", "model", "metric", "value", "ci_low", "ci_high", "n_recordings",
        "n_participants", "note",
    ),
    "permutation": ("target", "metric", "p_max_t", "n_permutations"),
    "predictions": ("participant", "session", "target", "model", "observed", "predicted"),
    "agreement": (
        "target", "kind", "comparison", "rater_a", "rater_b", "statistic", "value", "ci_low",
        "ci_high", "n_subjects", "n_participants", "n_raters", "n_excluded", "method", "note",
    ),
}  # fmt: skip
"""The columns each table must have; more are allowed."""

# what stands in rater_a and rater_b where no person is meant
NOBODY = ("", "all", "model", "consensus", "loo-consensus", "mean")


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS[name]))


@dataclass(frozen=True)
class Methods:
    """The facts of the run that the methods text states; what is None is not spoken of."""

    encoder: str = ""
    """Name of the encoder ("emoclip", "emoclip-demo")."""
    encoder_fingerprint: str = ""
    """SHA-256 of its weights."""
    n_features: int | None = None
    """Length of a window's embedding."""
    frame_rate_hz: float | None = None
    """Frames taken per second."""
    window_frames: int | None = None
    """Frames in a window."""
    window_stride_frames: int | None = None
    """Sampled frames from the start of a window to the start of the next."""
    turns: bool = False
    """Whether only the participant's speech turns were encoded."""
    joined_pauses_s: float | None = None
    """Turns with a pause of up to so many seconds were joined."""
    sections: str = ""
    """The parts of the interview that were encoded; empty: not chosen by parts."""
    face_finder: str = ""
    """How faces were found, in words ("YuNet"); empty: the recordings are face crops."""
    face_minimum_fraction: float | None = None
    """The share of a window's frames that must show a face."""
    participant: str = ""
    """How the participant was told from others: a kind of rule ("largest"), or "photo_sface"."""
    reviewed: bool = False
    """Whether there was a review by hand, which goes before the rule."""
    precision: str = ""
    """Of the encoder's arithmetic, where it was not fp32."""
    pooling: str = ""
    """How windows become one vector a recording ("mean and standard deviation")."""
    estimator: str = ""
    """The regression, in words ("ridge regression")."""
    cv: str = ""
    """"repeated" (grouped k-fold), "lopo" or "loso" (leave one participant or site out)."""
    folds: int | None = None
    """Outer folds."""
    repeats: int | None = None
    """Times the participants were dealt into folds."""
    inner_folds: int | None = None
    """Folds of the search for the penalty."""
    fit_resamples: int | None = None
    """Bootstrap resamples behind the intervals of performance."""
    agree_resamples: int | None = None
    """Bootstrap resamples behind the intervals of agreement, where these are bootstrapped."""
    seed: int | None = None
    """Seed of every random choice."""
    device: str = ""
    """What the encoder ran on."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Name and version of the software and its libraries."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Every setting of the run, by its name in study.toml."""


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report says.

    Ids of participants, recordings and raters stand in the tables, to join them by; the report
    never shows them. Raters become Rater A, B, C in the order of their sorted names.

    Raises
    ------
    StudyError
        A table lacks a column that `COLUMNS` names for it.
    """

    title: str
    """Of the study."""
    scale: str
    """Id of the scale ("panss")."""
    scale_name: str
    """Its full name."""
    institution: str = ""
    """Printed below the title, and the author of the document."""
    cohort: str = ""
    """What part of the study this is ("site = A"); empty: all of it."""
    scale_reference: str = ""
    """The paper to cite for the scale."""
    scale_licence: str = ""
    """A note on who owns the scale."""
    primary_targets: tuple[str, ...] = ()
    """The targets chosen before the data were seen; empty: none were."""
    targets: pd.DataFrame = field(default_factory=partial(_empty, "targets"))
    """What was rated: kind is "item", "subscale" or "total"."""
    flow: pd.DataFrame = field(default_factory=partial(_empty, "flow"))
    """From recordings found to recordings analysed; exclusions with a step's `stage` explain what
    was lost on the way to that step (empty for the first)."""
    exclusions: pd.DataFrame = field(default_factory=partial(_empty, "exclusions"))
    """All that was left out; unit is "recording", "participant", "target" or "rating"."""
    recordings: pd.DataFrame = field(default_factory=partial(_empty, "recordings"))
    """The usable recordings, of which some may not have been analysed."""
    quality: pd.DataFrame = field(default_factory=partial(_empty, "quality"))
    """Tidy measures a recording, flag is "ok" or "warn"."""
    segments: pd.DataFrame = field(default_factory=partial(_empty, "segments"))
    """Windows a recording."""
    participants: pd.DataFrame = field(default_factory=partial(_empty, "participants"))
    """Who was analysed; numbers are described by mean and SD, words are counted."""
    raters: pd.DataFrame = field(default_factory=partial(_empty, "raters"))
    """Visits rated and items missing, a row a rater."""
    performance: pd.DataFrame = field(default_factory=partial(_empty, "performance"))
    """Out-of-fold performance of the models, "mean" among them."""
    permutation: pd.DataFrame = field(default_factory=partial(_empty, "permutation"))
    """Permutation tests of the reported model; empty: none were made."""
    predictions: pd.DataFrame = field(default_factory=partial(_empty, "predictions"))
    """Out-of-fold predictions; observed is the consensus of the raters."""
    model: str = "ridge"
    """The model that is reported."""
    agreement: pd.DataFrame = field(default_factory=partial(_empty, "agreement"))
    """Agreement, a row a target, comparison, pair and statistic."""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """What else was asked, by the names of `QUESTIONS`, and the profile of `profiles.profile`."""
    person: Person | None = None
    """Whom a participant's report is about."""
    checklists: Mapping[str, Checklist] = field(default_factory=dict)
    """Reporting checklists, by name."""
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What the authors say of their items: checklist -> item -> text."""
    stale: str = ""
    """Why the predictions are older than what they are compared with; empty: they are not."""
    methods: Methods = field(default_factory=Methods)
    """The facts of the run."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of what was read, by the names of the study's own files ("ratings.csv")."""
    logo: bytes = b""
    """A picture for the first page, PNG or JPEG."""
    font: str = ""
    """Path of a font for letters that DejaVu Sans lacks; empty: one that the machine has."""
    notices: tuple[str, ...] = ()
    """Printed on every page, such as what the demonstration encoder is not fit for."""

    def __post_init__(self) -> None:
        for name, needed in COLUMNS.items():
            _check(name, getattr(self, name), needed)
        for name, table in self.tables.items():
            _check(name, table, QUESTIONS[name].columns if name in QUESTIONS else ())

    def table(self, name: str) -> pd.DataFrame:
        """Give a table of `tables`, an empty one where the study has none."""
        found = self.tables.get(name)
        return pd.DataFrame(columns=list(QUESTIONS[name].columns)) if found is None else found

    @cached_property
    def rater_names(self) -> Mapping[str, str]:
        """The letter each rater is shown by: "A" for the first of the sorted names."""
        named = pd.concat(
            [self.raters["rater"], *(self.agreement[c] for c in ("rater_a", "rater_b"))]
        )
        names = sorted({str(name) for name in named.dropna()} - set(NOBODY))
        return {name: _letters(place) for place, name in enumerate(names)}

    @cached_property
    def agreement_rows(self) -> Mapping[tuple[str, ...], list[dict[Any, Any]]]:
        """Rows of the agreement table by target, comparison and statistic."""
        return _indexed(self.agreement, "target", "comparison", "statistic")

    @cached_property
    def performance_rows(self) -> Mapping[tuple[str, ...], list[dict[Any, Any]]]:
        """Rows of the table of performance by target, metric and model."""
        return _indexed(self.performance, "target", "metric", "model")

    @cached_property
    def primary(self) -> tuple[str, ...]:
        """The targets chosen beforehand; else the total, the first subscale or the first item."""
        by_kind = (
            tuple(self.targets.loc[self.targets["kind"] == kind, "target"][:1])
            for kind in ("total", "subscale", "item")
        )
        return self.primary_targets or next(filter(None, by_kind), ())

    def label(self, target: str) -> str:
        """Target and its label in words: "N1 Blunted affect"."""
        found = self.targets.loc[self.targets["target"] == target, "label"]
        label = str(found.iloc[0]).strip() if len(found) else ""
        kind = self.targets.loc[self.targets["target"] == target, "kind"]
        if not label or label == target:
            return target
        return f"{target} {label}" if len(kind) and kind.iloc[0] == "item" else label

    def masked(self, text: str) -> str:
        """`text` without the ids of raters, participants and recordings that it may hold."""
        return (
            self._ids.sub(lambda found: self._words[found.group()], text) if self._words else text
        )

    @cached_property
    def _words(self) -> Mapping[str, str]:
        words = {str(name): "a recording" for name in self.recordings["recording"]}
        words |= {str(name): "a recording" for name in self.exclusions["id"]}
        words |= {str(name): "a participant" for name in self.participants["participant"]}
        words |= {str(name): "a participant" for name in self.recordings["participant"]}
        words |= {name: f"Rater {letter}" for name, letter in self.rater_names.items()}
        targets = {str(name) for name in self.targets["target"]}
        # a number or a single letter would take words out of sentences that mean something else
        return {
            k: v for k, v in words.items() if len(k) > 1 and not k.isdigit() and k not in targets
        }

    @cached_property
    def _ids(self) -> re.Pattern[str]:
        longest_first = sorted(self._words, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _check(name: str, table: pd.DataFrame, needed: tuple[str, ...]) -> None:
    lacking = [column for column in needed if column not in table]
    if lacking:
        raise StudyError(
            f"the report's table {name!r} lacks {', '.join(lacking)}; it needs "
            f"{', '.join(needed)}. Run the stage that writes it again."
        )


def _indexed(table: pd.DataFrame, *keys: str) -> dict[tuple[str, ...], list[dict[Any, Any]]]:
    # a report asks for thousands of rows: selecting each by pandas takes seconds
    rows: dict[tuple[str, ...], list[dict[Any, Any]]] = {}
    for row in table.to_dict("records"):
        rows.setdefault(tuple(str(row[key]) for key in keys), []).append(row)
    return rows


def _letters(place: int) -> str:
    # A to Z, then AA to AZ, as columns of a spreadsheet
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters
