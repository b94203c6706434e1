"""The weights these tests need are those of the models' own tests."""

from tests.models.conftest import fetched

__all__ = ["fetched"]
