"""emoclip-clinic run."""

from __future__ import annotations

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import DeviceOption, WeightsOption


@command()
def run(view: Screen, device: DeviceOption = "auto", weights: WeightsOption = None) -> None:
    """Run every stage that is stale, in order, as study.toml says."""
    from emoclip_clinic import pipeline

    study = view.study()
    all_fresh = True
    for result in pipeline.run(study, device=device, weights=weights, progress=view.progress):
        view.show(result, study, more_follows=True)
        all_fresh = all_fresh and result.fresh
    if all_fresh:
        view.exit_code = 0
        view.say("Everything is up to date.")
