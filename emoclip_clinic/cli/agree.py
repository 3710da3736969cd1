"""emoclip-clinic agree."""

from __future__ import annotations

from emoclip_clinic.cli._app import ScaleOption, Screen, command


@command()
def agree(view: Screen, scale: ScaleOption) -> None:
    """Agreement of the raters among themselves and of the model with the raters.

    ICC(A,1), ICC(C,1), CCC, bias and limits of agreement, each with its interval; Pearson beside
    them, as association. Writes agreement/SCALE.csv.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    view.show(pipeline.agree(study, scale, progress=view.progress), study)
