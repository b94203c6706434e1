"""Model cards are complete, and a card that is not says which key."""

from __future__ import annotations

import pytest

from models import cards
from models.card import Kind
from models.card_file import parse
from models.cards import CARDS
from models.errors import ModelError

GOOD = (CARDS / "open-nsfw.toml").read_text()


class TestTheProjectsOwnCards:
    @pytest.mark.parametrize("name", sorted(path.stem for path in CARDS.glob("*.toml")))
    def test_each_is_named_as_its_file_and_says_licence_origin_and_use(self, name):
        card = cards.load(CARDS / f"{name}.toml")
        assert card.name == name
        assert card.licence and card.used_for
        assert card.origin.package or card.origin.script

    def test_they_are_found_by_kind(self):
        assert [card.name for card in cards.of_kind(cards.own(), Kind.FRAME)] == ["open-nsfw"]

    def test_no_weights_are_under_agpl(self):
        assert not [card.name for card in cards.own().values() if "AGPL" in card.licence]


class TestACardThatIsWrong:
    @pytest.mark.parametrize(
        ("before", "after", "named"),
        [
            ('kind = "frame"', 'kind = "picture"', "kind: one of frame"),
            ('file = "open_nsfw.onnx"', 'file = "../open_nsfw.onnx"', "file: a file name without folders"),
            ("size = 23792792", 'size = "large"', "size: a whole number"),
            ("size = 23792792\n", "", "size is missing"),
            ('version = "1.0.0"', 'version = "1.0.0"\ncolour = "red"', "unknown key colour"),
            ("width = 256", "width = 256\ndepth = 3", "unknown key picture.depth"),
            ("mean = [104, 117, 123]", "mean = [104, 117]", "picture.mean"),
            ('category = "porn"', 'category = "Porn!"', "output[0].category"),
            ("index = 1", "index = -1", "output[0].index"),
            ("index = 1", "index = true", "output[0].index"),
            ('sha256 = "fb29', 'sha256 = "FB29', "sha256: 64 hexadecimal digits"),
            ('member = "yahoo', 'wheel = "yahoo', "unknown key origin.wheel"),
            ("[origin]", "[origin", "no valid TOML"),
        ],
    )
    def test_the_key_is_named(self, before, after, named):
        assert before in GOOD
        with pytest.raises(ModelError) as refused:
            parse(GOOD.replace(before, after, 1))
        assert named in str(refused.value)

    def test_origin_is_needed(self):
        with pytest.raises(ModelError, match="origin"):
            parse(GOOD[: GOOD.index("[origin]")])

    def test_two_cards_of_one_name_in_a_folder_are_refused(self, tmp_path):
        for file in ("a.toml", "b.toml"):
            (tmp_path / file).write_text(GOOD)
        with pytest.raises(ModelError, match="another card open-nsfw"):
            cards.folder(tmp_path)

    def test_a_huge_card_is_not_read(self, tmp_path):
        (tmp_path / "a.toml").write_text("#" * (cards.MAX_CARD_BYTES + 1))
        with pytest.raises(ModelError, match="at most"):
            cards.load(tmp_path / "a.toml")
