"""A certificate authority and a server certificate for loopback, made with openssl for one test run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.waiting import patient


class Certificates(NamedTuple):
    """PEM files: the authority, the server's key and chain in one, and an authority that signed nothing."""

    ca: Path
    keystore: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Write the files into ``folder``; they are valid for a day, for 127.0.0.1 and localhost."""
    folder.mkdir(parents=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=patient(30))

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1")
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *curve, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
    names = ("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key")
    openssl(
        *("req", "-x509", *signed, *curve, *names, "-subj", "/CN=broker"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", "server.key", "-out", "server.pem"),
    )
    keystore = folder / "keystore.pem"
    keystore.write_text(
        "".join((folder / name).read_text() for name in ("server.key", "server.pem", "ca.pem")), encoding="ascii"
    )
    return Certificates(folder / "ca.pem", keystore, folder / "stranger.pem")
