"""emoclip-clinic doctor."""

from __future__ import annotations

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import WeightsOption


@command()
def doctor(view: Screen, weights: WeightsOption = None) -> None:
    """Tell what this machine can do: libraries, devices, weights, and whether numbers are right.

    Recomputes a stored embedding of the demonstration's encoder; exits with 1 where it differs.
    """
    from emoclip_clinic.pipeline.doctor import examine

    checks = examine(weights)
    view.table(["", "state", ""], [[check.name, check.state, check.detail] for check in checks])
    if any(check.state == "wrong" for check in checks):
        view.exit_code = 1
