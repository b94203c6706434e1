"""`OPENBLAS_NUM_THREADS=1 python -m tests.models.cost`: CPU time of looking at one picture."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from models.frames import FrameModels
from models.phash import change, perceptual_hash, shrunk

TIMES = 30


def spent_ms(step: Callable[[], object]) -> float:
    step()
    begun = time.process_time()
    for _ in range(TIMES):
        step()
    return (time.process_time() - begun) / TIMES * 1000


def main() -> None:
    models = FrameModels.load()
    for height, width in ((360, 640), (720, 1280), (1080, 1920)):
        rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
        luma = np.ascontiguousarray(rgb[:, :, 0])
        small = shrunk(luma, 160)
        steps: dict[str, Callable[[], object]] = {
            "score": lambda rgb=rgb: models.score(rgb),
            "hash": lambda luma=luma: perceptual_hash(luma),
            "change": lambda small=small: change(small, small),
        }
        figures = ", ".join(f"{name} {spent_ms(step):.2f} ms" for name, step in steps.items())
        sys.stdout.write(f"{width}x{height}: {figures}\n")


if __name__ == "__main__":
    main()
