"""A certificate the server signs itself, for a demo in a local network: cameras need https."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=397)  # what browsers accept at most
_RENEW_BEFORE = datetime.timedelta(days=7)


def self_signed(folder: Path, addresses: Sequence[str], now: datetime.datetime) -> tuple[Path, Path]:
    """Certificate and key for `addresses`, this host's name and localhost; kept in `folder` until they no
    longer fit. ECDSA P-256: a handshake costs a tenth of an RSA one."""
    certificate, key = folder / "self-signed.pem", folder / "self-signed.key"
    wanted = _names(addresses)
    if certificate.exists() and key.exists() and _fits(certificate.read_bytes(), wanted, now):
        return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liveserver demo")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _names(addresses: Sequence[str]) -> list[x509.GeneralName]:
    hosts = dict.fromkeys(("localhost", socket.gethostname()))
    ips = dict.fromkeys((*addresses, "127.0.0.1", "::1"))
    return [*map(x509.DNSName, hosts), *(x509.IPAddress(ipaddress.ip_address(address)) for address in ips)]


def _fits(pem: bytes, wanted: Sequence[x509.GeneralName], now: datetime.datetime) -> bool:
    try:
        known = x509.load_pem_x509_certificate(pem)
        names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return now + _RENEW_BEFORE < known.not_valid_after_utc and set(wanted) <= set(names)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
