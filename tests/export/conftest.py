"""The C compiler as a fixture."""

from tests.export.tables import compiled

__all__ = ["compiled"]
