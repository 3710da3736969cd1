"""run: every stage that is stale, in order; and demo: the same on a synthetic study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.encoding import encode
from emoclip_clinic.pipeline.fitting import fit
from emoclip_clinic.pipeline.reporting import report
from emoclip_clinic.study import Study

__all__ = ["run"]


def run(
    study: Study, *, device: str = "auto", weights: Path | None = None, progress: Progress = quiet
) -> Iterator[StageResult]:
    """Encode, fit and report all that study.toml names, skipping what is up to date.

    Yields
    ------
    StageResult
        As each stage ends; `fresh` says that it had nothing to do.

    Raises
    ------
    StudyError
        study.toml names no scale.
    """
    settings = study.settings.study
    if not settings.scales:
        raise StudyError('study.toml names no scale: write scales = ["panss"] under [study].')
    folder = study.path / settings.recordings
    yield encode(study, folder, device=device, weights=weights, progress=progress)
    for scale_id in settings.scales:
        yield fit(study, scale_id, progress=progress)
        yield report(study, scale_id, progress=progress)
