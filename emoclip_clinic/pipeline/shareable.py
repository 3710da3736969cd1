"""What of a study can be shared: its tables, features, settings and provenance, without names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from emoclip_clinic import features, ratings_files, resources
from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.files import write_bytes, write_json
from emoclip_clinic.headings import roles
from emoclip_clinic.item_columns import find_columns, mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.pipeline.copying import NOT_SHARED, Copy, texts
from emoclip_clinic.pipeline.free_texts import FreeText, of_protocol, of_study, of_table
from emoclip_clinic.pipeline.sources import encoder_label, read_participants, read_rated
from emoclip_clinic.scales import load_scale
from emoclip_clinic.settings import EncodeSettings, RatingsSettings, Settings, to_toml
from emoclip_clinic.study import SETTINGS_FILE, Study

__all__ = ["copy_all", "free_texts", "rated_scales", "used_protocols", "used_scales"]

TABLES = (
    "quality.csv", "features/*/*.csv", "predictions/*.csv", "agreement/*.csv", "agreement/*/*.csv",
    "models/*/*.csv",
)  # fmt: skip
"""Of these, the ones that a stage says it wrote."""
LOCKED = ("holdout.csv", "holdout_openings.csv")
"""Who is locked away must stay so in a copy."""
STAGES = ("ingest", "encode-*", "fit-*", "agree-*")
FACTS = (
    "stage", "emoclip_clinic", "device", "python", "platform", "libraries", "encoder", "notice",
)  # fmt: skip
"""What is kept of a stage's provenance, beside its settings and numbers."""
PLACES = ("folder", "pattern")
"""Settings that are paths, or parts of one."""
PLACE = re.compile(r"[/\\]|\.[A-Za-z]\w{1,4}$")
"""In a text that is a path, or ends as a file name does."""
ABOUT_PEOPLE = ("participant", "site", "age", "sex", "gender", "ethnicity")
MAX_AGE_YEARS = 89


def copy_all(copy: Copy, keep: Collection[str] = ()) -> None:
    """Copy everything that can be shared.

    Parameters
    ----------
    copy
        What is written into.
    keep
        Further columns of participants.csv to share.
    """
    write_bytes(copy.folder / SETTINGS_FILE, to_toml(_settings(copy)).encode())
    _recordings(copy)
    _participants(copy, keep)
    for scale in rated_scales(copy.study):
        _ratings(copy, scale)
    records = list(_records(copy.study))
    _tables(copy, records)
    _features(copy)
    _protocols(copy)
    for record in records:
        _provenance(copy, record)


def _tables(copy: Copy, records: Iterable[Mapping[str, Any]]) -> None:
    """Copy the tables that a stage wrote and that are as it wrote them; and who is locked away."""
    study = copy.study
    written = {path: digest for record in records for path, digest in record["outputs"].items()}
    for path in sorted(name for name in written if _is_table(name)):
        file = study.path / path
        if file.is_file() and study.sha256(file) == written[path]:
            copy.table(path, texts(file))
        else:
            copy.leave(path, "a table", "it was changed since it was made: run its command again")
    for path in LOCKED:
        if (study.path / path).is_file():
            copy.table(path, texts(study.path / path))


def _is_table(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in TABLES)


def used_scales(study: Study) -> list[str]:
    """List the scales of study.toml, and those that something was fitted to beside them."""
    used = set(study.settings.study.scales)
    known = sorted(resources.names("protocols/scales", study.path), key=len, reverse=True)
    for record in _records(study):
        kind, _, slug = record["stage"].partition("-")
        if kind in ("fit", "agree"):
            # a part of the cohort follows the scale: panss_site-A
            used |= {name for name in known if f"{slug}_".startswith(f"{name}_")}
    return sorted(used)


def rated_scales(study: Study) -> list[str]:
    """List the scales that are used and on which there are rating sheets."""
    found = []
    for scale in used_scales(study):
        names = [name.replace("{scale}", scale) for name in study.settings.ratings.files]
        found += [scale] * any((study.path / name).is_file() for name in names)
    return found


def _records(study: Study) -> Iterator[dict[str, Any]]:
    for path in sorted((study.path / "provenance").glob("*.json")):
        if any(fnmatchcase(path.stem, pattern) for pattern in STAGES):
            record = study.provenance(path.stem)
            if record is not None:
                yield record


def _settings(copy: Copy) -> Settings:
    given, names = copy.study.settings, copy.names
    _, named, rater = given.ratings.consensus.partition("rater:")
    return replace(
        given,
        study=replace(
            given.study,
            title=copy.title,
            recordings=NOT_SHARED,
        ),
        # anew: what else is set there may be a path
        encode=EncodeSettings(
            encoder=encoder_label(given.encode.encoder),
            protocol=given.encode.protocol,
            faces=given.encode.faces,
        ),
        ratings=RatingsSettings(
            consensus=f"rater:{names.rater(rater)}" if named else given.ratings.consensus
        ),
        fit=replace(given.fit, visits=tuple(map(names.session, given.fit.visits))),
        report=replace(given.report, logo="", font="", answers={}),
    )


def _recordings(copy: Copy) -> None:
    table = texts(copy.study.recordings_csv)
    hashes = table["sha256"].map(copy.names.pseudonyms.sha256)
    copy.table("recordings.csv", table.assign(path=NOT_SHARED, sha256=hashes, size_bytes="0"))


