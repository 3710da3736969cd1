"""Make the demonstration's encoder: `python -m emoclip_clinic.pipeline.demo_encoder`."""

from __future__ import annotations

import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from emoclip_clinic.demo import encoder as demo
from emoclip_clinic.encoder.checkpoints import load_checkpoint, save_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.pipeline._stage import Progress, quiet
from emoclip_clinic.pipeline.training import TrainingOptions, train

__all__ = ["train_demo_encoder"]

N_THREADS = 2  # of torch: their number decides the order of sums, and so the last bits


def train_demo_encoder(
    folder: Path,
    n_people: int = demo.N_PEOPLE,
    n_clips: int = demo.N_CLIPS,
    progress: Progress = quiet,
) -> VideoEncoder:
    """Draw stills and clips, train on both with the recipes demo-stills and demo-clips.

    Parameters
    ----------
    folder
        An empty one: for the drawings (about 1 GB) and the trainings.
    n_people, n_clips
        How many people to draw stills of, and how many clips to draw.
    progress
        Told of drawings, clips and steps.

    Returns
    -------
    VideoEncoder
        Its weights are rounded to half precision.
    """
    stills = demo.write_stills(folder / "stills", n_people, progress)
    clips = demo.write_clips(folder / "clips", n_clips, progress)
    start: str | None = None
    for manifest, recipe in ((stills, "demo-stills"), (clips, "demo-clips")):
        done = train(
            str(manifest),
            options=TrainingOptions(
                recipe=recipe, start=start, output=folder / recipe, device="cpu"
            ),
            progress=progress,
            watch=lambda step: progress("training", step.number, step.n_steps),
        )
        start = str(done.written[0])
    model = load_checkpoint(done.written[0])
    model.name, model.notice = "emoclip-demo", demo.NOTICE
    return model.half().float()


def _main() -> None:
    torch.set_num_threads(N_THREADS)

    def show(what: str, done: int, total: int) -> None:
        if done % max(1, total // 20) == 0:
            print(f"{what}: {done} of {total}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        model = train_demo_encoder(Path(folder), progress=show)
    metadata = {
        **demo.held_out_metadata(model),
        "script": "python -m emoclip_clinic.pipeline.demo_encoder",
        "recipes": "protocols/encoding/training: demo-stills, demo-clips",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "open_clip_torch")},
        "opencv": version("opencv-python-headless"),
    }
    # rounded before it was measured, so that nothing changes here
    save_checkpoint(model.half(), demo.WEIGHTS, metadata)
    print(metadata["held_out"])


if __name__ == "__main__":
    _main()
