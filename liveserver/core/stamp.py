"""Reading and checking a time stamp (RFC 3161) with the standard library alone, as an evidence bundle does.

The authority's answer is kept whole: TimeStampResp with a ContentInfo (RFC 5652) with a SignedData over a
TSTInfo. Checked are its form (strict DER), that it stamps the given SHA-256, that its one signer signed it
(RFC 5652 5.4) with the certificate that the signed attributes name (RFC 5035), and that this certificate is
made for stamping (RFC 3161 2.3) and was valid then. Not checked is who issued the certificate: whoever
reads has to know the authority, by the certificate's SHA-256 or by its roots.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from liveserver.core import certificate, der
from liveserver.core.certificate import HASHES, Certificate
from liveserver.core.der import DerError, Fields, Value, inner, oid

TOKEN_MAX_BYTES = 65_536
_CERTIFICATES_MAX = 16
_SERIAL_BITS = 160

_SIGNED_DATA, _TST_INFO = oid("1.2.840.113549.1.7.2"), oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE, _MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
_STAMPING = oid("1.3.6.1.5.5.7.3.8")
_CERTIFICATE_V1, _CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.12"), oid("1.2.840.113549.1.9.16.2.47")


class StampError(ValueError):
    """The stamp does not hold; the message says why, for somebody who is no engineer. `code`: the same in one
    word, which the inspector's page (web/static/lib/bundle/stamp.js) says too."""

    def __init__(self, code: str, words: str):
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp that holds. `certificate`: the SHA-256 of the authority's; `authority`: its name in it."""

    at_ms: int
    serial: int
    certificate: str
    authority: str


def check(answer: bytes, digest: bytes) -> Stamp:
    """What the authority's `answer` proves of the thing with this SHA-256. Raises StampError."""
    if len(answer) > TOKEN_MAX_BYTES:
        raise StampError("form", "the stamp is too long")
    try:
        return _checked(answer, digest)
    except DerError as error:
        raise StampError("form", f"it is no time stamp as RFC 3161 has it: {error}") from error


def _checked(answer: bytes, digest: bytes) -> Stamp:
    signed = _signed_data(answer)
    signed.take(der.INTEGER)
    signed.take(der.SET)  # digest algorithms: the signer's own is what counts
    content = _content(signed.take(der.SEQUENCE))
    certificates = signed.maybe(inner(0))
    signed.maybe(inner(1))
    signers = signed.take(der.SET).fields()
    signed.end()
    signer = signers.take(der.SEQUENCE)
    signers.end()
    at_ms, serial = _stamped(content, digest)
    signed_by = _signature(signer.fields(), content, certificates)
    if not signed_by.from_ms <= at_ms <= signed_by.until_ms:
        raise StampError("validity", "the authority's certificate was not valid at the time it stamped")
    if signed_by.uses != (_STAMPING,):
        raise StampError("use", "the certificate is not one for time stamps")
    return Stamp(at_ms, serial, hashlib.sha256(signed_by.whole).hexdigest(), signed_by.subject)


def _signed_data(answer: bytes) -> Fields:
    """TimeStampResp (RFC 3161 2.4.2), and what is signed in it."""
    response = der.whole(answer, der.SEQUENCE).fields()
    if response.take(der.SEQUENCE).fields().take(der.INTEGER).integer() != 0:
        raise StampError("refused", "the authority did not grant the stamp")
    info = response.take(der.SEQUENCE).fields()
    response.end()
    if info.take(der.OID).content != _SIGNED_DATA:
        raise DerError("it is not signed data")
    data = der.whole(info.take(inner(0)).content, der.SEQUENCE)
    info.end()
    return data.fields()


def _content(encapsulated: Value) -> bytes:
    """The bytes of TSTInfo."""
    fields = encapsulated.fields()
    if fields.take(der.OID).content != _TST_INFO:
        raise DerError("what is signed is no time stamp")
    content = der.whole(fields.take(inner(0)).content, der.OCTETS).content
    fields.end()
    return content


