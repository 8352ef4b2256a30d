"""A Sigstore of the tests' own: real services on ports of this machine, and what tells cosign 3 of them.

Rekor is of its second version, which keeps its log in a folder; only cosign 3 speaks to that. The first version,
the only one that cosign 2 knows, needs a database.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.engine import cache
from tasks.engine.machine import gobuild
from tasks.engine.machine.prepare import alone
from tasks.errors import EngineError
from tests import cosigns, mirror
from tests.identities import AUDIENCE, Issuers, issuers
from tests.stamps import stamps
from tests.support import answers, environment, free_port, wait_for

_TRIES = 3
_PROGRAMS = {
    "fulcio": "github.com/sigstore/fulcio@v1.8.8",
    "rekor": "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.2.0",
    "tesseract": "github.com/transparency-dev/tesseract/cmd/tesseract/posix@v0.1.1",
}
_CERTIFICATES = "certificates.test"
_SIGNATURES = "localhost"  # clients take the name of the host in Rekor's address for its log's
_PASSWORD = "tests"  # noqa: S105 - Fulcio takes no key without one
_START = "2020-01-01T00:00:00Z"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sigstore:
    """Its services, and who says who somebody is."""

    folder: Path
    issuers: Issuers
    places: Mapping[str, str]
    """The address of each service."""

    @contextlib.contextmanager
    def known(self, folder: Path, **elsewhere: str) -> Iterator[dict[str, str]]:
        """Tell a cosign of it as people do, and yield the environment in which it knows it then.

        ``elsewhere`` gives services other addresses than those that they have.
        """
        root, config, target = folder / "trusted_root.json", folder / "signing_config.v0.2.json", folder / "tuf"
        folder.mkdir(parents=True)
        place = {**self.places, **elsewhere}
        _cosign("trusted-root", "create", *self._trusted(), "--out", root)
        asked = {
            "fulcio": f"url={place['fulcio']},api-version=1",
            "rekor": f"url={place['rekor']},api-version=2",
            "tsa": f"url={place['stamps']},api-version=1",
            "oidc-provider": f"url={self.issuers.all[0]},api-version=1",
        }
        services = [f"--{name}={one},start-time={_START},operator=tests" for name, one in asked.items()]
        counts = ("--rekor-config=ANY", "--tsa-config=ANY")
        _cosign("signing-config", "create", *services, *counts, "--out", config)
        with mirror.serving(folder / "mirror", (root, config)) as (address, first):
            env = {"TUF_ROOT": str(target)}
            _cosign("initialize", "--mirror", address, "--root", first, env=env)
            yield env

    def _trusted(self) -> Iterator[str]:
        """Yield the flags that name what its services are known by."""
        folder, place = self.folder, self.places
        since = f"start-time={_START}"
        yield f"--fulcio=url={place['fulcio']},certificate-chain={folder / 'fulcio.crt'},{since}"
        yield f"--ctfe=url={place['tesseract']},public-key={folder / 'tesseract.pub'},{since}"
        yield f"--rekor=url={place['rekor']},public-key={folder / 'rekor.pub'},{since},origin={_SIGNATURES}"
        yield f"--tsa=url={place['stamps']},certificate-chain={folder / 'stamps-chain.crt'},{since}"


def _cosign(*words: str | Path, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [cosigns.cosign("3").path, *words], env=environment(env), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def sigstore(folder: Path, known: Issuers | None = None) -> Iterator[Sigstore]:
    """Start all of it, and end it; without issuers that are known already it has its own."""
    programs = {name: _built(name) for name in _PROGRAMS}
    ports = {name: str(free_port()) for name in _PROGRAMS}
    places = {name: f"http://localhost:{port}" for name, port in ports.items()}
    _key(folder / "rekor", "genpkey", "-algorithm", "ed25519")
    _key(folder / "tesseract", "ecparam", "-genkey", "-noout", "-name", "prime256v1")
    _authority(folder / "fulcio")
    with contextlib.ExitStack() as stack:
        found = known or stack.enter_context(issuers(folder))
        told = {one: {"IssuerURL": one, "ClientID": AUDIENCE, "Type": "email"} for one in found.all}
        (folder / "fulcio.json").write_text(json.dumps({"OIDCIssuers": told}), encoding="utf-8")
        for name, words in _arguments(folder, ports).items():
            env = {"SSL_CERT_FILE": str(found.certificate)}
            stack.enter_context(_running(programs[name], *words, log=folder / f"{name}.log", port=ports[name], env=env))
        yield Sigstore(folder, found, {**places, "stamps": stack.enter_context(stamps(folder))})


def _arguments(folder: Path, ports: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what each program is started with; Fulcio writes to the log of certificates, so it comes after that."""
    return {
        "tesseract": (
            f"--http_endpoint=localhost:{ports['tesseract']}",
            f"--origin={_CERTIFICATES}",
            f"--private_key={folder / 'tesseract.key'}",
            f"--roots_pem_file={folder / 'fulcio.crt'}",
            f"--storage_dir={folder / 'certificates'}",
            "--checkpoint_interval=100ms",
            "--batch_max_age=10ms",
        ),
        "fulcio": (
            "serve",
            "--host=localhost",
            "--grpc-host=localhost",
            f"--port={ports['fulcio']}",
            f"--grpc-port={free_port()}",
            f"--legacy-unix-domain-socket=@{ports['fulcio']}-fulcio",
            "--metrics-port=0",
            "--ca=fileca",
            f"--fileca-cert={folder / 'fulcio.crt'}",
            f"--fileca-key={folder / 'fulcio.key'}",
            f"--fileca-key-passwd={_PASSWORD}",
            f"--config-path={folder / 'fulcio.json'}",
            f"--ct-log-url=http://localhost:{ports['tesseract']}",
            f"--ct-log-origin={_CERTIFICATES}",
            f"--ct-log-public-key-path={folder / 'tesseract.pub'}",
        ),
        "rekor": (
            "serve",
            f"--http-port={ports['rekor']}",
            f"--grpc-port={free_port()}",
            "--http-metrics-port=0",
            f"--hostname={_SIGNATURES}",
            f"--signer-filepath={folder / 'rekor.key'}",
            f"--storage-dir={folder / 'signatures'}",
            "--checkpoint-interval=100ms",
            "--batch-max-age=10ms",
        ),
    }


