"""What every command shares: the app, the common options, the screen, the exit codes."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emoclip_clinic.errors import ClinicError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from emoclip_clinic.pipeline import StageResult
    from emoclip_clinic.regression.jobs import Runner
    from emoclip_clinic.study import Study

__all__ = ["Screen", "app", "command", "keep_inside", "runner_of", "screen"]

EXIT_ERROR = 1
EXIT_EXCLUDED = 3
EXIT_STOPPED = 130
EXCLUSIONS_SHOWN = 20

app = typer.Typer(
    name="emoclip-clinic",
    help="Symptom ratings from clinical interview video, and their agreement with clinicians. "
    "Research use only: nothing here is a diagnosis. Nothing leaves this machine.",
    epilog="Start with: emoclip-clinic demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _common_options() -> list[inspect.Parameter]:
    options: dict[str, tuple[Any, Any]] = {
        "study": (
            Annotated[
                Path,
                typer.Option(help="The study folder.", metavar="DIR", show_default="this folder"),
            ],
            Path(),
        ),
        "seed": (
            Annotated[
                int | None,
                typer.Option(min=1, help="In place of the seed in study.toml.", metavar="N"),
            ],
            None,
        ),
        "quiet": (
            Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and exclusions.")],
            False,
        ),
        "verbose": (
            Annotated[bool, typer.Option("--verbose", "-v", help="Every exclusion, every file.")],
            False,
        ),
        "as_json": (
            Annotated[
                bool, typer.Option("--json", help="A machine-readable summary on standard output.")
            ],
            False,
        ),
    }
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]


def command(
    to: typer.Typer = app, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a function `verb(view, ...)` as a command that has the common options too."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [*own, *_common_options()]

        def run(
            *,
            study: Path,
            seed: int | None,
            quiet: bool,
            verbose: bool,
            as_json: bool,
            **given: Any,
        ) -> None:
            with screen(Screen(study, seed, quiet, verbose, as_json)) as view:
                function(view, **given)

        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {option.name: option.annotation for option in parameters}
        to.command(name)(run)
        return function

    return add


@dataclass
class Screen:
    """Where a command shows its progress and its result."""

    study_path: Path
    seed: int | None
    quiet: bool
    verbose: bool
    as_json: bool
    exit_code: int = 0
    _bar: Bar | None = None
    _tasks: dict[str, TaskID] = field(default_factory=dict)
    _results: list[dict[str, Any]] = field(default_factory=list)

    def study(self) -> Study:
        """Open the study that --study names."""
        from emoclip_clinic.study import Study

        return Study(self.study_path, seed=self.seed)

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar of `what`; the first call makes it, and it goes when all is done."""
        if self._bar is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)
        if done >= total:
            self._bar.remove_task(self._tasks.pop(what))

    def end_progress(self) -> None:
        """Take the bars away for good: something else is drawn now."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, text: str) -> None:
        """Print a line for people."""
        if not self.quiet and not self.as_json:
            _print(text)

    def table(self, columns: list[str], rows: list[list[Any]], title: str = "") -> None:
        """Print a table on standard output, or its rows for --json."""
        if self.as_json:
            self._results.append({"rows": [dict(zip(columns, row, strict=True)) for row in rows]})
            return
        _print_table(columns, rows, title)

    def show(
        self, result: StageResult, study: Study | None = None, *, more_follows: bool = False
    ) -> None:
        """Print what a stage did and note its exit code and its JSON."""
        exclusions = result.exclusions.to_dict("records")
        self._results.append(
            {
                "stage": result.stage,
                "message": result.message,
                "up_to_date": result.fresh,
                "written": [_place(path, study) for path in result.written],
                "exclusions": exclusions,
                "notes": list(result.notes),
                **result.summary,
            }
        )
        if exclusions:
            self.exit_code = EXIT_EXCLUDED
        if self.as_json:
            return
        if not result.fresh and not self.quiet and result.table is not None:
            table = result.table
            _print_table(list(table.columns), table.to_numpy().tolist(), dense=True)
        for text in () if result.fresh else result.words:
            self.say(text)
        for note in result.notes:
            self.say(f"  note: {note}")
        shown = exclusions if self.verbose else exclusions[:EXCLUSIONS_SHOWN]
        for row in shown:
            _print(f"  left out: {row['unit']} {row['id']}: {row['reason']}")
        if len(exclusions) > len(shown):
            _print(f"  and {len(exclusions) - len(shown)} more: --verbose lists them")
        for text in result.details if self.verbose else ():
            _print(f"  left out: {text}")
        verb = "In" if result.fresh else "Wrote"
        first = f" {verb} {_place(result.written[0], study)}." if result.written else ""
        self.say(f"{result.stage}: {result.message}{first}")
        if self.verbose:
            for path in result.written[1:]:
                self.say(f"  {verb.lower()} {_place(path, study)}")
        if result.next_command and not more_follows:
            from emoclip_clinic.files import study_option

            where = study_option(study.path) if study else ""
            self.say(f"Next: {result.next_command}{where}")

    def finish(self) -> None:
        """Print the JSON, where it was asked for."""
        if self.as_json:
            content = self._results[0] if len(self._results) == 1 else {"stages": self._results}
            _print_json(content)


def runner_of(view: Screen, cluster: str) -> contextlib.AbstractContextManager[Runner]:
    """Connect to what --cluster names, as long as the context lasts."""
    from emoclip_clinic.cluster import connect

    return connect(cluster, view.study_path)


def _place(path: Path, study: Study | None) -> str:
    if study is None:
        return str(path)
    relative = study.relative(path)
    return relative if Path(relative).is_absolute() else str(study.path / relative)


def keep_inside(study: Path) -> None:
    """Have matplotlib keep its list of fonts in the study: nothing is written outside it."""
    if os.access(study, os.W_OK) or not study.exists():
        os.environ.setdefault("MPLCONFIGDIR", str(study.absolute() / "cache" / "matplotlib"))


def _print_table(
    columns: list[str], rows: list[list[Any]], title: str = "", *, dense: bool = False
) -> None:
    """Print a table on standard output; a dense one on standard error, a line a row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title or None)
    if dense:
        # 80 columns hold it
        table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
        for number, column in enumerate(table.columns):
            column.no_wrap, column.justify = True, "right" if number else "left"
    else:
        for column in table.columns:
            # a long name goes on in the next line, and is not cut
            column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console(stderr=dense).print(table)


