from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from emoclip_clinic.demo.encoder import (
    HELD_OUT,
    NOTICE,
    WEIGHTS,
    check_encoder,
    evaluate,
)
from emoclip_clinic.encoder.checkpoints import load_checkpoint
from emoclip_clinic.pipeline.demo_encoder import train_demo_encoder


def test_the_shipped_weights_give_the_embedding_kept_beside_them() -> None:
    """The fixed clip is drawn again and encoded again, to 1e-4."""
    found = check_encoder()
    assert found["ok"]
    assert found["max_relative_difference"] <= 1e-4


def test_the_shipped_weights_say_what_they_are() -> None:
    """Small, with the notice, the script, the seed and the versions that made them."""
    assert WEIGHTS.stat().st_size < 6_000_000
    model = load_checkpoint(WEIGHTS)
    assert model.notice == NOTICE
    assert model.name == "emoclip-demo"
    assert {"script", "seed", "torch", "numpy", "opencv"} <= set(model.metadata)


def test_the_encoder_tells_expressions_of_unseen_people_apart() -> None:
    """Zero-shot and retrieval are well above chance, and as its metadata say."""
    model = load_checkpoint(WEIGHTS)
    found = evaluate(model, HELD_OUT[:96])
    for attribute in ("smile", "blinks", "head", "speech", "retrieval"):
        assert found[attribute] > found[f"{attribute} by chance"] + 0.15
    stated = json.loads(model.metadata["held_out"])
    assert found["retrieval"] == pytest.approx(stated["retrieval"], abs=0.12)


def test_training_the_encoder_again_gives_the_same_weights(tmp_path: Path) -> None:
    """Both recipes on a few drawings, twice: every weight is equal, in half precision."""
    runs = [
        train_demo_encoder(tmp_path / str(run), n_people=8, n_clips=64).state_dict()
        for run in range(2)
    ]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert all(torch.equal(value, value.half().float()) for value in runs[0].values())