def _built(name: str) -> Path:
    """Return a program, built where it is not there yet; a machine that cannot build it skips the test."""
    module = _PROGRAMS[name]
    path = cache.home() / "tests" / "sigstore" / f"{name}-{module.rpartition('@')[2]}" / name
    if not path.is_file():
        with alone(lambda _: None):
            for tried in range(1, _TRIES + 1):  # hundreds of modules are fetched for each
                try:
                    if not path.is_file():
                        gobuild.install(module, path)
                except EngineError as error:
                    if tried == _TRIES:
                        pytest.skip(str(error))
    return path


@contextlib.contextmanager
def _running(program: Path, *words: str, log: Path, port: str, env: Mapping[str, str]) -> Iterator[None]:
    """Run a program from when it answers until the block ends."""
    with log.open("wb") as said:
        child = subprocess.Popen([program, *words], stdout=said, stderr=said, env=environment(env), cwd=log.parent)

    def is_up() -> bool:
        assert child.poll() is None, log.read_text(errors="replace")[-2000:]
        return answers(int(port))

    try:
        wait_for(is_up, _SECONDS, what=lambda: log.read_text(errors="replace")[-2000:])
        yield
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _key(path: Path, *making: str) -> None:
    """Make a key, and its public half beside it."""
    private, public = path.with_suffix(".key"), path.with_suffix(".pub")
    _openssl(*making, "-out", private)
    _openssl("pkey", "-in", private, "-pubout", "-out", public)


def _authority(path: Path) -> None:
    """Make the key and the certificate of who gives certificates."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/O=tests/CN=tests")
    may = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2", "-passout", f"pass:{_PASSWORD}")
    _openssl(*new, *may, "-keyout", path.with_suffix(".key"), "-out", path.with_suffix(".crt"))


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