def _print(text: str) -> None:
    # data may hold square brackets, which rich would read as styles
    typer.echo(text, err=True)


def _print_json(content: dict[str, Any]) -> None:
    # ASCII: names need not be Unicode, and not every terminal knows every letter
    typer.echo(json.dumps(content, default=str))


def _fail(screen: Screen, message: str, code: int) -> None:
    if screen.as_json:
        _print_json({"error": message})
    _print(f"error: {message}" if code == EXIT_ERROR else message)
    raise typer.Exit(code)


@contextlib.contextmanager
def screen(view: Screen) -> Iterator[Screen]:
    """Run a command: a progress bar on standard error, one clear message for what goes wrong.

    Exit codes: 0 done, 1 a ClinicError, 3 done but something was left out, 130 stopped by Ctrl-C.
    """
    if (view.study_path / "study.toml").is_file():
        keep_inside(view.study_path)
    try:
        with contextlib.ExitStack() as stack:
            if not view.quiet and not view.as_json and sys.stderr.isatty():
                view._bar = stack.enter_context(_bar())
            yield view
    except ClinicError as error:
        _fail(view, str(error), EXIT_ERROR)
    except BrokenPipeError:
        # whoever read the output has seen enough
        raise
    except OSError as error:
        _fail(view, f"the system refused to read or write: {error}.", EXIT_ERROR)
    except KeyboardInterrupt:
        _fail(
            view,
            "Stopped. What was finished is kept: the same command goes on from there.",
            EXIT_STOPPED,
        )
    view.finish()
    if view.exit_code:
        raise typer.Exit(view.exit_code)


def _bar() -> Bar:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=Console(stderr=True), transient=True)
