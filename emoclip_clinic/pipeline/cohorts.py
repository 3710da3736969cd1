"""Who a model is trained on and tested on: everyone in turn, a locked hold-out, another cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.errors import StudyError, TooFewError
from emoclip_clinic.pipeline.sources import cohort_slug, in_cohort
from emoclip_clinic.regression.folds import FEWEST_PARTICIPANTS, train_test
from emoclip_clinic.scan import safe_id
from emoclip_clinic.study import Study

__all__ = [
    "LOCKED",
    "Question",
    "holdout_csv",
    "lock",
    "read_locked",
    "read_manifest",
    "record_opening",
]

LOCKED = "locked away in holdout.csv"
"""Why a participant is in no fold, before the hold-out is opened."""


@dataclass(frozen=True)
class Question:
    """What `fit` is asked: by default how well people are predicted who were never seen."""

    train_on: str = ""
    """A cohort such as "site=A" that models are trained on; everyone if empty."""
    test_on: str = ""
    """Another cohort, which is predicted once; empty: cross-validation."""
    open_holdout: bool = False
    """Predict the participants of holdout.csv, once, by models of all others."""

    def __post_init__(self) -> None:
        if self.test_on and not self.train_on:
            raise StudyError("--test-on needs --on: say which cohort the models are trained on.")
        if self.open_holdout and self.train_on:
            raise StudyError("--open-holdout tests the models of everyone else: leave out --on.")

    def slug(self, scale_id: str) -> str:
        """Name of the files of the answer: "panss", "panss_site-A", "panss_site-A_on_site-B"."""
        if self.open_holdout:
            return f"{scale_id}_holdout"
        name = cohort_slug(scale_id, self.train_on)
        return f"{name}_on_{safe_id(self.test_on.replace('=', '-'))}" if self.test_on else name

    def manifest(self, study: Study, people: set[str]) -> tuple[pd.DataFrame | None, set[str]]:
        """Say who is tested and who is left out.

        Parameters
        ----------
        study
            Has participants.csv and, where there is one, holdout.csv.
        people
            Participants with a recording and a rating.

        Returns
        -------
        manifest
            As `folds.train_test` gives it; None: the folds of the design, of all who are not left
            out.
        left_out
            Participants in neither: of another cohort, or locked away.

        Raises
        ------
        StudyError, TooFewError
            A cohort is unknown or too small, two cohorts share someone, or nobody is locked away.
        """
        away = read_locked(study) & people
        if self.open_holdout:
            if not away:
                raise StudyError(
                    f"nobody is locked away in {holdout_csv(study).name}. Write holdout = 0.2 "
                    "under [fit] in study.toml and fit once, before you look at any result."
                )
            return train_test(_enough(people - away, "all others"), away), set()
        training = (in_cohort(study, self.train_on) or people) & (people - away)
        if not self.test_on:
            return None, people - training
        test = (in_cohort(study, self.test_on) or set()) & (people - away)
        if not test:
            raise TooFewError(f"nobody of {self.test_on} has a recording and a rating.")
        return train_test(_enough(training, self.train_on), test), people - training - test


def _enough(people: set[str], which: str) -> set[str]:
    if len(people) < FEWEST_PARTICIPANTS:
        raise TooFewError(
            f"{len(people)} participants of {which} with features and ratings; at least "
            f"{FEWEST_PARTICIPANTS} are needed to train on. Add rated recordings."
        )
    return people


def holdout_csv(study: Study) -> Path:
    """List the participants who are locked away."""
    return study.path / "holdout.csv"


def read_locked(study: Study) -> set[str]:
    """Read who is locked away; nobody where there is no holdout.csv.

    Raises
    ------
    StudyError
        The file has no column participant.
    """
    path = holdout_csv(study)
    if not path.is_file():
        return set()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "participant" not in table:
        raise StudyError(
            f"{path.name} has no column participant; it has {', '.join(map(str, table))}."
        )
    return set(table["participant"])


def lock(study: Study, people: set[str], share: float, seed: int) -> None:
    """Lock a share of the participants away by writing holdout.csv.

    This is done once. Participants who come later are never added: a hold-out that grows with what
    was seen is none.
    """
    names = np.array(sorted(people))
    n = max(1, round(share * len(names)))
    chosen = np.random.default_rng([seed, len(names)]).permutation(names)[:n]
    files.write_csv(holdout_csv(study), pd.DataFrame({"participant": sorted(chosen)}))


def record_opening(study: Study, scale_id: str, models: Sequence[str]) -> str:
    """Write down that the hold-out was opened; give a note that says how often it was by now."""
    path = study.path / "holdout_openings.csv"
    known = pd.read_csv(path, dtype=str) if path.is_file() else pd.DataFrame()
    row = {"scale": scale_id, "models": " ".join(models), "opened": f"{datetime.now(UTC):%F %T}"}
    table = pd.concat([known, pd.DataFrame([row])], ignore_index=True)
    files.write_csv(path, table)
    n = int((table["scale"] == scale_id).sum())
    if n == 1:
        return "the hold-out was opened for the first time: this is the result to report"
    return (
        f"the hold-out of {scale_id} was opened {n} times (holdout_openings.csv): report the first "
        "result, for what came later was chosen with knowledge of it"
    )


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a split manifest that is given back: participant, repeat, fold.

    Raises
    ------
    StudyError
        It cannot be read, or a column is absent or holds no whole numbers.
    """
    try:
        table = pd.read_csv(path, dtype={"participant": str}, keep_default_na=False)
        return table[["participant", "repeat", "fold"]].astype({"repeat": int, "fold": int})
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(
            f"{path} is no split manifest ({error}). Its columns are participant, repeat and fold, "
            "as in models/<scale>/splits.csv."
        ) from error
