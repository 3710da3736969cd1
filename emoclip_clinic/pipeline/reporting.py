"""report: the cohort's agreement report or a participant's, from the tables before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from emoclip_clinic import files
from emoclip_clinic import report as pdf
from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.agreeing import agree
from emoclip_clinic.pipeline.persons import of_person
from emoclip_clinic.pipeline.report_files import read_logo, write_tables
from emoclip_clinic.pipeline.report_quality import quality_table_files
from emoclip_clinic.pipeline.report_tables import gather, quality_files, question_files, stale
from emoclip_clinic.pipeline.sources import (
    cohort_slug,
    feature_files,
    fit_stage,
    read_rated,
    scale_file,
)
from emoclip_clinic.regression.archive import FILES
from emoclip_clinic.report.checklists import FOLDER, check_answers
from emoclip_clinic.resources import find, names
from emoclip_clinic.scan import safe_id
from emoclip_clinic.study import Stamp, Study

__all__ = ["report"]

PARTICIPANT = "participant"


@dataclass(frozen=True)
class _Asked:
    """Which report is wanted."""

    scale_id: str
    cohort: str = ""
    participant: str = ""
    named: bool = False
    template: str = ""

    @property
    def slug(self) -> str:
        """Name of the cohort's files."""
        return cohort_slug(self.scale_id, self.cohort)

    @property
    def stage(self) -> str:
        """Name in provenance/."""
        return f"report-{self.slug}" + f"-{safe_id(self.participant)}" * bool(self.participant)


@alone
def report(
    study: Study,
    scale_id: str,
    *,
    cohort: str = "",
    participant: str = "",
    named: bool = False,
    template: str | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Write the report of a cohort or a participant as a PDF; `agree` runs first where it is stale.

    Equal tables, settings and template give an equal PDF, byte for byte.

    Parameters
    ----------
    study
        On which `fit` has run.
    scale_id
        A scale such as "panss".
    cohort
        A part of the participants such as "site=A"; all if empty.
    participant
        The one whom the report is about, in place of a cohort.
    named
        Whether a participant's report names them in its heading; its file's name does.
    template
        A file of templates/, without its suffix; that of study.toml, or "participant", if absent.
    progress
        Told at the beginning and the end.

    Raises
    ------
    ScaleError
        The scale is unknown.
    StudyError
        The scale was not fitted yet, nobody of the cohort was analysed, or the participant was not.
    """
    record = study.provenance(fit_stage(scale_id))
    definition = scale_file(study, scale_id)
    if record is None or not study.predictions_csv(scale_id).is_file():
        raise StudyError(
            f"{scale_id} was not fitted yet. Run 'emoclip-clinic fit --scale {scale_id}' first."
        )
    if participant and cohort:
        raise StudyError("a report is of a cohort or of a participant: give one of the two.")
    look = study.settings.report
    usual = PARTICIPANT if participant else look.template
    asked = _Asked(scale_id, cohort, participant, named, template or usual)
    # before anything takes time
    check_answers(look.answers, study.path)
    layout, logo = pdf.load_template(asked.template, study.path, look.language), read_logo(study)
    agreed = agree(study, scale_id, cohort=cohort, progress=progress)
    label = str(record["settings"]["encoder"])
    inputs = [
        *agreed.written,
        *_inputs(study, asked, label),
        find("templates/languages", layout.texts.language, study.path),
        definition,
    ]
    said = {
        "logo": sha256_bytes(logo),
        "study": asdict(study.settings),
        **asdict(asked),
        "stale": stale(study, scale_id, label),
    }
    stamp = study.stamp(asked.stage, inputs, said)
    written = _outputs(study, asked)
    if not (fresh := study.is_fresh(stamp)):
        progress("report", 0, 1)
        data = _data(study, asked, agreed.written[0], label, stamp)
        written = _write(study, written, replace(data, logo=logo), layout)
        study.record(stamp, written)
        progress("report", 1, 1)
    return StageResult(
        stage="report",
        message="up to date." if fresh else "the report is written.",
        written=tuple(written),
        notes=agreed.notes,
        fresh=fresh and agreed.fresh,
    )


def _data(
    study: Study, asked: _Asked, agreement_csv: Path, label: str, stamp: Stamp
) -> pdf.ReportData:
    """Gather what the report says, of the cohort or of one participant."""
    rated = read_rated(study, asked.scale_id)
    data = gather(study, rated, asked.cohort, agreement_csv, label, stamp.inputs)
    font = study.settings.report.font
    data = replace(data, font=str(study.path / font) if font else "")
    if not asked.participant:
        return data
    return of_person(study, rated, data, asked.participant, label, named=asked.named)


def _write(
    study: Study, targets: list[Path], data: pdf.ReportData, layout: pdf.Template
) -> list[Path]:
    """Write the PDF, the first of the targets, and the tables; give every file."""
    document, printed = pdf.make(data, layout)
    files.write_bytes(targets[0], document)
    tables = {"performance": data.performance, "profile": data.tables["profile"]}
    if data.person:
        tables = {"predictions": data.person.scores}
    for path in targets[1:]:
        files.write_csv(path, tables[path.stem.rpartition("_")[2]])
    if data.person:
        return targets
    return [*targets, *write_tables(targets[0], data, layout, printed, study.path)]


def _inputs(study: Study, asked: _Asked, label: str) -> Iterable[Path]:
    """List what the report reads beside the agreement."""
    yield from question_files(study, asked.scale_id, asked.cohort).values()
    yield study.predictions_csv(asked.scale_id)
    yield study.provenance_json(fit_stage(asked.scale_id))
    yield study.recordings_csv
    yield from quality_files(study, label)
    yield from quality_table_files(study, asked.scale_id, asked.cohort, label)
    yield study.participants_csv
    yield study.features_dir(label) / "segments.csv"
    yield find("templates", asked.template, study.path)
    yield from (find(FOLDER, name, study.path) for name in names(FOLDER, study.path))
    if asked.participant:
        yield from feature_files(study, label)[1:]
        yield from (study.model_dir(asked.scale_id) / name for name in FILES)


def _outputs(study: Study, asked: _Asked) -> list[Path]:
    """Name the PDF, and the tables of what it shows that no stage before has written.

    Every number of a report stands in a table.
    """
    target = study.report_pdf(asked.slug)
    if asked.participant:
        own = target.with_suffix("") / f"{safe_id(asked.participant)}.pdf"
        return [own, own.with_name(f"{own.stem}_predictions.csv")]
    names = ["profile", *(["performance"] if asked.cohort else [])]
    return [target, *(target.with_name(f"{asked.slug}_{name}.csv") for name in sorted(names))]
