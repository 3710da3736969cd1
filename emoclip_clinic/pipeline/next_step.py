"""What to run next where nothing came of a stage."""

from __future__ import annotations

from dataclasses import replace

from emoclip_clinic.pipeline._stage import StageResult

__all__ = ["cured"]


def cured(result: StageResult, options: str) -> StageResult:
    """Have `encode` name what to do where it used no window: there is nothing to fit.

    Parameters
    ----------
    result
        Of `encode`.
    options
        As they are typed: with them `review` finds the same people.
    """
    if result.summary["n_windows_used"]:
        return result
    # its reasons name the review where a person has to choose
    if result.exclusions["reason"].str.contains("review").any():
        return replace(result, next_command=f"emoclip-clinic review{options}")
    note = f"no window is used: see the reasons in {result.written[0].name}"
    return replace(result, notes=(*result.notes, note), next_command="")
