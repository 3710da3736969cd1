"""fit: predict every score of a scale from the recordings, validated across participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import files, predictions, scales
from emoclip_clinic.errors import SettingsError, StudyError, TooFewError
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.cohorts import (
    LOCKED,
    Question,
    holdout_csv,
    lock,
    read_manifest,
    record_opening,
)
from emoclip_clinic.pipeline.encoded import encode_stage
from emoclip_clinic.pipeline.judging import Judged, final_model, judge
from emoclip_clinic.pipeline.materials import Material, gather
from emoclip_clinic.pipeline.skill import skill_table, skill_words
from emoclip_clinic.pipeline.sources import (
    encoder_label,
    feature_files,
    fit_stage,
    reported_model,
    require_recordings,
    scale_file,
)
from emoclip_clinic.pipeline.tuning import frame_files, tunes
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.regression import Design, Recipe, cross_validate, save
from emoclip_clinic.regression.archive import FILES
from emoclip_clinic.regression.card import CARD, card, card_facts
from emoclip_clinic.regression.covariates import suspicious
from emoclip_clinic.regression.drivers import fold_stability
from emoclip_clinic.regression.folds import KINDS
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.settings import FitSettings
from emoclip_clinic.study import Study

__all__ = ["ENCODING_JSON", "design_of", "fit"]

BASELINE = "mean"
COVARIATES = "covariates"
ENCODING_JSON = "encoding.json"
"""Beside a model: encoder, protocol and face finder, so that new recordings are encoded alike."""


def design_of(settings: FitSettings, seed: int) -> Design:
    """Make the design of the cross-validation that study.toml asks for.

    Raises
    ------
    SettingsError
        `cv` is not a design.
    """
    if settings.cv not in KINDS:
        raise SettingsError(f"cv = {settings.cv!r}; allowed: {', '.join(KINDS)}")
    return Design(
        kind=settings.cv,  # type: ignore[arg-type] # one of KINDS
        n_folds=settings.folds,
        n_repeats=settings.repeats,
        n_inner_folds=settings.inner_folds,
        seed=seed,
    )


@dataclass(frozen=True)
class _Plan:
    """Everything that a fit depends on but the data."""

    scale_id: str
    slug: str
    label: str
    settings: FitSettings
    design: Design
    question: Question
    splits: Path | None

    @property
    def recipes(self) -> list[Recipe]:
        """The models that were asked for, then the baselines."""
        names = list(dict.fromkeys(self.settings.models))
        names += [COVARIATES] * bool(self.settings.covariates and COVARIATES not in names)
        names += [BASELINE] * (BASELINE not in names)
        return [Recipe.parse(name, self.settings.pooling) for name in names]

    def facts(self) -> dict[str, Any]:
        """Give the settings for the stamp."""
        return {
            **asdict(self.settings),
            **asdict(self.design),
            "encoder": self.label,
            **asdict(self.question),
        }


@alone
def fit(
    study: Study,
    scale_id: str,
    *,
    cv: str | None = None,
    encoder: str | None = None,
    models: Sequence[str] = (),
    permutations: int | None = None,
    question: Question | None = None,
    splits: Path | None = None,
    run: Runner = serially,
    progress: Progress = quiet,
) -> StageResult:
    """Cross-validate and fit every item, subscale and total of a scale.

    Parameters
    ----------
    study
        Its recordings must be encoded and its ratings there.
    scale_id
        A scale such as "panss".
    cv, encoder, models, permutations
        In place of what study.toml says.
    question
        Who is trained on and who is tested; everyone in turn if absent. The answer to another
        question has files of its own.
    splits
        A split manifest to use again.
    run
        Who fits the folds: this process, its cores, or a cluster.
    progress
        Told after every fold.

    Raises
    ------
    StudyError, ScaleError, RatingsError, TooFewError
        Features or ratings are missing or wrong, or there are fewer participants than folds.
    """
    asked = question or Question()
    plan = _plan(study, scale_id, cv, encoder, models, permutations, asked, splits)
    definition = scale_file(study, scale_id)
    require_recordings(study)
    inputs = feature_files(study, plan.label)
    if tunes(plan.recipes):
        inputs += frame_files(study, plan.label)
    if plan.settings.holdout:
        _lock_away(study, plan)
    inputs += [
        *(study.recordings_csv, definition, study.participants_csv, holdout_csv(study)),
        *study.ratings_files(scale_id),
        *([splits] if splits else []),
    ]
    stamp = study.stamp(fit_stage(plan.slug), inputs, plan.facts())
    fresh = study.is_fresh(stamp)
    if not fresh:
        written, notes = _fit(study, plan, run, progress)
        study.record(stamp, written, notes=notes)
    result = _result(study, plan, fresh)
    if cv in (None, study.settings.fit.cv):
        return result
    ours = f"study.toml says cv = \"{study.settings.fit.cv}\", and 'run' would fit that again"
    return replace(result, notes=(*result.notes, f'{ours}: write cv = "{cv}" there to keep this'))


def _plan(
    study: Study,
    scale_id: str,
    cv: str | None,
    encoder: str | None,
    models: Sequence[str],
    permutations: int | None,
    question: Question,
    splits: Path | None,
) -> _Plan:
    settings = study.settings.fit
    settings = replace(
        settings,
        cv=cv or settings.cv,
        models=tuple(models) or settings.models,
        permutations=settings.permutations if permutations is None else permutations,
    )
    return _Plan(
        scale_id=scale_id,
        slug=question.slug(scale_id),
        label=encoder_label(encoder or study.settings.encode.encoder),
        settings=settings,
        design=design_of(settings, study.settings.study.seed),
        question=question,
        splits=splits,
    )


def _lock_away(study: Study, plan: _Plan) -> None:
    """Lock the hold-out before anything is fitted; does nothing where there is one."""
    if holdout_csv(study).is_file():
        return
    material = gather(study, plan.scale_id, plan.label, plan.settings)
    lock(study, material.analysed, plan.settings.holdout, plan.design.seed)


def _fit(
    study: Study, plan: _Plan, run: Runner, progress: Progress
) -> tuple[list[Path], list[str]]:
    """Write every file of the stage; give them, and what there is to know beside the exclusions."""
    material = gather(study, plan.scale_id, plan.label, plan.settings)
    manifest, left_out = plan.question.manifest(study, material.analysed)
    if plan.splits:
        manifest = read_manifest(plan.splits)
    exclusions = pd.concat([material.exclusions, _left_out(left_out, plan)], ignore_index=True)
    material = material.without(left_out)
    _refuse_scores_as_covariates(material)
    try:
        validated = cross_validate(
            material.inputs,
            material.targets,
            material.people,
            plan.design,
            plan.recipes,
            splits=manifest,
            sites=material.column("site"),
            strata=material.strata(plan.settings.stratify),
            run=run,
            progress=lambda done, total: progress("cross-validation", done, total),
        )
    except TooFewError as error:
        lost = [f"{row['id']} ({row['reason']})" for row in exclusions.to_dict("records")]
        listed = f" Left out: {', '.join(lost)}." if lost else ""
        raise TooFewError(" ".join([f"{error}{listed}", *material.notes])) from error
    judged = judge(material, validated, plan.design, plan.settings, plan.recipes, run, progress)
    exclusions = pd.concat([exclusions, validated.exclusions], ignore_index=True)
    tables = {**judged.tables, "splits": validated.splits, "exclusions": exclusions}
    notes = [*material.notes, *judged.notes]
    written = _write(study, plan, material, judged, tables, run)
    if plan.question.open_holdout:
        notes.append(record_opening(study, plan.scale_id, plan.settings.models))
    return written, notes


def _refuse_scores_as_covariates(material: Material) -> None:
    known = material.inputs.covariates
    if known is None:
        return
    found = suspicious(known, material.targets.reindex(known.index), material.people)
    if found:
        raise SettingsError(
            f"{found[0]}. Take it out of covariates under [fit] in study.toml."
            + (f" So do {len(found) - 1} more." if len(found) > 1 else "")
        )


def _left_out(people: set[str], plan: _Plan) -> pd.DataFrame:
    cohort = plan.question.train_on
    why = f"not of the cohort {cohort}" if cohort else LOCKED
    return exclusion_table([Exclusion("fit", "participant", one, why) for one in sorted(people)])


def _write(
    study: Study,
    plan: _Plan,
    material: Material,
    judged: Judged,
    tables: dict[str, pd.DataFrame],
    run: Runner,
) -> list[Path]:
    folder = study.model_dir(plan.slug)
    model = final_model(material, judged.splits, plan.design, plan.recipes[0], run)
    if len(steady := fold_stability(model)):
        tables["stability"] = steady
    written = [study.predictions_csv(plan.slug)]
    predictions.write_predictions(written[0], judged.predictions)
    for name, table in tables.items():
        written.append(folder / f"{name}.csv")
        files.write_csv(written[-1], table)
    about = (judged.tables["performance"], judged.tables["intervals"], material.scale_in_words)
    digest = save(model, folder, card_facts(model, *about))
    files.write_bytes(folder / CARD, card(model, *about, digest).encode())
    files.write_json(folder / ENCODING_JSON, _encoding(study, plan.label))
    return [*written, *(folder / name for name in (*FILES, CARD, ENCODING_JSON))]


def _encoding(study: Study, label: str) -> dict[str, Any]:
    """Say how the recordings were encoded, so that `predict` encodes new ones alike."""
    record = study.provenance(encode_stage(label))
    if record is None:
        raise StudyError(
            "it is not known how the recordings were encoded: provenance/ lacks "
            f"{encode_stage(label)}.json. Run 'emoclip-clinic encode FOLDER' again."
        )
    return {"encoder": record["encoder"], **record["settings"]}


def _result(study: Study, plan: _Plan, fresh: bool) -> StageResult:
    folder = study.model_dir(plan.slug)
    text = {"id": str, "reason": str, "stage": str, "unit": str}
    exclusions = pd.read_csv(folder / "exclusions.csv", dtype=text, keep_default_na=False)
    skill = pd.read_csv(folder / "performance.csv", keep_default_na=False, na_values=[""])
    record = study.provenance(fit_stage(plan.slug)) or {}
    others = [name for name in record.get("outputs", {}) if not name.endswith("/performance.csv")]
    own = skill[skill["model"] == reported_model(study, plan.slug)]
    n_people, n_targets = int(own["n_participants"].max()), own["target"].nunique()
    return StageResult(
        stage="fit",
        message="up to date."
        if fresh
        else f"{n_targets} targets of {plan.scale_id}, {n_people} participants.",
        written=(folder / "performance.csv", *(study.path / name for name in others)),
        exclusions=exclusions,
        notes=tuple(record.get("notes", ())),
        summary={"n_targets": n_targets, "n_participants": n_people},
        table=skill_table(
            folder, own, scales.targets(scales.load_scale(plan.scale_id, study.path))
        ),
        words=skill_words(folder, own),
        fresh=fresh,
        next_command=f"emoclip-clinic report --scale {plan.scale_id}",
    )
