"""How long a roster of 2,000 learners takes, looked at and taken: `python -m tests.people.cost`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from stdnum.cn import ric

from tests.drivers.server import Server, request

ROWS = 2_000


def number(n: int) -> str:
    """An identity number with a right check digit, of nobody."""
    base = f"110105{1950 + n // 900:04d}0302{n % 900:03d}"
    return base + str(ric.calc_check_digit(base + "0"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder)).start()
        try:
            plain = [f"甲{n},,{15_000_000_000 + n}" for n in range(ROWS)]
            with_numbers = [f"乙{n},{number(n)},{16_000_000_000 + n}" for n in range(ROWS)]
            for name, rows in (("plain", plain), ("with identity numbers", with_numbers)):
                project = server.api("POST", "/projects", {"code": name, "name": name}).json["id"]
                body = {"number": name, "name": name, "project": project}
                path = f"/classes/{server.api('POST', '/classes', body).json['id']}/roster/import"
                text = "\n".join(["姓名,身份证号,手机号", *rows]).encode()
                for dry_run in ("true", "false"):
                    began = time.monotonic()
                    url = f"{server.base_url}/api/v1{path}?dry_run={dry_run}"
                    reply = request(
                        "POST",
                        url,
                        token=server.token("admin"),
                        body=text,
                        content_type="text/csv",
                        timeout_s=120,
                    )
                    took_s = time.monotonic() - began
                    print(f"{name}, dry_run={dry_run}: {reply.json['good']} rows in {took_s:.2f} s")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
