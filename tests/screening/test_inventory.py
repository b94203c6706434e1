"""Which models are there: by the bytes their cards name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from liveserver.screening.inventory import Inventory

BYTES = b"weights"
CARD = """
name = "house"
kind = "frame"
version = "1"
file = "house.onnx"
sha256 = "{sha256}"
size = 7
licence = "CC0-1.0"
used_for = "what the operator looks for"

[origin]
note = "trained here"

[picture]
width = 16
height = 16

[[output]]
index = 0
category = "violence"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "house.toml").write_text(CARD.format(sha256=hashlib.sha256(BYTES).hexdigest()))
    return tmp_path


async def state(folder: Path, inventory: Inventory | None = None) -> str:
    listed = await (inventory or Inventory(folder)).listed()
    return next(model["state"] for model in listed if model["name"] == "house")


class TestAModel:
    async def test_is_missing_until_its_file_is_there(self, folder: Path) -> None:
        inventory = Inventory(folder)
        assert await state(folder, inventory) == "missing"
        (folder / "house.onnx").write_bytes(BYTES)
        assert await state(folder, inventory) == "present"

    async def test_of_other_bytes_is_damaged(self, folder: Path) -> None:
        (folder / "house.onnx").write_bytes(b"Inventory")
        assert await state(folder) == "damaged"

    async def test_is_looked_at_again_when_its_file_changes(self, folder: Path) -> None:
        inventory = Inventory(folder)
        (folder / "house.onnx").write_bytes(BYTES)
        assert await state(folder, inventory) == "present"
        (folder / "house.onnx").write_bytes(b"something else")
        assert await state(folder, inventory) == "damaged"

    async def test_the_projects_own_are_listed_besides(self, folder: Path) -> None:
        names = [model["name"] for model in await Inventory(folder).listed()]
        assert names == sorted(names)
        assert {"house", "open-nsfw"} <= set(names)

    async def test_a_folder_with_a_wrong_card_hides_none_of_the_projects(self, folder: Path) -> None:
        (folder / "broken.toml").write_text("name = 3")
        assert "open-nsfw" in [model["name"] for model in await Inventory(folder).listed()]