def _participants(copy: Copy, keep: Collection[str]) -> None:
    everything = read_participants(copy.study)
    _refuse_unknown(everything, keep)
    if everything.empty:
        return
    table = _wanted(everything, copy.study, keep)
    for name in map(str, everything.columns.difference(table.columns, sort=False)):
        reason = "no analysis uses it; --keep COLUMN shares it"
        seen = f"{copy.study.participants_csv.name}: {name}"
        copy.leave("participants.csv", "a column", reason, seen=seen)
    if "age" in table and pd.api.types.is_numeric_dtype(table["age"]):
        old = table["age"] > MAX_AGE_YEARS
        table = table.assign(age=table["age"].mask(old))
        if old.any():
            copy.leave("participants.csv", f"{old.sum()} ages", "above 89, where few people are")
    copy.meanings |= {
        name: "A covariate or group of this study."
        for name in map(str, table.columns)
        if name not in copy.meanings
    }
    copy.table("participants.csv", table.astype(object).where(table.notna(), "").map(_written))


def _wanted(table: pd.DataFrame, study: Study, keep: Collection[str]) -> pd.DataFrame:
    wanted = {*ABOUT_PEOPLE, *_used(study.settings), *keep}
    return table[[name for name in table.columns if name in wanted]]


def _refuse_unknown(table: pd.DataFrame, keep: Collection[str]) -> None:
    known = [str(name) for name in table.columns]
    for name in keep:
        if name not in known:
            raise StudyError(
                f"--keep {name}: there is no such column of the participants. "
                f"{resources.close_matches(name, known)}Columns: {', '.join(known)}."
            )


def _used(settings: Settings) -> set[str]:
    """Name the columns of participants.csv that an analysis of the study uses."""
    fit = settings.fit
    return {*fit.covariates, *fit.subgroups, fit.permute_within, *settings.agree.groups} - {""}


def _written(cell: Any) -> str:
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)


def _ratings(copy: Copy, scale: str) -> None:
    path = f"ratings/{scale}.csv"
    try:
        table = read_rated(copy.study, scale).ratings
    except RatingsError:
        reason = (
            f"there are none, or 'emoclip-clinic ratings check --scale {scale}' says what is wrong"
        )
        copy.leave(path, "ratings", reason)
        return
    for heading in _other_headings(copy.study, scale):
        reason = "it is no rating: free text, a date or another score"
        seen = f"ratings of {scale}: {heading}"
        copy.leave(path, "a column of a rating sheet", reason, seen=seen)
    keys = ["participant", "session", "rater"]
    coded = copy.names.table(table).sort_values(keys, kind="stable")
    shared = table.loc[coded.index].drop(columns="date", errors="ignore")
    copy.table(path, shared.map(_written))


def _other_headings(study: Study, scale_id: str) -> Iterator[str]:
    """Name the columns of the rating sheets that hold no rating on the scale and no id."""
    scale, rules = load_scale(scale_id, study.path), study.settings.ratings
    names = ItemNames(scale)
    mapped, _ = mapped_items(rules.columns, names)
    for path in study.ratings_files(scale_id):
        sheet = ratings_files.read(path, scale, rules, study.path)
        found = roles(sheet, rules)
        items = find_columns(sheet, names, mapped, found.values()).items
        known = {*items, *found.values()} - {found.get("date")}
        yield from (name for number, name in enumerate(sheet.header) if number not in known)


def _features(copy: Copy) -> None:
    for path in sorted(copy.study.features_dir("").glob("*/*.safetensors")):
        folder = f"features/{path.parent.name}"
        if path.stem not in copy.names.recordings:
            copy.leave(folder, "features", "recordings.csv does not have them")
            continue
        made = _coded(copy, features.read(path))
        features.write(copy.folder / folder / f"{made.recording}.safetensors", made)


def _coded(copy: Copy, given: features.RecordingFeatures) -> features.RecordingFeatures:
    values = {field.name: getattr(given, field.name) for field in fields(given)}
    tables: dict[str, Any] = {
        name: copy.names.table(value)
        for name, value in values.items()
        if isinstance(value, pd.DataFrame)
    }
    return replace(given, recording=copy.names.recording(given.recording), **tables)


def used_protocols(study: Study) -> list[tuple[str, str]]:
    """List the scales and the encoding protocol that go along, each by its kind and name."""
    scales = [("protocols/scales", scale) for scale in used_scales(study)]
    return [*scales, ("protocols/encoding", study.settings.encode.protocol)]


def free_texts(study: Study, title: str, keep: Collection[str] = ()) -> list[FreeText]:
    """List the texts that are shared as they are: titles, headings, words in cells, protocols."""
    shared = _wanted(read_participants(study), study, keep)
    return [
        *of_study(study, title),
        *of_table(shared, study.participants_csv.name, keep),
        *(text for kind, name in used_protocols(study) for text in of_protocol(study, kind, name)),
    ]


def _protocols(copy: Copy) -> None:
    for kind, name in used_protocols(copy.study):
        content = resources.find(kind, name, copy.study.path).read_bytes()
        write_bytes(copy.folder / kind / f"{name}.toml", content)


def _provenance(copy: Copy, record: Mapping[str, Any]) -> None:
    numbers = {name: value for name, value in record.items() if isinstance(value, int | float)}
    shared = {
        **numbers,
        **{name: record[name] for name in FACTS if name in record},
        "settings": _without_places(copy, record["settings"]),
        "n_inputs": len(record["inputs"]),
        "n_outputs": len(record["outputs"]),
    }
    write_json(copy.folder / "provenance" / f"{record['stage']}.json", shared)


def _without_places(copy: Copy, value: Any) -> Any:
    """Leave out of settings what is a path, and put codes in place of names."""
    if isinstance(value, dict):
        return {
            key: NOT_SHARED if key in PLACES else _without_places(copy, one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_without_places(copy, one) for one in value]
    if isinstance(value, str):
        return NOT_SHARED if PLACE.search(value) else copy.names.text(value)
    return value
