"""Is the model as good as another clinician? Raters among themselves beside the model with them.

Everything is of the same visits: each pair of raters is compared on those that both of them and
the model scored, and the model with either of the two on the same. With d the difference of two
scores, and means over pairs and visits:

- ICC(A,1) difference: the model's mean ICC(A,1) with the raters, less that of the raters among
  themselves. Not inferior if the interval lies above the margin that was set beforehand. Test and
  interval are of Fisher's z, in which the estimates are less skewed (`contrast.Contrast`). The
  share of the ceiling is the ratio of the two.
- interchangeability: by how much the chance that two scores agree within the tolerance changes if
  one clinician is replaced by the model (Obuchowski, Subhas and Schoenhagen 2014). Williams' index
  is the ratio of the two chances (Williams 1976): 1 if the model is as close to a rater as another
  rater is.
- CIA, the coefficient of individual agreement with the raters as reference:
  E d(rater, rater)² / E d(model, rater)² (Barnhart, Kosinski and Haber 2007); 1 if the model is as
  close, and 0.8 is called good. The individual equivalence index is the difference of the two,
  model less raters, in squared points.

Participants are resampled, raters are fixed: what is found is about these clinicians.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pingouin
from numpy.typing import NDArray

from emoclip_clinic.agreement.bootstrap import Resampled, cluster_resamples
from emoclip_clinic.agreement.contrast import Contrast
from emoclip_clinic.agreement.panel import LEAST_SUBJECTS, Panel
from emoclip_clinic.agreement.scores import model_scores, rating_table

__all__ = ["COLUMNS", "STATISTICS", "Margins", "compared", "equivalence", "panel_of", "rows_of"]

COLUMNS = [
    *("scale", "target", "kind", "role", "margin", "statistic", "value", "ci_low", "ci_high"),
    *("p", "p_corrected", "verdict", "n_subjects", "n_participants", "n_raters", "method", "note"),
]

RATERS, MODEL, DIFFERENCE = "rater-rater ICC(A,1)", "model-rater ICC(A,1)", "difference of ICC(A,1)"
INTERCHANGE = "interchangeability"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Margins:
    """What counts as not inferior, set before the data were seen; 0: nothing was set."""

    icc: float = 0.0
    """By how much the model's ICC(A,1) with the raters may be lower than theirs."""
    interchange: float = 0.0
    """By how much the chance to agree may be lower, once the model replaces a rater."""

    def of(self, statistic: str) -> float:
        """Give the margin of a statistic; NaN where none is set."""
        known = {DIFFERENCE: self.icc, INTERCHANGE: self.interchange}
        return known.get(statistic) or np.nan


NO_MARGINS = Margins()


