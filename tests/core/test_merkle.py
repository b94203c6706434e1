"""The ledger's tree against published vectors, against the definition, and against tampering."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core import merkle

VECTORS = Path(__file__).parents[2] / "../shared/data/fuzz/merkle"
FILES = sorted(VECTORS.glob("*.json"))


def definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 2.1 writes it down, by recursion."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256().digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + definition(leaves[:k]) + definition(leaves[k:])).digest()


def tree(size: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


def hashes(leaves: list[bytes], ranges: list[merkle.Range]) -> list[bytes]:
    return [definition(leaves[start:end]) for start, end in ranges]


sizes = st.integers(1, 300)


@st.composite
def leaf_of_tree(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(sizes)
    return draw(st.integers(0, size - 1)), size


@st.composite
def two_trees(draw: st.DrawFn) -> tuple[int, int]:
    second = draw(sizes)
    return draw(st.integers(0, second)), second


class TestPublishedVectors:
    """transparency-dev/merkle: `wantErr` says what a verifier must refuse."""

    def test_are_there(self) -> None:
        if not VECTORS.is_dir():
            pytest.skip("the shared corpus data/fuzz/merkle is not beside this checkout")
        assert len(FILES) == 98

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
    def test_are_obeyed(self, path: Path) -> None:
        vector = json.loads(path.read_text())
        assert self.accepts(vector) is not vector["wantErr"], vector["desc"]

    @staticmethod
    def accepts(vector: dict[str, Any]) -> bool:
        proof = [base64.b64decode(node) for node in vector["proof"] or ()]
        if "leafIdx" in vector:
            leaf, root = (base64.b64decode(vector[name] or "") for name in ("leafHash", "root"))
            return merkle.verify_inclusion(vector["leafIdx"], vector["treeSize"], leaf, proof, root)
        first, second = (base64.b64decode(vector[name] or "") for name in ("root1", "root2"))
        return merkle.verify_consistency(vector["size1"], vector["size2"], first, second, proof)


class TestHashes:
    def test_of_an_empty_tree_and_an_empty_entry(self) -> None:
        """RFC 6962 section 2.1: the hash of an empty list is the hash of an empty string."""
        assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert (
            merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        )

    def test_tell_a_node_from_an_entry_that_looks_like_one(self) -> None:
        left, right = tree(2)
        assert merkle.node_hash(left, right) != merkle.leaf_hash(left + right)


class TestAFrontier:
    @settings(deadline=None)
    @given(sizes)
    def test_has_the_root_of_the_definition_at_every_size(self, size: int) -> None:
        leaves = tree(size)
        assert merkle.tree_root(leaves) == definition(leaves)

    def test_is_empty_at_first(self) -> None:
        assert merkle.Frontier().root() == merkle.EMPTY_ROOT

    def test_copied_grows_apart(self) -> None:
        one = merkle.Frontier()
        one.append(tree(1)[0])
        before = one.root()
        one.copy().append(tree(2)[1])
        assert (one.size, one.root()) == (1, before)

    @settings(deadline=None)
    @given(st.integers(0, 300), st.integers(1, 40))
    def test_goes_on_from_its_complete_subtrees(self, size: int, more: int) -> None:
        leaves = tree(size + more)
        peaks = hashes(leaves, merkle.complete_subtrees(0, size))
        frontier = merkle.Frontier(size, peaks)
        for leaf in leaves[size:]:
            frontier.append(leaf)
        assert frontier.root() == definition(leaves)

    def test_names_the_subtrees_that_a_leaf_ends(self) -> None:
        leaves = tree(8)
        frontier = merkle.Frontier()
        ended = [frontier.append(leaf) for leaf in leaves]
        assert [len(hashes) for hashes in ended] == [1, 2, 1, 3, 1, 2, 1, 4]
        assert ended[7] == [definition(leaves[start:]) for start in (7, 6, 4, 0)]

    def test_refuses_what_cannot_be(self) -> None:
        with pytest.raises(ValueError, match="complete subtrees"):
            merkle.Frontier(3, tree(1))
        with pytest.raises(ValueError, match="32 bytes"):
            merkle.Frontier().append(b"short")


class TestSubtrees:
    @settings(deadline=None)
    @given(leaf_of_tree())
    def test_of_every_range_of_a_proof_join_to_its_hash(self, case: tuple[int, int]) -> None:
        index, size = case
        leaves = tree(size)
        for start, end in merkle.inclusion_ranges(index, size):
            parts = merkle.complete_subtrees(start, end)
            assert all((b - a).bit_count() == 1 and a % (b - a) == 0 for a, b in parts)
            assert merkle.join_subtrees(hashes(leaves, parts)) == definition(leaves[start:end])


class TestInclusion:
    @settings(deadline=None)
    @given(leaf_of_tree())
    def test_is_proven_for_every_leaf(self, case: tuple[int, int]) -> None:
        index, size = case
        leaves = tree(size)
        path = hashes(leaves, merkle.inclusion_ranges(index, size))
        assert merkle.verify_inclusion(index, size, leaves[index], path, definition(leaves))

    @settings(deadline=None)
    @given(leaf_of_tree(), st.data())
    def test_is_not_proven_of_anything_else(self, case: tuple[int, int], data: st.DataObject) -> None:
        index, size = case
        leaves = tree(size)
        root = definition(leaves)
        path = hashes(leaves, merkle.inclusion_ranges(index, size))
        other = data.draw(st.integers(-1, size + 1).filter(lambda number: number != index))
        assert not merkle.verify_inclusion(other, size, leaves[index], path, root)
        assert not merkle.verify_inclusion(index, size, merkle.leaf_hash(b"another"), path, root)
        assert not merkle.verify_inclusion(index, size, leaves[index], path, merkle.leaf_hash(b"another"))
        assert not merkle.verify_inclusion(index, size, leaves[index], [*path, root], root)
        assert not merkle.verify_inclusion(index, size, leaves[index], path, root[:31])
        if path:
            assert not merkle.verify_inclusion(index, size, leaves[index], path[:-1], root)
            assert not merkle.verify_inclusion(index, size, leaves[index], flip(path, data), root)

    @pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
    def test_of_a_leaf_outside_the_tree_is_not_asked_for(self, index: int, size: int) -> None:
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion_ranges(index, size)


class TestConsistency:
    @settings(deadline=None)
    @given(two_trees())
    def test_is_proven_for_every_two_sizes(self, case: tuple[int, int]) -> None:
        first, second = case
        leaves = tree(second)
        path = hashes(leaves, merkle.consistency_ranges(first, second))
        roots = definition(leaves[:first]), definition(leaves)
        assert merkle.verify_consistency(first, second, *roots, path)

    @settings(deadline=None)
    @given(two_trees().filter(lambda case: 0 < case[0] < case[1]), st.data())
    def test_is_not_proven_of_a_rewritten_history(self, case: tuple[int, int], data: st.DataObject) -> None:
        first, second = case
        leaves = tree(second)
        seen = definition(leaves[:first])
        leaves[data.draw(st.integers(0, first - 1))] = merkle.leaf_hash(b"rewritten")
        path = hashes(leaves, merkle.consistency_ranges(first, second))
        assert not merkle.verify_consistency(first, second, seen, definition(leaves), path)

    @settings(deadline=None)
    @given(two_trees().filter(lambda case: 0 < case[0] < case[1]), st.data())
    def test_is_not_proven_by_a_damaged_path(self, case: tuple[int, int], data: st.DataObject) -> None:
        first, second = case
        leaves = tree(second)
        roots = definition(leaves[:first]), definition(leaves)
        path = hashes(leaves, merkle.consistency_ranges(first, second))
        assert not merkle.verify_consistency(first, second, *roots, path[:-1])
        assert not merkle.verify_consistency(first, second, *roots, [*path, path[-1]])
        assert not merkle.verify_consistency(first, second, *roots, flip(path, data))
        assert not merkle.verify_consistency(second, first, *roots, path)

    @pytest.mark.parametrize(("first", "second"), [(-1, 4), (5, 4)])
    def test_of_sizes_that_cannot_be_is_not_asked_for(self, first: int, second: int) -> None:
        with pytest.raises(ValueError, match="does not begin"):
            merkle.consistency_ranges(first, second)


def flip(path: list[bytes], data: st.DataObject) -> list[bytes]:
    """`path` with one bit flipped."""
    number = data.draw(st.integers(0, len(path) - 1))
    bit = data.draw(st.integers(0, 255))
    node = bytearray(path[number])
    node[bit // 8] ^= 1 << bit % 8
    return [*path[:number], bytes(node), *path[number + 1 :]]
