"""What is needed of a certificate (RFC 5280 4.1): whose, for what, how long, and what its key signed."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core import der, signatures
from liveserver.core.der import Value, inner, oid

HASHES = {
    oid("2.16.840.1.101.3.4.2.1"): "sha256",
    oid("2.16.840.1.101.3.4.2.2"): "sha384",
    oid("2.16.840.1.101.3.4.2.3"): "sha512",
}
"""Names as hashlib has them, by algorithm."""
_KEY_USES = oid("2.5.29.37")
_RSA, _EC = oid("1.2.840.113549.1.1.1"), oid("1.2.840.10045.2.1")
_COMMON_NAME, _ORGANISATION = oid("2.5.4.3"), oid("2.5.4.10")
_SIGNED_BY_RSA = {oid(f"1.2.840.113549.1.1.{11 + i}"): name for i, name in enumerate(HASHES.values())}
_SIGNED_BY_EC = {oid(f"1.2.840.10045.4.3.{2 + i}"): name for i, name in enumerate(HASHES.values())}
_FOREVER, _FOREVER_MS = b"99991231235959Z", 253_402_300_799_000
"""A certificate that names no day of expiry names this one (RFC 5280 4.1.2.5)."""
_CURVES = {oid("1.2.840.10045.3.1.7"): signatures.P256, oid("1.3.132.0.34"): signatures.P384}


@dataclass(frozen=True, slots=True)
class Certificate:
    """`whole`: its DER. `subject`: the name in it, printable. `uses`: what its key may be used for and for
    nothing else (a critical extended key usage); empty without that."""

    whole: bytes
    from_ms: int
    until_ms: int
    subject: str
    key: Value
    uses: tuple[bytes, ...]


def read(value: Value) -> Certificate:
    """Raises DerError."""
    body = value.fields().take(der.SEQUENCE).fields()
    body.maybe(inner(0))
    body.take(der.INTEGER)
    body.take(der.SEQUENCE)
    body.take(der.SEQUENCE)
    validity = body.take(der.SEQUENCE).fields()
    from_ms, until_ms = validity.any().time_ms(), _until_ms(validity.any())
    subject, key = body.take(der.SEQUENCE), body.take(der.SEQUENCE)
    body.maybe(0x81)
    body.maybe(0x82)
    extensions = body.maybe(inner(3))
    body.end()
    return Certificate(value.whole, from_ms, until_ms, _name(subject), key, _uses(extensions))


def signed(key: Value, algorithm: bytes, hashed_by: str, message: bytes, signature: bytes) -> bool | None:
    """Whether `key` (SubjectPublicKeyInfo) signed `message`; None for an algorithm that is not known here.

    `hashed_by` counts where the algorithm itself names no hash. Raises DerError.
    """
    fields = key.fields()
    kind, public = fields.take(der.SEQUENCE).fields(), fields.take(der.BITS).bits()
    name = kind.take(der.OID).content
    by_rsa = hashed_by if algorithm == _RSA else _SIGNED_BY_RSA.get(algorithm)
    if name == _RSA and by_rsa is not None:
        numbers = der.whole(public, der.SEQUENCE).fields()
        modulus, exponent = numbers.take(der.INTEGER).integer(), numbers.take(der.INTEGER).integer()
        return signatures.rsa(modulus, exponent, by_rsa, message, signature)
    by_ec = _SIGNED_BY_EC.get(algorithm)
    curve = _CURVES.get(kind.take(der.OID).content) if name == _EC else None
    if curve is None or by_ec is None:
        return None
    pair = der.whole(signature, der.SEQUENCE).fields()
    r, s = pair.take(der.INTEGER).integer(), pair.take(der.INTEGER).integer()
    pair.end()
    return signatures.ecdsa(curve, public, by_ec, message, r, s)


def _until_ms(value: Value) -> int:
    return _FOREVER_MS if (value.tag, value.content) == (der.TIME, _FOREVER) else value.time_ms()


def _uses(extensions: Value | None) -> tuple[bytes, ...]:
    if extensions is None:
        return ()
    each = der.whole(extensions.content, der.SEQUENCE).fields()
    while each.more():
        one = each.take(der.SEQUENCE).fields()
        kind, critical = one.take(der.OID).content, one.maybe(der.BOOLEAN)
        if kind == _KEY_USES and critical is not None and critical.content == b"\xff":
            named, found = der.whole(one.take(der.OCTETS).content, der.SEQUENCE).fields(), []
            while named.more():
                found.append(named.take(der.OID).content)
            return tuple(found)
    return ()


def _name(subject: Value) -> str:
    """The common name with the organisation, as far as they can be printed."""
    found: dict[bytes, str] = {}
    parts = subject.fields()
    while parts.more():
        pair = parts.take(der.SET).fields().take(der.SEQUENCE).fields()
        kind, text = pair.take(der.OID).content, pair.any().content.decode("utf-8", "replace")
        found.setdefault(kind, "".join(letter if letter.isprintable() else "?" for letter in text)[:100])
    return ", ".join(found[kind] for kind in (_COMMON_NAME, _ORGANISATION) if kind in found)
