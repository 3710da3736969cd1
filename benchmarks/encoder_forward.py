"""The encoder beside open_clip's eager tower with a textbook temporal transformer; prints JSON.

The textbook's attention is written as einsum products and a softmax over whole matrices. Both have
the same weights, and must give the same embeddings. Batches of 32 clips of 32 frames, in fp32 on
this CPU; both take turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import open_clip
import torch

from emoclip_clinic.encoder.model import VideoEncoder

N_CLIPS, N_FRAMES = 32, 32


def textbook(encoder: VideoEncoder, tower: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """Encode clips with an open_clip tower and temporal layers written out."""
    arch = encoder.architecture
    heads, width = arch.temporal_heads, arch.temporal_head_width
    frames = tower(clips.flatten(0, 1)).reshape(*clips.shape[:2], -1)
    temporal = encoder.temporal
    x = torch.cat([temporal.cls_token.repeat(len(frames), 1, 1), frames], dim=1)
    x = x + temporal.pos_embedding[:, : x.shape[1]]
    for attention, mlp in temporal.temporal_transformer.layers:
        normal, block = attention.fn.norm(x), attention.fn.fn
        q, k, v = (
            part.reshape(*part.shape[:2], heads, width).permute(0, 2, 1, 3)
            for part in block.to_qkv(normal).chunk(3, dim=-1)
        )
        weights = (torch.einsum("bhid,bhjd->bhij", q, k) * width**-0.5).softmax(dim=-1)
        mixed = torch.einsum("bhij,bhjd->bhid", weights, v).permute(0, 2, 1, 3)
        x = x + block.to_out(mixed.reshape(*x.shape[:2], heads * width))
        x = x + mlp.fn.fn(mlp.fn.norm(x))
    return x[:, 0]


def seconds(run: Callable[[], torch.Tensor]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the frames a second of both, and the lowest cosine between their embeddings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--clips", type=int, default=N_CLIPS)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    encoder = VideoEncoder().eval()
    tower = open_clip.create_model("ViT-B-32-quickgelu").visual.eval()
    tower.load_state_dict(encoder.backbone.visual.state_dict())
    clips = torch.randn(arguments.clips, N_FRAMES, 3, 224, 224)
    with torch.inference_mode():
        ours = encoder.encode_video(clips)
        theirs = textbook(encoder, tower, clips)
        times = [
            (
                seconds(lambda: encoder.encode_video(clips)),
                seconds(lambda: textbook(encoder, tower, clips)),
            )
            for _ in range(arguments.repeats)
        ]
    own_s, textbook_s = (statistics.median(column) for column in zip(*times, strict=True))
    cosine = torch.nn.functional.cosine_similarity(ours, theirs).min().item()
    n_frames = arguments.clips * N_FRAMES
    print(
        json.dumps(
            {
                "frames_per_second": n_frames / own_s,
                "textbook_frames_per_second": n_frames / textbook_s,
                "ratio": textbook_s / own_s,
                "lowest_cosine": cosine,
                "clips": arguments.clips,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
