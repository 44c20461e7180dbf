"""Encrypted connections: only a server that proves who it is is listened to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunarsite.source.fetch.errors import FetchError

from .badserver import Answer, BadServer
from .fetching import SHA256, Waits, fetch, leftovers, serving


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is signed by itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([*command, *more], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.fixture
def server(certificate: Path) -> Iterator[BadServer]:
    with BadServer(tls=certificate).running() as running:
        yield running


def test_an_unknown_certificate(server: BadServer, tmp_path: Path) -> None:
    control = Waits()
    with pytest.raises(FetchError, match=r"TLS: .*certificate verify failed.*REQUESTS_CA_BUNDLE"):
        fetch(tmp_path, [serving(server)], control)
    assert control.waits_s == []
    assert server.requests == []
    assert leftovers(tmp_path) == []


def test_a_certificate_that_the_user_trusts(
    server: BadServer, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_name("certificate.pem")))
    server.script["/file.img"] = [Answer(cut=70_000), Answer()]
    assert fetch(tmp_path, [serving(server)]).sha256 == SHA256
    assert server.starts("/file.img") == [None, 70_000]


def test_a_redirect_to_plain_http(
    server: BadServer, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_name("certificate.pem")))
    with BadServer().running() as plain:
        server.script["/file.img"] = [Answer(status=302, headers={"Location": serving(plain)}, body=b"")]
        with pytest.raises(FetchError, match="redirects from https to http"):
            fetch(tmp_path, [server.url + "/file.img"])
        assert plain.requests == []
