"""`OPENBLAS_NUM_THREADS=1 python -m tests.models.measure_faces`: what a photo costs; how often one that was
sent before is known again (REL-C6): each of the shared photos, 40 times.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from models.duplicates import Likeness, compare, fingerprint
from models.face_match import FaceMatcher
from models.face_measures import blur, chip, pose
from models.faces import FaceFinder
from models.jpeg import decode, encode, header

from .pictures import photo_file
from .test_duplicates import PHOTOS, scaled, taken_anew

TIMES = 40
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def unchanged(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return rgb


def cropped(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """5 % off one side."""
    down, right = (round(0.05 * side) for side in rgb.shape[:2])
    return (rgb[down:], rgb[:-down], rgb[:, right:], rgb[:, :-right])[random.integers(4)]


def off_a_screen(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As a second camera takes it: a little askew and nearer, paler, with its own noise."""
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    angle, zoom = np.radians(random.uniform(-2, 2)), random.uniform(0.92, 1.0)
    x, y = (columns - width / 2) * zoom, (rows - height / 2) * zoom
    seen_x = np.clip(x * np.cos(angle) - y * np.sin(angle) + width / 2, 0, width - 1).astype(int)
    seen_y = np.clip(x * np.sin(angle) + y * np.cos(angle) + height / 2, 0, height - 1).astype(int)
    pale = 40 + 0.8 * rgb[seen_y, seen_x] + random.normal(0, 5, rgb.shape)
    return pale.clip(0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "encoded anew": unchanged,
    "scaled to 40-150 % and encoded anew": lambda rgb, random: scaled(rgb, random.uniform(0.4, 1.5)),
    "cropped by 5 % on a side": cropped,
    "taken off a screen (simulated)": off_a_screen,
    "taken anew by the same camera (simulated): should not be": lambda rgb, random: taken_anew(
        rgb, int(random.integers(1 << 30))
    ),
}


def duplicates() -> None:
    random = np.random.default_rng(6)
    photos = {name: decode(photo_file(name)) for name in PHOTOS}
    prints = {name: fingerprint(photo_file(name), rgb) for name, rgb in photos.items()}
    for what, change in CHANGES.items():
        known = 0
        for name, rgb in photos.items():
            for _ in range(TIMES):
                again = encode(np.ascontiguousarray(change(rgb, random)), scale=int(random.integers(2, 20)))
                known += compare(prints[name], fingerprint(again, decode(again))) is Likeness.REPEATED
        sys.stdout.write(f"{what}: {known} of {TIMES * len(photos)} flagged\n")


def cost() -> None:
    finder, matcher = FaceFinder.load(), FaceMatcher.load()
    data = encode(scaled(decode(photo_file("liveness_real_1.jpg")), 1.0))
    rgb = decode(data)
    (face,) = finder.find(rgb)
    upright = chip(rgb, face)
    steps: dict[str, Callable[[], object]] = {
        "header": lambda: header(data),
        "decode": lambda: decode(data),
        "find": lambda: finder.find(rgb),
        "chip, blur and pose": lambda: (blur(chip(rgb, face)), pose(face.points)),
        "descriptor": lambda: matcher.descriptor(upright),
        "fingerprint": lambda: fingerprint(data, rgb),
        "encode": lambda: encode(rgb),
    }
    for name, step in steps.items():
        step()
        begun = time.process_time()
        for _ in range(20):
            step()
        sys.stdout.write(f"{name}: {(time.process_time() - begun) / 20 * 1000:.1f} ms of CPU\n")


if __name__ == "__main__":
    cost()
    duplicates()
