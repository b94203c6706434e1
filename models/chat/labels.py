"""What a text may be, in the words of the policies (`liveserver.core.screening.Category`)."""

from __future__ import annotations

BENIGN = "benign"
HARMFUL = ("porn", "gambling", "drugs", "fraud", "illicit_ad", "abuse", "violence")
"""What the classifier knows, in the order of its numbers after `BENIGN`."""
SENSITIVE = "sensitive"
"""What the operator lists himself; nothing is trained for it."""
LABELS = (BENIGN, *HARMFUL)