def equivalence(
    scored: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    scale_id: str,
    targets: Iterable[str],
    tolerances: Mapping[str, float],
    model: str = "ridge",
    margins: Margins = NO_MARGINS,
    primary: Iterable[str] = (),
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Compare the model with the raters, and these among themselves, on the same visits.

    What the statistics are, and where they come from, is said at the top of this module.

    Parameters
    ----------
    scored, predictions, scale_id, targets, model, n_resamples, seed
        As for `summary.agree`.
    tolerances
        Points that two scores of a target may differ and still agree, by target.
    margins
        Without them nothing is tested.
    primary
        The targets that were chosen beforehand: their p-values are corrected among themselves
        (Holm), those of all others by Benjamini and Hochberg.

    Returns
    -------
    pandas.DataFrame
        A row a target and statistic: scale, target, kind; role, "primary" or "secondary"; margin;
        statistic, value, ci_low, ci_high; p, one-sided against "inferior by the margin or more",
        and p_corrected; verdict, "not inferior", "inferior" or "open" where there is a margin;
        n_subjects (visits), n_participants, n_raters; method, note. NaN where undefined, and the
        note says why.

    References
    ----------
    Barnhart HX, Kosinski AS, Haber MJ (2007). J Biopharm Stat 17:697-719.
    Obuchowski NA, Subhas N, Schoenhagen P (2014). Acad Radiol 21:1483-1489.
    Williams GW (1976). Biometrics 32:619-627.
    Piaggio G, et al. (2012). JAMA 308:2594-2604 (non-inferiority by a margin set beforehand).
    """
    scored = scored[scored["scale"] == scale_id]
    raters = sorted(scored["rater"].unique())
    predicted = model_scores(predictions, scale_id, model)
    kinds = scored.drop_duplicates("target").set_index("target")["kind"]
    chosen = set(primary)
    rows: list[dict[str, Any]] = []
    for target in targets:
        ratings = rating_table(scored[scored["target"] == target], raters)
        said = predicted[predicted["target"] == target].set_index(["participant", "session"])
        panel, participants = panel_of(ratings, said["predicted"], tolerances[target])
        about = {"scale": scale_id, "target": target, "kind": kinds.get(target, "")}
        about["role"] = "primary" if target in chosen else "secondary"
        found = rows_of(panel, participants, margins, n_resamples, seed)
        rows.extend({**about, **row} for row in found)
    return _corrected(pd.DataFrame(rows, columns=COLUMNS))


def panel_of(
    ratings: pd.DataFrame, predicted: pd.Series, tolerance: float
) -> tuple[Panel, NDArray[np.object_]]:
    """Put raters and model side by side, for the visits that both know; give participants, too."""
    both = ratings.index.intersection(predicted.index)
    panel = Panel(ratings.loc[both].to_numpy(float), predicted.loc[both].to_numpy(float), tolerance)
    return panel, both.get_level_values("participant").to_numpy()


def rows_of(
    panel: Panel,
    participants: NDArray[np.object_],
    margins: Margins,
    n_resamples: int,
    seed: int,
    names: Iterable[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Make the rows of one target: from statistic on, as in the table of `equivalence`.

    Parameters
    ----------
    panel, participants
        The scores, and whose they are, shape (n_subjects,).
    names
        The statistics wanted; all of them if absent.
    """
    own = panel.of_subjects(panel.subjects)
    whose = participants[panel.subjects]
    about = {
        "n_subjects": len(whose),
        "n_participants": len(set(whose)),
        "n_raters": int((~np.isnan(own.ratings)).any(axis=0).sum()) if len(whose) else 0,
    }
    found: dict[str, Resampled | Contrast] = {}
    if len(whose):
        clusters = pd.factorize(whose)[0]
        made = cluster_resamples(partial(compared, own), clusters, n_resamples, seed)
        found = {**made, DIFFERENCE: Contrast(made[MODEL], made[RATERS])}
    for name in names or STATISTICS:
        within = f"; tolerance {panel.tolerance:g}" if name in OF_TOLERANCE else ""
        method = f"participant-cluster bootstrap (BCa, {n_resamples} resamples), raters fixed"
        row = _row(found.get(name), margins.of(name), _why(own, name))
        yield {**about, "statistic": name, "method": method + within, **row}


def compared(panel: Panel, weights: Array) -> dict[str, Array]:
    """Every statistic but the difference of ICCs, for each row of subject weights."""
    of = panel.statistics(weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            RATERS: of["icc_raters"],
            MODEL: of["icc_model"],
            "share of the ceiling": _ratio(of["icc_model"], of["icc_raters"]),
            "within tolerance, rater-rater": of["within_raters"],
            "within tolerance, model-rater": of["within_model"],
            INTERCHANGE: of["within_model"] - of["within_raters"],
            "Williams' index": _ratio(of["within_model"], of["within_raters"]),
            "CIA": _ratio(of["msd_raters"], of["msd_model"]),
            "individual equivalence index": of["msd_model"] - of["msd_raters"],
        }


STATISTICS = (
    *(RATERS, MODEL, DIFFERENCE, "share of the ceiling"),
    *("within tolerance, rater-rater", "within tolerance, model-rater", INTERCHANGE),
    *("Williams' index", "CIA", "individual equivalence index"),
)
OF_TOLERANCE = STATISTICS[4:8]


def _ratio(above: Array, below: Array) -> Array:
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _row(found: Resampled | Contrast | None, margin: float, why: str) -> dict[str, Any]:
    if found is None or not np.isfinite(found.value):
        return {"margin": margin, "note": f"undefined: {why}"}
    low, high = found.interval()
    row: dict[str, Any] = {"margin": margin, "value": found.value, "ci_low": low, "ci_high": high}
    row["note"] = "" if np.isfinite(low) else "no interval: too few participants or values"
    if np.isnan(margin):
        return row
    p = found.p_above(-margin)
    return {**row, "p": p, "verdict": _verdict(low, high, margin)}


def _verdict(low: float, high: float, margin: float) -> str:
    if low > -margin:
        return "not inferior"
    return "inferior" if high < -margin else "open"


def _why(panel: Panel, statistic: str) -> str:
    """Say why a statistic is undefined, if it is."""
    n_raters = int((~np.isnan(panel.ratings)).any(axis=0).sum())
    if n_raters == 0:
        return f"no rater scored {LEAST_SUBJECTS} visits that the model scored"
    if not panel.pairs and statistic != MODEL and statistic != "within tolerance, model-rater":
        if n_raters == 1:
            return "one rater, so there is no ceiling to compare with"
        return f"no two raters scored {LEAST_SUBJECTS} of the same visits that the model scored"
    if statistic in ("share of the ceiling", "Williams' index"):
        return "the raters do not agree beyond chance, so there is no ceiling"
    if statistic == "CIA":
        return "the model says what the raters say"
    return "the scores do not differ between visits"


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in p_corrected: within a role and statistic; a test that was not possible counts."""
    table["p_corrected"] = np.nan
    tested = table[table["margin"].notna()]
    for (role, _), own in tested.groupby(["role", "statistic"]):
        p = own["p"].astype(float)
        way = "holm" if role == "primary" else "fdr_bh"
        corrected = pingouin.multicomp(p.fillna(1).to_numpy(), method=way)[1]
        table.loc[own.index, "p_corrected"] = np.where(p.isna(), np.nan, corrected)
    return table
