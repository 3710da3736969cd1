"""Share a study: a copy with codes in place of names, or a bundle with all that explains it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from emoclip_clinic import files, participants
from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.locks import hold
from emoclip_clinic.pipeline import bundles
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.copying import Copy
from emoclip_clinic.pipeline.free_texts import going_along, refuse_told
from emoclip_clinic.pipeline.identities import Identities
from emoclip_clinic.pipeline.leaks import refuse_leaks
from emoclip_clinic.pipeline.shareable import (
    copy_all,
    free_texts,
    rated_scales,
    used_protocols,
)
from emoclip_clinic.pipeline.sources import read_rated, require_recordings, stale_predictions
from emoclip_clinic.pseudonyms import KEY_BYTES, Pseudonyms, key_path, read_or_make_key
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import DEFAULT_SESSION, exclusion_table
from emoclip_clinic.scan import safe_id
from emoclip_clinic.study import Study

__all__ = ["export", "pseudonymise"]


@dataclass(frozen=True)
class _Wish:
    """What was asked for."""

    key: Path | None
    keep_ids: bool
    keep: Collection[str]
    crosswalk: bool
    title: str | None
    force: bool
    papers: bool
    progress: Progress


def export(
    study: Study,
    output: Path,
    *,
    key: Path | None = None,
    keep_ids: bool = False,
    keep: Collection[str] = (),
    crosswalk: bool = False,
    title: str | None = None,
    force: bool = False,
    progress: Progress = quiet,
) -> StageResult:
    """Write a bundle that can be shared: no recordings, no names, no paths, no free text.

    Parameters
    ----------
    study
        What is shared: features, predictions, agreement, ratings, settings, provenance.
    output
        A new .zip, or a new folder.
    key
        File of the key that makes the codes; made if it is absent.
    keep_ids
        Leave ids of participants, recordings and raters as they are.
    keep
        Further columns of participants.csv to share.
    crosswalk
        Also write which code is whose, beside the key.
    title
        In place of that in study.toml.
    force
        Write over a bundle that is there, or within the study folder.
    progress
        Told of files done.

    Raises
    ------
    StudyError
        `output` is there, or in the study; the key lies where it would be shared; an id, the name
        of a recording's file or a date was found in a text that would be shared. Nothing is written
        then.
    """
    wish = _Wish(key, keep_ids, keep, crosswalk, title, force, True, progress)
    return _share(study, output, wish)


def pseudonymise(
    study: Study,
    output: Path,
    *,
    key: Path | None = None,
    keep: Collection[str] = (),
    crosswalk: bool = False,
    title: str | None = None,
    force: bool = False,
    progress: Progress = quiet,
) -> StageResult:
    """Write a copy of the study with codes in place of ids, to go on working in.

    The copy is what `export` would share, as a folder and without the papers. Parameters and errors
    are those of `export`.
    """
    if output.suffix.lower() == ".zip":
        raise StudyError(
            f"{output}: 'pseudonymise' makes a folder. Name one, or use 'emoclip-clinic export'."
        )
    wish = _Wish(key, False, keep, crosswalk, title, force, False, progress)
    return _share(study, output, wish)


def _share(study: Study, output: Path, wish: _Wish) -> StageResult:
    # the study is only read, and may lie where nothing can be written
    with hold(study.path, _verb(wish)):
        return _shared(study, output, wish)


def _verb(wish: _Wish) -> str:
    return "export" if wish.papers else "pseudonymise"


def _shared(study: Study, output: Path, wish: _Wish) -> StageResult:
    if wish.crosswalk and wish.keep_ids:
        raise StudyError("--keep-ids makes no codes, so there is no crosswalk: leave out one.")
    bundles.check_place(output, study.path, force=wish.force)
    recordings = require_recordings(study)
    title = study.settings.study.title if wish.title is None else wish.title
    named = partial(_identities, study, recordings)
    # before a key is made, of which only a bundle tells: with any key the same names are looked for
    draft = named(Pseudonyms(None if wish.keep_ids else bytes(KEY_BYTES)))
    refuse_told(free_texts(study, title, wish.keep), draft, recordings)
    path, secret, made = key_path(wish.key), None, False
    if not wish.keep_ids:
        secret, made = read_or_make_key(path, (study.path, output))
    names = named(Pseudonyms(secret))
    copy, n_files = _write(study, output, names, title, wish)
    codes = [_crosswalk(path, study, names)] if wish.crosswalk else []
    stale = [note for scale in rated_scales(study) for note in stale_predictions(study, scale)]
    return StageResult(
        stage=_verb(wish),
        message=_message(recordings, n_files, secret is not None),
        written=(output, *codes),
        exclusions=exclusion_table(copy.exclusions),
        notes=(
            *stale,
            *_notes(path, names, made, wish),
            *map(_of_crosswalk, codes),
            *_to_read(study, title),
            _of_features(wish),
        ),
        summary={"n_files": n_files, "n_recordings": len(recordings), "coded": secret is not None},
    )


def _write(
    study: Study, output: Path, names: Identities, title: str, wish: _Wish
) -> tuple[Copy, int]:
    """Make the copy beside its place, look through it, and put it there; count its files."""
    coded = names.pseudonyms.key is not None
    with bundles.parts(output) as folder:
        copy = Copy(study, folder, names, bundles.meanings(), title)
        copy_all(copy, wish.keep)
        if wish.papers:
            bundles.write_papers(copy, coded=coded)
        refuse_leaks(folder, names, study.path)
        n_files = bundles.write_manifest(folder, coded=coded)
        bundles.publish(folder, output, wish.progress)
    return copy, n_files


def _identities(study: Study, recordings: pd.DataFrame, codes: Pseudonyms) -> Identities:
    visits, raters = set[tuple[str, str]](), set[str]()
    known = participants.read_participants(study.participants_csv)["participant"]
    visits |= {(str(who), DEFAULT_SESSION) for who in known.dropna()}
    for scale in rated_scales(study):
        try:
            table = read_rated(study, scale).ratings
        except RatingsError:
            # `copy_all` says that these are left out
            continue
        visits |= set(zip(table["participant"], table["session"], strict=True))
        raters |= set(table["rater"])
    return Identities(codes, recordings, visits, raters, bundles.words(study))


def _message(recordings: pd.DataFrame, n_files: int, coded: bool) -> str:
    filmed = counted(len(recordings), "recording")
    people = counted(recordings["participant"].nunique(), "participant")
    ids = "codes in place of ids" if coded else "IDS ARE AS IN THE STUDY"
    return f"{filmed} of {people}, {n_files} files, {ids}."


def _notes(path: Path, names: Identities, made: bool, wish: _Wish) -> list[str]:
    notes = []
    if made:
        notes.append(
            f"a new key was made: {path}. Keep it, and apart from what you share: the same key "
            "gives the same codes next time; without it nobody can."
        )
    unsure = len(names.replaced) - len(names.telling)
    if unsure and not wish.keep_ids:
        notes.append(
            f"{unsure} ids are numbers or ordinary words: they were replaced in their columns, but "
            "cannot be looked for in texts. Read titles, names of groups and protocols yourself."
        )
    return notes


def _of_crosswalk(path: Path) -> str:
    return (
        f"{path} HOLDS THE REAL IDS beside their codes: keep it as you keep the key, and never "
        "with what you share."
    )


def _to_read(study: Study, title: str) -> list[str]:
    along = going_along(study, title, used_protocols(study))
    return [f"goes along: {text}: check that it names nobody." for text in along]


def _of_features(wish: _Wish) -> str:
    where = "LEAVES.md in the bundle" if wish.papers else "docs/sharing.md"
    return f"features are of faces and may reveal who it is: see {where}."


def _crosswalk(key: Path, study: Study, names: Identities) -> Path:
    """Write which code is whose, beside the key."""
    people = sorted({who for who, _ in names.visits})
    rows = [("participant", who, names.participant(who)) for who in people]
    rows += [("rater", rater, names.rater(rater)) for rater in names.raters]
    sessions = sorted({session for _, session in names.visits})
    rows += [("session", name, names.session(name)) for name in sessions]
    rows += [("recording", name, code) for name, code in sorted(names.recordings.items())]
    path = key.with_name(f"{key.stem}_{safe_id(study.path.resolve().name)}.csv")
    files.write_csv(path, pd.DataFrame(rows, columns=["kind", "id", "code"]))
    return path
