"""What a training looks like while it runs."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from emoclip_clinic.cli._app import Screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from emoclip_clinic.training.trainer import Step

__all__ = ["Dashboard", "dashboard"]

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 48
LINE_EVERY_S = 60.0
"""Without a terminal, a line is printed so often, and after each epoch."""


class Dashboard:
    """The state of a training in a table, or in a line now and then.

    Parameters
    ----------
    view
        Where lines are printed.
    """

    def __init__(self, view: Screen) -> None:
        self.view = view
        self._losses: list[float] = []
        self._validation = "at the end of the epoch"
        self._begun: tuple[float, int] | None = None
        self._last_line = time.monotonic()
        self._step: Step | None = None

    def note(self, step: Step) -> None:
        """Take in a step."""
        self._step = step
        self._begun = self._begun or (time.monotonic(), step.number)
        self._losses.append(step.row[2])
        if step.validation:
            epoch, _, loss, recall, best = step.validation
            mark = ", the best so far" if best else ""
            self._validation = (
                f"loss {loss:.3f}, own text nearest {recall:.0%} (epoch {epoch:.0f}{mark})"
            )

    def line(self, step: Step) -> None:
        """Print a line where one is due."""
        self.note(step)
        now = time.monotonic()
        if step.validation or now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            rows = self.rows()
            self.view.say(f"{rows['step']}: loss {rows['loss']}; held out: {rows['held out']}")

    def rows(self) -> dict[str, str]:
        """Give what is shown, by name."""
        step = self._step
        if step is None or self._begun is None:
            return {"step": "begins"}
        _, _, loss, rate, norm, scale = step.row
        begun, first = self._begun
        per_step_s = (time.monotonic() - begun) / max(1, step.number - first)
        left_s = per_step_s * (step.n_steps - step.number)
        return {
            "step": f"{step.number} of {step.n_steps} (epoch {step.epoch})",
            "loss": f"{loss:.4f}  {_curve(self._losses)}",
            "held out": self._validation,
            "learning rate": f"{rate:.2e}",
            "gradient": f"{norm:.3g}",
            "scale of cosines": f"{scale:.1f}",
            "time": f"{per_step_s:.2f} s a step, {_duration(left_s)} left",
        }

    def __rich__(self) -> RenderableType:
        """Draw the table."""
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for name, text in self.rows().items():
            table.add_row(name, text)
        return Panel(table, title="training", title_align="left", width=78)


@contextlib.contextmanager
def dashboard(view: Screen) -> Iterator[Callable[[Step], None]]:
    """Give what a training shows its steps to: a table on a terminal, lines elsewhere."""
    board = Dashboard(view)
    if view.quiet or view.as_json or not sys.stderr.isatty():
        yield board.line
        return
    from rich.console import Console
    from rich.live import Live

    live = Live(board, console=Console(stderr=True), refresh_per_second=4, transient=True)

    def show(step: Step) -> None:
        if not live.is_started:
            # a terminal shows one thing that moves
            view.end_progress()
            live.start()
        board.note(step)

    try:
        yield show
    finally:
        live.stop()


def _curve(losses: list[float]) -> str:
    """Draw the losses as bars, each the mean of some steps."""
    n = min(WIDTH, len(losses))
    cuts = [round(place * len(losses) / n) for place in range(n + 1)]
    means = [sum(losses[start:stop]) / (stop - start) for start, stop in itertools.pairwise(cuts)]
    low, high = min(means), max(means)
    if not high > low:
        return BARS[0] * n
    return "".join(BARS[round((mean - low) / (high - low) * 7)] for mean in means)


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"
