"""What the HTTP edge needs of the rest of the node, as protocols: the seam it is typed against."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
