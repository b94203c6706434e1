"""What `liveserver verify` says of time stamps beyond the checker in a bundle: who vouches for them."""

from __future__ import annotations

from pathlib import Path

from liveserver.core.bundle import form
from liveserver.core.bundle.check import Report
from liveserver.core.bundle.command import Further
from liveserver.core.bundle.reading import Misfit
from liveserver.core.stamp import StampError


def further(roots: Path) -> Further:
    """Each stamp of a bundle, and there must be one, leads to a certificate in the file `roots` (PEM).

    Raises OSError, ValueError for a file that holds none. What is returned raises Misfit.
    """
    # Loaded where somebody asks for it alone.
    from cryptography import x509

    from liveserver.ledger.witness_stamp import lead_to

    trusted = x509.load_pem_x509_certificates(roots.read_bytes())

    def lead(report: Report) -> list[str]:
        if not report.stamps:
            raise Misfit(form.HEAD, "places", "no time stamp is in the bundle")
        for one in report.stamps:
            try:
                lead_to(trusted, one.token, bytes.fromhex(one.head))
            except StampError as error:
                raise Misfit(form.HEAD, "places", f"the time stamp does not hold: {error}") from error
        return [
            f"The certificates of {len(report.stamps)} time stamps were given out by those in {roots.name}."
        ]

    return lead
