"""An authority of the tests' own, and certificates of it: made by the machine's openssl, good for a day."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs what it is asked to; its own certificate is `pair.certificate`."""

    def __init__(self, folder: Path, name: str = "headrace tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self.pair = Pair(folder / "ca.pem", folder / "ca.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"),
            *("-subj", f"/CN={name}", "-keyout", self.pair.key, "-out", self.pair.certificate),
        )

    def issue(self, name: str, *alternatives: str, password: str = "") -> Pair:
        """For *name*; *alternatives* as `DNS:localhost`, `IP:127.0.0.1`. *password* encrypts the key."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, more, plain = (self.folder / f"{name}.{ending}" for ending in ("csr", "ext", "plain"))
        more.write_text(f"subjectAltName={','.join(alternatives)}\n" if alternatives else "", encoding="utf-8")
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", plain)
        _openssl("req", "-new", "-key", plain, "-subj", f"/CN={name}", "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.pair.certificate, "-CAkey", self.pair.key, "-days", "1"),
            *("-CAcreateserial", "-extfile", more, "-out", pair.certificate),
        )
        encrypted = ("-aes256", "-passout", f"pass:{password}") if password else ()
        _openssl("pkey", "-in", plain, *encrypted, "-out", pair.key)
        return pair


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