def _stamped(content: bytes, digest: bytes) -> tuple[int, int]:
    """TSTInfo (RFC 3161 2.4.2): when, ms since 1970, and its number."""
    info = der.whole(content, der.SEQUENCE).fields()
    if info.take(der.INTEGER).integer() != 1:
        raise DerError("its version is not known")
    info.take(der.OID)  # the authority's policy
    imprint = info.take(der.SEQUENCE).fields()
    hashed_by = imprint.take(der.SEQUENCE).fields().take(der.OID).content
    stamped = imprint.take(der.OCTETS).content
    imprint.end()
    if HASHES.get(hashed_by) != "sha256" or stamped != digest:
        raise StampError("other", "it is the stamp of something else")
    serial = info.take(der.INTEGER).integer()
    if not 0 <= serial < 1 << _SERIAL_BITS:
        raise DerError("its number is too large")
    at_ms = info.take(der.TIME).time_ms()
    for tag in (der.SEQUENCE, der.BOOLEAN, der.INTEGER, inner(0), inner(1)):
        info.maybe(tag)  # accuracy, ordering, nonce, name, extensions
    info.end()
    return at_ms, serial


def _signature(signer: Fields, content: bytes, certificates: Value | None) -> Certificate:
    """SignerInfo (RFC 5652 5.3): whose it is. Raises StampError unless it fits."""
    signer.take(der.INTEGER)
    signer.any()  # who signed, by name and number: the signed attributes name the certificate itself
    hashed_by = HASHES.get(signer.take(der.SEQUENCE).fields().take(der.OID).content)
    attributes = signer.take(inner(0))
    algorithm = signer.take(der.SEQUENCE).fields().take(der.OID).content
    signature = signer.take(der.OCTETS).content
    signer.maybe(inner(1))
    signer.end()
    if hashed_by is None:
        raise StampError("unknown", "it was hashed in a way this checker does not know")
    known = _attributes(attributes)
    if der.whole(known.get(_CONTENT_TYPE, b""), der.OID).content != _TST_INFO:
        raise DerError("the signer signed something else than a time stamp")
    said = der.whole(known.get(_MESSAGE_DIGEST, b""), der.OCTETS).content
    if said != hashlib.new(hashed_by, content).digest():
        raise StampError("altered", "it was altered: what is stamped is not what was signed")
    signed_by = _named(known, certificates)
    message = bytes([der.SET]) + attributes.whole[1:]  # RFC 5652 5.4
    fits = certificate.signed(signed_by.key, algorithm, hashed_by, message, signature)
    if fits is None:
        raise StampError(
            "unknown", "it is signed in a way this checker does not know (RSA, P-256, P-384 are known)"
        )
    if not fits:
        raise StampError("signature", "the authority's signature does not fit")
    return signed_by


def _attributes(attributes: Value) -> dict[bytes, bytes]:
    """Each attribute's one value by its type."""
    known: dict[bytes, bytes] = {}
    fields = attributes.fields()
    while fields.more():
        attribute = fields.take(der.SEQUENCE).fields()
        kind, values = attribute.take(der.OID).content, attribute.take(der.SET).content
        attribute.end()
        if kind in known:
            raise DerError("a signed attribute is there twice")
        known[kind] = values
    return known


def _named(known: dict[bytes, bytes], certificates: Value | None) -> Certificate:
    """The certificate whose hash the signer signed (RFC 5035 section 3)."""
    if _CERTIFICATE_V2 in known:
        name, default = der.whole(known[_CERTIFICATE_V2], der.SEQUENCE), "sha256"
    elif _CERTIFICATE_V1 in known:
        name, default = der.whole(known[_CERTIFICATE_V1], der.SEQUENCE), "sha1"
    else:
        raise StampError("certificate", "the signer does not name a certificate")
    first = name.fields().take(der.SEQUENCE).fields().take(der.SEQUENCE).fields()
    chosen = first.maybe(der.SEQUENCE) if default == "sha256" else None
    hashed_by = default if chosen is None else HASHES.get(chosen.fields().take(der.OID).content)
    digest = first.take(der.OCTETS).content
    fields = Fields(b"" if certificates is None else certificates.content)
    for _ in range(_CERTIFICATES_MAX):
        if not fields.more() or hashed_by is None:
            break
        one = fields.any()
        if one.tag == der.SEQUENCE and hashlib.new(hashed_by, one.whole).digest() == digest:
            return certificate.read(one)
    raise StampError("certificate", "the certificate that the signer names is not in the stamp")
