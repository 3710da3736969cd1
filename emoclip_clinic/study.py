"""The study folder: where each file lies, which stage is stale, and what it was made from."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emoclip_clinic import __version__
from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.files import sha256_bytes, sha256_file, write_bytes, write_json
from emoclip_clinic.ratings_files import sidecars
from emoclip_clinic.settings import Settings, StudySettings, read_settings, to_toml

__all__ = ["SETTINGS_FILE", "Stamp", "Study"]

SETTINGS_FILE = "study.toml"
# a file changed this recently could change again within the clock's tick: its hash is not kept
SETTLED_S = 2.0
LIBRARIES = (
    "av", "decord", "numpy", "onnxruntime", "open_clip_torch", "opencv-python-headless", "openpyxl",
    "pandas", "pingouin", "pyreadstat", "reportlab", "scikit-learn", "scipy", "skops", "torch",
)  # fmt: skip


@dataclass(frozen=True)
class Stamp:
    """What a stage is about to read, and with which settings: equal stamps mean equal results."""

    stage: str
    """Name of the stage, and of its provenance file; may hold a scale ("fit-panss")."""
    inputs: Mapping[str, str]
    """SHA-256 of everything it reads, by a name that says what it is."""
    settings: Mapping[str, Any]
    """Every setting the result depends on, the seed included."""


class Study:
    """A study folder.

    Parameters
    ----------
    path
        The folder; the current one if it is not given.
    seed
        Takes the place of the seed in study.toml.

    Raises
    ------
    StudyError
        There is no study.toml in the folder; `Study.create` makes one.
    SettingsError
        study.toml has a key or a value that is not allowed.
    """

    def __init__(self, path: str | Path = ".", *, seed: int | None = None) -> None:
        self.path = Path(path)
        self._seed = seed
        if not (self.path / SETTINGS_FILE).is_file():
            raise StudyError(
                f"{self._place()} is not a study: it has no {SETTINGS_FILE}. {self._hint()}"
            )

    @classmethod
    def create(cls, path: str | Path, settings: Settings | None = None) -> Study:
        """Make the folder and its study.toml; a study that is there already is only opened."""
        folder = Path(path)
        if not (folder / SETTINGS_FILE).exists():
            write_bytes(folder / SETTINGS_FILE, to_toml(settings or Settings()).encode())
        return cls(folder)

    def _place(self) -> str:
        return "this folder" if self.path == Path() else str(self.path)

    def _hint(self) -> str:
        with contextlib.suppress(OSError):
            inside = sorted(file.parent for file in self.path.glob(f"*/{SETTINGS_FILE}"))
            if inside:
                return f"There is one in {inside[0]}: add --study {inside[0]}."
        return "Make one with 'emoclip-clinic init DIR', or name it with --study DIR."

    @cached_property
    def settings(self) -> Settings:
        """What study.toml says."""
        settings = read_settings(self.path / SETTINGS_FILE)
        if self._seed is None:
            return settings
        study: StudySettings = replace(settings.study, seed=self._seed)
        return replace(settings, study=study)

    # where each file lies

    @property
    def recordings_csv(self) -> Path:
        """One row a recording: identity, container facts, usable or why not."""
        return self.path / "recordings.csv"

    @property
    def quality_csv(self) -> Path:
        """Tidy quality measures of the recordings."""
        return self.path / "quality.csv"

    @property
    def review_csv(self) -> Path:
        """Optional: what a reviewer decided about who is the participant."""
        return self.path / "review.csv"

    @property
    def review_dir(self) -> Path:
        """The page with pictures of faces, as long as it is wanted."""
        return self.path / "review"

    @property
    def participants_csv(self) -> Path:
        """Optional: participant, site, age, sex and whatever else a cohort is chosen by.

        A participants.tsv, as BIDS has it, stands in for participants.csv.
        """
        comma, tab = self.path / "participants.csv", self.path / "participants.tsv"
        return tab if tab.is_file() and not comma.is_file() else comma

    def ratings_files(self, scale: str) -> list[Path]:
        """List the sheets that exist of those that hold the clinicians' ratings on a scale.

        Raises
        ------
        RatingsError
            None of them exists.
        """
        names = [name.replace("{scale}", scale) for name in self.settings.ratings.files]
        found = [self.path / name for name in names if (self.path / name).is_file()]
        if not found:
            raise RatingsError(
                f"there are no ratings on {scale}: looked for {' and '.join(names)}. "
                f"'emoclip-clinic ratings template --scale {scale}' makes a sheet to fill "
                f"in; other files are named in {SETTINGS_FILE} under [ratings]."
            )
        return found

    def features_dir(self, encoder: str) -> Path:
        """Feature vectors and segments.csv of one encoder."""
        return self.path / "features" / encoder

    def model_dir(self, scale: str) -> Path:
        """Hold the fitted model, its performance, its splits and what was left out."""
        return self.path / "models" / scale

    def predictions_csv(self, scale: str) -> Path:
        """Out-of-fold predictions."""
        return self.path / "predictions" / f"{scale}.csv"

    def agreement_csv(self, scale: str) -> Path:
        """Every agreement statistic with its interval."""
        return self.path / "agreement" / f"{scale}.csv"

    def agreement_dir(self, scale: str) -> Path:
        """Hold the further tables of agreement, a question each, and all of them as JSON."""
        return self.path / "agreement" / scale

    def report_pdf(self, name: str) -> Path:
        """Hold a report."""
        return self.path / "reports" / f"{name}.pdf"

    def provenance_json(self, stage: str) -> Path:
        """Say what a stage read, with which settings and versions, and what it wrote."""
        return self.path / "provenance" / f"{stage}.json"

    def relative(self, path: Path) -> str:
        """Give a path as the study's files write it: relative to the study where it lies inside."""
        # unlike Path.resolve, it gives a path for a link that leads in a circle too
        place = Path(os.path.realpath(path))
        with contextlib.suppress(ValueError):
            return place.relative_to(os.path.realpath(self.path)).as_posix()
        return place.as_posix()

    def _name(self, path: Path) -> str:
        """Name an input: one that was shipped is the same input wherever it is installed."""
        name = self.relative(path)
        return f"{path.parent.name}/{path.name}" if Path(name).is_absolute() else name

    # hashes and freshness

    @property
    def _hashes_json(self) -> Path:
        return self.path / "cache" / "hashes.json"

    @cached_property
    def _hashes(self) -> dict[str, list[Any]]:
        return _read_json(self._hashes_json) or {}

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file, read again only when its size or time has changed.

        Raises
        ------
        StudyError
            It is no regular file, or cannot be read.
        """
        key = self.relative(path)
        known = self._hashes.get(key)
        try:
            state = path.stat()
            if isinstance(known, list) and known[:2] == [state.st_size, state.st_mtime_ns]:
                return str(known[-1])
            if not stat.S_ISREG(state.st_mode):
                raise StudyError(f"cannot read {path}: it is no regular file.")
            digest = sha256_file(path)
        except OSError as error:
            raise StudyError(
                f"cannot read {path}: {error.strerror or error}. Make it readable, then run the "
                "same command again."
            ) from error
        if time.time() - state.st_mtime > SETTLED_S:
            self._hashes[key] = [state.st_size, state.st_mtime_ns, digest]
        return digest

    def save_hashes(self) -> None:
        """Keep what `sha256` has read, so that the next run need not read it again."""
        write_json(self._hashes_json, self._hashes)

    def stamp(
        self, stage: str, inputs: Iterable[Path], settings: Mapping[str, Any], **facts: str
    ) -> Stamp:
        """Say what `stage` would read now; `facts` are inputs that are no file of the study."""
        paths = [path for path in inputs if path.is_file()]
        facts |= self._reading_of_ratings(paths)
        hashes = {self._name(path): self.sha256(path) for path in paths}
        return Stamp(stage, {**hashes, **facts}, json.loads(json.dumps(settings)))

    def _reading_of_ratings(self, inputs: list[Path]) -> dict[str, str]:
        """Say what else decides what is read from the rating sheets among the inputs."""
        if not inputs:
            return {}
        rules = self.settings.ratings
        names = [glob.escape(self.relative(self.path / name)) for name in rules.files]
        patterns = [name.replace("{scale}", "*") for name in names]
        sheets = [
            path
            for path in inputs
            if any(fnmatchcase(self.relative(path), pattern) for pattern in patterns)
        ]
        if not sheets:
            return {}
        beside = [one for path in sheets for one in sidecars(path)]
        beside += [self.path / rules.dictionary] if rules.dictionary else []
        return {
            "rules for ratings": digest(asdict(rules)),
            **{self._name(path): self.sha256(path) for path in beside if path.is_file()},
        }

    def provenance(self, stage: str) -> dict[str, Any] | None:
        """Read the provenance of a stage's last complete run, or None."""
        return _read_json(self.provenance_json(stage))

    def is_fresh(self, stamp: Stamp) -> bool:
        """Whether the stage ran with equal inputs and settings and left its files as they are."""
        record = self.provenance(stamp.stage)
        if record is None:
            return False
        expected = (__version__, dict(stamp.inputs), dict(stamp.settings))
        if (record.get("emoclip_clinic"), record.get("inputs"), record.get("settings")) != expected:
            return False
        outputs = record.get("outputs")
        return isinstance(outputs, dict) and all(
            (self.path / name).is_file() and self.sha256(self.path / name) == digest
            for name, digest in outputs.items()
        )

    def record(
        self, stamp: Stamp, outputs: Iterable[Path], *, device: str = "cpu", **facts: Any
    ) -> None:
        """Write the stage's provenance: the last thing it does, so that a kill leaves it stale."""
        record = {
            "stage": stamp.stage,
            "emoclip_clinic": __version__,
            "inputs": dict(stamp.inputs),
            "settings": dict(stamp.settings),
            "outputs": {self.relative(path): self.sha256(path) for path in outputs},
            "device": device,
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "libraries": {name: _version(name) for name in LIBRARIES},
            **facts,
        }
        write_json(self.provenance_json(stamp.stage), record)
        self.save_hashes()


def _read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no whole one: the stage is then run again."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return None


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def digest(value: Any) -> str:
    """SHA-256 of a JSON value: a stamp's input that is no file."""
    return sha256_bytes(json.dumps(value, sort_keys=True).encode())
