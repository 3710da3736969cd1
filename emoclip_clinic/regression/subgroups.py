"""For whom the predictions hold: performance by sex, age, site, rater, quality of recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import StudyError
from emoclip_clinic.groups import NOT_KNOWN, SMALLEST, Bands, group_of, members_of, too_small
from emoclip_clinic.regression.bootstrap import Distribution, distributions
from emoclip_clinic.regression.measures import METRICS
from emoclip_clinic.regression.sample import Sample, samples, tables

__all__ = ["COLUMNS", "NOT_KNOWN", "SMALLEST", "subgroups"]

Array = NDArray[np.float64]

COLUMNS = [
    *("scale", "target", "model", "column", "group", "metric", "value", "ci_low", "ci_high"),
    *("value_rest", "difference", "difference_ci_low", "difference_ci_high", "p"),
    *("n_recordings", "n_participants", "note"),
]


@dataclass(frozen=True, eq=False)
class _Cell:
    """One group of one column, in one target's predictions."""

    name: str
    member: NDArray[np.bool_]
    """Which of the sample's recordings are its, shape (n_recordings,)."""
    n: int
    """Its participants."""


def subgroups(
    predictions: pd.DataFrame,
    people: pd.DataFrame,
    columns: Sequence[str] | None = None,
    *,
    bands: Mapping[str, Bands] | None = None,
    smallest: int = SMALLEST,
    n_resamples: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Give the performance of every subgroup, and how it differs from everyone else's.

    A subgroup of fewer than `smallest` participants is not shown: its numbers could be traced to
    persons. Where it alone were hidden it could be had from the others by subtraction, so the next
    smallest are hidden with it, until at least two groups and `smallest` participants are.

    Parameters
    ----------
    predictions
        As for `inference.performance`.
    people
        A column an attribute; the index holds participants or recordings, and is named
        "participant" or "recording" to say which. Who is not in it is "not known".
    columns
        Attributes to go by; all of the table if absent.
    bands
        For numbers: column -> name -> [start, stop). Without bands, numbers of more than five
        different values are cut into thirds of the participants (or recordings) that are
        predicted; the name gives the largest value of each.
    smallest
        Participants that a group must have.
    n_resamples, seed, level
        As in `inference.performance`.

    Returns
    -------
    DataFrame
        A row a target, model, attribute, group and metric. scale, target, model, column, group;
        metric; value, ci_low, ci_high: as in `inference.performance`, of the group alone;
        value_rest: of all other recordings; difference: value - value_rest, with
        difference_ci_low, difference_ci_high and p of the bootstrap of all participants, widened
        for the smaller side; n_recordings, n_participants: of the group (missing where hidden);
        note. P-values are of single tests: see `multiplicity`.

    Raises
    ------
    StudyError
        The index is not named, holds a name twice, or a column is not there.
    ClinicError
        Bands overlap, are empty, or are given for what is not a number.
    """
    _check(people, columns)
    parts = list(tables(predictions))
    unit = str(people.index.name)
    units = pd.Index(predictions[unit].astype(str).unique())
    people = people.set_axis(people.index.astype(str)).reindex(units)
    named = {
        column: group_of(people[column], (bands or {}).get(str(column)))
        for column in columns or list(people.columns)
    }
    rows: list[dict[str, Any]] = []
    for keys, table in parts:
        for column, groups in named.items():
            for model, sample in samples(table):
                own = groups.loc[getattr(sample, unit).astype(str)].array
                found = _rows(sample, own, smallest, n_resamples, seed, level)
                about = {**keys, "model": model, "column": column}
                rows += [{**about, **row} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def _check(people: pd.DataFrame, columns: Sequence[str] | None) -> None:
    if people.index.name not in ("participant", "recording"):
        raise StudyError(
            f"the table of people has an index named {people.index.name!r}; allowed: 'participant' "
            "or 'recording'. Read it with index_col, or use set_index."
        )
    twice = people.index[people.index.duplicated()]
    if len(twice):
        raise StudyError(f"{people.index.name} {twice[0]} is in two rows; allowed is one.")
    absent = [name for name in columns or [] if name not in people]
    if absent:
        raise StudyError(
            f"no column {', '.join(absent)}; there are {', '.join(map(str, people.columns))}."
        )


def _rows(
    sample: Sample,
    groups: pd.Categorical,
    smallest: int,
    n_resamples: int,
    seed: int,
    level: float,
) -> Iterator[dict[str, Any]]:
    members = members_of(groups)
    cells = [
        _Cell(name, member, sample.take(member).n_participants) for name, member in members.items()
    ]
    hidden = too_small(members, sample.cluster, smallest)
    for cell in cells:
        if cell.name in hidden:
            note = hidden[cell.name]
            yield from ({"group": cell.name, "metric": each, "note": note} for each in METRICS)
        else:
            yield from _shown(sample, cell, n_resamples, seed, level)


def _shown(
    sample: Sample, cell: _Cell, n_resamples: int, seed: int, level: float
) -> Iterator[dict[str, Any]]:
    own, rest = sample.take(cell.member), sample.take(~cell.member)
    alone = distributions(own.metrics, own.cluster, n_resamples, seed)
    against = _against_rest(sample, cell.member, own, rest, n_resamples, seed)
    for metric, found in alone.items():
        row: dict[str, Any] = {"group": cell.name, "metric": metric}
        row |= {"n_recordings": len(own.observed), "n_participants": cell.n}
        notes = [own.why_undefined(metric)]
        if not notes[0]:
            row["value"] = found.value
            row["ci_low"], row["ci_high"] = found.interval(level)
            notes.append(found.problem)
        notes.append(_why_not(rest, metric))
        if not notes[-1]:
            row["value_rest"] = rest.metrics()[metric].item()
        if metric in against and not (notes[0] or notes[-1]):
            difference = against[metric]
            row |= {"difference": difference.value, "p": difference.p()}
            row["difference_ci_low"], row["difference_ci_high"] = difference.interval(level)
            notes.append(difference.problem)
        yield {**row, "note": next(filter(None, notes), "")}


def _why_not(rest: Sample, metric: str) -> str:
    if not len(rest.observed):
        return "everyone is in this group"
    why = rest.why_undefined(metric)
    return f"of the others: {why}" if why else ""


def _against_rest(
    sample: Sample,
    member: NDArray[np.bool_],
    own: Sample,
    rest: Sample,
    n_resamples: int,
    seed: int,
) -> dict[str, Distribution]:
    """Distributions of the difference from everyone else; none where there is no one else."""
    if member.all():
        return {}

    def differences(weights: Array) -> dict[str, Array]:
        ours, theirs = own.metrics(weights[:, member]), rest.metrics(weights[:, ~member])
        return {metric: ours[metric] - theirs[metric] for metric in METRICS}

    smaller = min(own.n_participants, rest.n_participants)
    found = distributions(differences, sample.cluster, n_resamples, seed)
    return {
        name: Distribution(each.value, each.drawn, each.left_out, smaller)
        for name, each in found.items()
    }
