"""Checking the signatures of time stamp authorities with the standard library alone: RSA and ECDSA.

RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) and ECDSA over P-256 and P-384 (FIPS 186-5 section 6.4.2). It knows
no secret, so it need not hide how long it takes; a signature is some milliseconds to some hundredths of a
second.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

RSA_BITS = range(2048, 8193)
_EXPONENT_MAX = 2**32
# The DER of DigestInfo before the digest (RFC 8017 section 9.2, note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

Point = tuple[int, int] | None
"""Affine; None is the point at infinity."""


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ - 3x + b over the prime field of p; `base` has the prime order."""

    p: int
    b: int
    order: int
    base: tuple[int, int]

    def point(self, encoded: bytes) -> Point:
        """An uncompressed point (SEC 1, 2.3.4), None for bytes that are none."""
        size = (self.p.bit_length() + 7) // 8
        if len(encoded) != 1 + 2 * size or encoded[0] != 4:
            return None
        x, y = int.from_bytes(encoded[1 : 1 + size], "big"), int.from_bytes(encoded[1 + size :], "big")
        on_it = max(x, y) < self.p and (y * y - (x * x * x - 3 * x + self.b)) % self.p == 0
        return (x, y) if on_it else None

    def sum(self, one: Point, other: Point) -> Point:
        if one is None or other is None:
            return one or other
        if one[0] == other[0]:
            if (one[1] + other[1]) % self.p == 0:
                return None
            slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, self.p) % self.p
        else:
            slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, self.p) % self.p
        x = (slope * slope - one[0] - other[0]) % self.p
        return x, (slope * (one[0] - x) - one[1]) % self.p

    def times(self, scalar: int, point: Point) -> Point:
        total: Point = None
        while scalar:
            if scalar & 1:
                total = self.sum(total, point)
            point = self.sum(point, point)
            scalar >>= 1
        return total


P256 = Curve(
    p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    base=(
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)
P384 = Curve(
    p=2**384 - 2**128 - 2**96 + 2**32 - 1,
    b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    order=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    base=(
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
)


def rsa(modulus: int, exponent: int, hashed_by: str, message: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5. The expected encoding is made and compared whole, so nothing of it is parsed."""
    if modulus.bit_length() not in RSA_BITS or not 3 <= exponent < _EXPONENT_MAX or exponent % 2 == 0:
        return False
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        return False
    digest = _DIGEST_INFO[hashed_by] + hashlib.new(hashed_by, message).digest()
    expected = b"\x00\x01" + b"\xff" * (size - 3 - len(digest)) + b"\x00" + digest
    return pow(number, exponent, modulus).to_bytes(size, "big") == expected


def ecdsa(curve: Curve, public: bytes, hashed_by: str, message: bytes, r: int, s: int) -> bool:
    """`public`: an uncompressed point. Malformed is False."""
    key, order = curve.point(public), curve.order
    if key is None or not 0 < r < order or not 0 < s < order:
        return False
    digest = hashlib.new(hashed_by, message).digest()
    number = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - order.bit_length())
    inverse = pow(s, -1, order)
    found = curve.sum(
        curve.times(number * inverse % order, curve.base), curve.times(r * inverse % order, key)
    )
    return found is not None and found[0] % order == r
