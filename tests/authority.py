"""A time stamp authority as others run one: openssl's, behind HTTP."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

KEYS = {
    "rsa": ("-newkey", "rsa:2048"),
    "p256": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "p384": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"),
}


class Authority:
    """`folder`: a new one, its own. `key`: of `KEYS`; `digest`: what it signs with; `names`: the hash by
    which it names its certificate (sha1: as RFC 2634 has it)."""

    def __init__(self, folder: Path, key: str = "rsa", digest: str = "sha256", names: str = "sha256") -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(
            "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
            f"signer_digest={digest}\ndefault_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\n"
            f"ess_cert_id_alg={names}\ness_cert_id_chain=no\n"
            "[e]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
        )
        self._openssl("req", "-x509", *KEYS[key], "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                      "-days", "30", "-subj", "/CN=Test CA")  # fmt: skip
        self._openssl("req", *KEYS[key], "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr",
                      "-subj", "/CN=Test TSA")  # fmt: skip
        self._openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-out", "tsa.pem", "-days", "9", "-extfile", "tsa.cnf", "-extensions", "e")  # fmt: skip
        self._runner: web.AppRunner | None = None

    @property
    def roots(self) -> Path:
        return self.folder / "ca.pem"

    async def start(self) -> str:
        """Its address."""
        app = web.Application()
        app.router.add_post("/", self._post)
        self._runner = runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def stamp(self, digest: str) -> bytes:
        """Its answer for what has this SHA-256, hex."""
        self._openssl("ts", "-query", "-digest", digest, "-sha256", "-cert", "-out", "query")
        return self._reply()

    def certify(
        self,
        *,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Another certificate for the same key from now on; from yesterday until tomorrow, unless told."""
        ca = x509.load_pem_x509_certificate(self.roots.read_bytes())
        own = x509.load_pem_x509_certificate((self.folder / "tsa.pem").read_bytes())
        by = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        now, day = datetime.now(UTC), timedelta(days=1)
        made = (
            x509.CertificateBuilder(ca.subject, own.subject, own.public_key(), x509.random_serial_number())
            .not_valid_before(begin or now - day)
            .not_valid_after(end or now + day)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(by, hashes.SHA256())  # type: ignore[arg-type]
        )
        (self.folder / "tsa.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def verify(self, digest: str, token: bytes) -> str:
        (self.folder / "kept").write_bytes(token)
        return self._openssl("ts", "-verify", "-digest", digest, "-in", "kept", "-CAfile", "ca.pem")

    def fingerprint(self) -> str:
        """As openssl prints it: `AB:CD:…`."""
        said = self._openssl("x509", "-in", "tsa.pem", "-noout", "-fingerprint", "-sha256")
        return said.strip().partition("=")[2]

    async def _post(self, request: web.Request) -> web.Response:
        (self.folder / "query").write_bytes(await request.read())
        body = await asyncio.to_thread(self._reply)
        return web.Response(body=body, content_type="application/timestamp-reply")

    def _reply(self) -> bytes:
        self._openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    def _openssl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr
