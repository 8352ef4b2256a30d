"""Who signs and who is trusted; and the door to cosign, with a cosign that does what a test says."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.engine import cosign, github
from tasks.engine.cosign import Cosign
from tasks.engine.machine import packages
from tasks.engine.retries import Retries
from tasks.engine.signatures import Signatures, Statement
from tasks.engine.signed import Verifier
from tasks.errors import ConfigError, EngineError, PushError, SignError, TaskError
from tasks.plan import signing
from tasks.plan.retrying import Patience
from tasks.plan.signing import PublicKey, Signer, Signing, Trust
from tests.unit.certificates import bundle, certificate

DIGEST = f"sha256:{'0' * 64}"
IMAGE = f"localhost:5000/team/one@{DIGEST}"
ONCE = Retries(Patience(times=0))
PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETSgYIcl+1BN1NjNi8ORZJK5okC9U
0BZAznr15Bi2ufZQoXjtWaMvnDB2Qzz+Nd2AfYH+AOYkAkUDvf3V3fvCpQ==
-----END PUBLIC KEY-----
"""
CLAIM = {
    "critical": {"image": {"docker-manifest-digest": DIGEST}, "type": "cosign container image signature"},
    "optional": None,
}


@pytest.mark.parametrize(
    ("choice", "key", "token", "expected"),
    [
        ("auto", None, False, None),
        ("auto", "k", False, Signing(key="k")),
        ("auto", "k", True, Signing(key="k")),
        ("auto", None, True, Signing()),
        ("key", "k", True, Signing(key="k")),
        ("keyless", "k", True, Signing()),
        ("none", "k", True, None),
    ],
)
def test_what_signs_is_what_was_chosen_and_else_what_is_there(
    choice: str, key: str | None, token: bool, expected: Signing | None
) -> None:
    assert signing.decide(choice, key=key, token=token) == expected


@pytest.mark.parametrize(("choice", "words"), [("key", "container.sign_key"), ("keyless", "SIGSTORE_ID_TOKEN")])
def test_what_was_chosen_and_is_not_there_is_refused(choice: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        signing.decide(choice, key=None, token=False)


@pytest.mark.parametrize(
    ("signs", "sign_key", "verify_key", "identity", "expected"),
    [
        (None, None, None, None, None),
        (None, None, "p", "^i$", Trust(key="p")),
        (None, None, None, "^i$", Trust(identity="^i$")),
        (None, "k", None, None, Trust(key="k", derived=True)),
        (Signing(key="k"), "k", None, "^i$", Trust(key="k", derived=True)),
        (Signing(key="k"), "k", "p", "^i$", Trust(key="p")),
        (Signing(), "k", "p", "^i$", Trust(identity="^i$")),
        (Signing(), "k", "p", None, None),
    ],
)
def test_whom_to_trust_follows_what_signs(
    signs: Signing | None,
    sign_key: str | None,
    verify_key: str | None,
    identity: str | None,
    expected: Trust | None,
) -> None:
    found = signing.trust(signs, sign_key=sign_key, verify_key=verify_key, identity=identity, issuer=signing.GITHUB)
    assert found == expected


@pytest.mark.parametrize(
    "pattern", ["acme", "^acme", "acme$", "^acme|evil$", "^.*$", "^(.+)$", r"^acme\$", "^(a|(bcd))$", "^acme$\n", ""]
)
def test_a_pattern_that_others_could_satisfy_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="x is not anchored"):
        signing.check_identity(pattern, "x")


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="x is no regular expression"):
        signing.check_identity("^**abc$", "x")


@pytest.mark.parametrize(
    "pattern", [r"^https://a\.b/c/\.github/workflows/(x|y)\.yml@refs/tags/v[0-9.]+$", r"^abc\\$", r"^[|$()]abc$"]
)
def test_a_pattern_for_all_of_an_identity_is_taken(pattern: str) -> None:
    assert signing.check_identity(pattern, "x") == pattern


def test_the_pattern_for_one_identity_is_anchored_and_matches_only_that() -> None:
    import re

    identity = "https://github.com/a-b/c.d/.github/workflows/r+e.yml@refs/tags/v1.0"
    pattern = signing.check_identity(signing.only(identity), "x")
    assert re.search(pattern, identity)
    assert not re.search(pattern, identity.replace("c.d", "cxd"))
    assert not re.search(pattern, f"{identity}0")


@pytest.mark.parametrize(
    "identity", ["a@b.test", "https://github.com/a-b/c.d/.github/workflows/r+e.yml@refs/tags/v1.0", "a b\\c^(d)"]
)
def test_the_pattern_for_one_identity_says_which(identity: str) -> None:
    assert signing.sole(signing.only(identity)) == identity
    assert signing.sole("^https://github\\.com/a-b$") == "https://github.com/a-b"  # as people write it


@pytest.mark.parametrize(
    "pattern", ["^(a|b)@c$", "^a.c$", "^ab*$", r"^a\dc$", "^[ab]c$", "^ab?$", "^a{2}$", "abc$", "^abc"]
)
def test_a_pattern_for_several_identities_says_none(pattern: str) -> None:
    assert signing.sole(pattern) is None


@pytest.mark.parametrize(
    "reference",
    [
        "localhost:5000/team/one",
        "localhost:5000/team/one:v1",
        f"localhost:5000/team/one:v1@{DIGEST}",
        f"localhost:5000@{DIGEST}",
        f"--key@{DIGEST}",
        f"{IMAGE} ",
        f"localhost:5000/team/one@{DIGEST.upper()}",
        f"localhost:5000/team/one@{DIGEST[:-1]}",
        "",
    ],
)
def test_only_whole_references_by_digest_are_signed_and_verified(reference: str) -> None:
    program = Cosign("/nowhere/cosign")
    with pytest.raises(SignError, match=r"is not host/path@sha256:…\nhint: images are signed by digest"):
        Signatures(program, Signing(key="k"), ONCE).sign([IMAGE, reference])
    with pytest.raises(SignError, match="is not host/path"):
        Verifier(program, Trust(), ONCE, PublicKey(PEM)).verify([reference])
    with pytest.raises(SignError, match="is not host/path"):
        Verifier(program, Trust(), ONCE, PublicKey(PEM)).attested(reference)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no PEM"),
        (PEM.replace("PUBLIC", "PRIVATE"), "PRIVATE KEY"),
        (PEM.replace("MFkw", "!!!!"), "no PEM"),
        (PEM.replace("MFkw", "AFkw"), "damaged"),
        ("-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----", "damaged"),
    ],
)
def test_what_is_no_public_key_says_so(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        signing.public_key(text)


def test_a_signer_is_said_by_what_can_be_compared() -> None:
    assert str(Signer(fingerprint="sha256:1")) == "the key sha256:1"
    assert str(Signer(identity="me", issuer="https://i")) == "me (says https://i)"


class Fake:
    """A program that answers by the first words of its command line, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cases: list[str] = []
        self.program = Cosign(str(folder / "cosign"))
        self.says("", code=0)

    def says(self, pattern: str, out: str = "", err: str = "", code: int = 0, script: str = ":") -> "Fake":
        """Let it answer so to command lines that match a pattern of the shell; what is said later counts first."""
        self._cases.insert(
            0, f"*{pattern}*) {script}; printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {code};;"
        )
        path = Path(self.program.path)
        path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >> {shlex.quote(str(self._folder / "asked"))}\n'
            f'case "$*" in\n{chr(10).join(self._cases)}\nesac\n',
            encoding="utf-8",
        )
        path.chmod(0o755)
        return self

    @property
    def asked(self) -> list[str]:
        """What it was asked, but for what it can."""
        lines = (self._folder / "asked").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.endswith("--help")]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


@pytest.fixture
def old(fake: Fake) -> Fake:
    """One that knows no bundles, as cosign 2.5 does not."""
    for flags in (
        "--new-bundle-format=false",
        "--new-bundle-format=true",
        "--signing-config=x",
        "--use-signing-config",
    ):
        fake.says(f'"sign "*{flags}', code=1)
    fake.says('"verify"*--new-bundle-format=false*--help')
    return fake.says('"attest "*--use-signing-config', code=1)


def test_what_each_is_asked_for_a_signature_with_a_key(fake: Fake, tmp_path: Path) -> None:
    Signatures(fake.program, Signing(key="/k"), ONCE).sign([IMAGE, IMAGE])
    flags = "--new-bundle-format=false --use-signing-config=false --tlog-upload=false"
    assert fake.asked == [f"sign --yes --key /k {flags} --recursive {IMAGE}"]


def test_what_an_older_one_is_asked(old: Fake, tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    bill.write_text("{}", encoding="utf-8")
    ours = Signatures(old.program, Signing(key="/k"), ONCE)
    ours.sign([IMAGE])
    ours.attest([Statement(reference=IMAGE, predicate=bill)])
    assert old.asked == [
        f"sign --yes --key /k --tlog-upload=false --recursive {IMAGE}",
        f"attest --yes --key /k --tlog-upload=false --replace --type spdxjson --predicate {bill} {IMAGE}",
    ]


def test_what_is_asked_with_an_identity_token(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "secret-token")
    bill = tmp_path / "bill.json"
    bill.write_text("{}", encoding="utf-8")
    fake.says('"verify "', out=json.dumps([{**CLAIM, "optional": {"Subject": "https://me", "Issuer": "https://i"}}]))
    ours = Signatures(fake.program, Signing(), ONCE)
    assert ours.check_key() is None
    ours.sign([IMAGE])
    ours.attest([Statement(reference=IMAGE, predicate=bill)])
    someone = Verifier.of(fake.program, Trust(identity="^https://me$", issuer="https://i"), ONCE)
    assert someone.verify([IMAGE]) == {IMAGE: Signer(identity="https://me", issuer="https://i")}
    identity = "--certificate-identity-regexp ^https://me$ --certificate-oidc-issuer https://i"
    assert fake.asked == [
        f"sign --yes --recursive {IMAGE}",
        f"attest --yes --type spdxjson --predicate {bill} {IMAGE}",
        f"verify --new-bundle-format=false {identity} {IMAGE}",
    ]


def test_of_several_who_are_trusted_cosign_is_asked_for_each_that_a_certificate_names(fake: Fake) -> None:
    names = ("intern@ours.test", "b@ours.test", "a@ours.test", "a@ours.test.evil")
    beside = "".join(f"{bundle(certificate(f'email:{name}'))}\n" for name in names)
    fake.says('"verify "', out=json.dumps([{**CLAIM, "optional": {}}])).says('"download signature "', out=beside)
    fake.says(r"^b@ours\\.test", err="Error: no matching attestations: it is forged\n", code=1)
    someone = Verifier.of(fake.program, Trust(identity=r"^(a|b)@ours\.test$", issuer="https://i"), ONCE)
    assert someone.verify([IMAGE])[IMAGE] == Signer(identity="a@ours.test", issuer="https://i")
    flags, issuer = "--new-bundle-format=false --certificate-identity-regexp", "--certificate-oidc-issuer https://i"
    assert fake.asked == [
        rf"verify {flags} ^(a|b)@ours\.test$ {issuer} {IMAGE}",
        f"download signature {IMAGE}",
        rf"verify {flags} ^b@ours\.test$ {issuer} {IMAGE}",
        rf"verify {flags} ^a@ours\.test$ {issuer} {IMAGE}",
    ]
    fake.says('"download signature "', code=1)
    assert someone.verify([IMAGE])[IMAGE].identity == r"^(a|b)@ours\.test$"


def test_without_an_identity_token_nothing_is_asked(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert cosign.token_source() is None
    with pytest.raises(SignError, match="there is no identity token: cosign would open a browser, and wait"):
        Signatures(fake.program, Signing(), ONCE).check_key()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x")
    assert cosign.token_source() is None  # nobody may ask there without a word
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "y")
    assert cosign.token_source() == "ACTIONS_ID_TOKEN_REQUEST_URL"


def test_the_identity_of_a_job_is_that_of_its_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "a/b/.github/workflows/r.yml@refs/tags/v1")
    assert github.workflow() is None
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert github.workflow() == "https://github.com/a/b/.github/workflows/r.yml@refs/tags/v1"


def trusting(fake: Fake) -> Verifier:
    return Verifier(fake.program, Trust(key="p"), ONCE, PublicKey(PEM))


def test_the_public_key_that_is_trusted_is_handed_over_as_a_file(fake: Fake, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    fake.says('"verify "', out=json.dumps([CLAIM]), script=f'cat "$4" > {seen}')
    assert trusting(fake).verify([IMAGE])[IMAGE].fingerprint == PublicKey(PEM).fingerprint
    assert seen.read_text(encoding="utf-8") == PEM
    assert "--insecure-ignore-tlog=true" in fake.asked[0]


@pytest.mark.parametrize(
    "claim",
    [
        {**CLAIM, "critical": {**CLAIM["critical"], "type": "https://spdx.dev/Document"}},  # type: ignore[dict-item]
        {**CLAIM, "critical": {**CLAIM["critical"], "image": {"docker-manifest-digest": "sha256:1"}}},  # type: ignore[dict-item]
    ],
    ids=["a statement", "another image"],
)
def test_what_is_signed_and_no_signature_of_the_image_does_not_count(fake: Fake, claim: object) -> None:
    fake.says('"verify "', out=json.dumps([claim]))
    with pytest.raises(SignError, match="is not signed"):
        trusting(fake).verify([IMAGE])


@pytest.mark.parametrize("out", ["", "no JSON", "[1]", "[{}]", '[{"critical": []}]', '[{"critical": {"type": []}}]'])
def test_what_cannot_be_read_of_cosign_is_no_signature(fake: Fake, out: str) -> None:
    fake.says('"verify "', out=out)
    with pytest.raises(SignError, match=r"what cosign says of .* cannot be read"):
        trusting(fake).verify([IMAGE])


@pytest.mark.parametrize("out", ["x", "{}", '{"payload": "!"}', '{"payload": "W10="}', '{"payload": "e30="}'])
def test_what_cannot_be_read_of_cosign_says_nothing_of_an_image(fake: Fake, out: str) -> None:
    fake.says('"verify-attestation "', out=out)
    with pytest.raises(SignError, match=r"what cosign says of .* cannot be read"):
        trusting(fake).attested(IMAGE)


@pytest.mark.parametrize(
    ("words", "code", "kind", "said"),
    [
        ("no signatures found", 10, SignError, "is not signed"),
        ("no matching signatures: invalid signature when …", 12, SignError, "is signed, but not by the key sha256:"),
        ("no matching attestations: failed to verify signature: …", 1, SignError, "is signed, but not by the key"),
        ('Get "https://localhost:5000/v2/": EOF', 1, PushError, "EOF"),
        ("GET https://localhost:5000/v2/: unexpected status code 503 Service Unavailable", 1, PushError, "503"),
        ("GET https://localhost:5000/v2/: UNAUTHORIZED: authentication required", 1, PushError, "docker login"),
        ("GET https://localhost:5000/v2/: unexpected status code 400 Bad Request", 1, PushError, "refuses"),
        ("dial tcp: lookup localhost:5000: no such host", 1, PushError, "cannot be reached"),
        ("retrieving cert: POST https://fulcio.test/api/v2: 401 Unauthorized", 1, SignError, "a service of Sigstore"),
        ("something new", 1, SignError, "something new"),
    ],
)
def test_a_refusal_says_what_it_is(fake: Fake, words: str, code: int, kind: type[TaskError], said: str) -> None:
    fake.says('"verify "', err=f"WARNING: x\nError: {words}\nerror during command execution: {words}\n", code=code)
    with pytest.raises(kind) as caught:
        trusting(fake).verify([IMAGE])
    assert said in str(caught.value)


def test_what_can_pass_is_tried_again(fake: Fake, tmp_path: Path) -> None:
    once = tmp_path / "once"
    fake.says('"sign "', script=f"if ! [ -e {once} ]; then touch {once}; echo 'Error: 502 Bad Gateway' >&2; exit 1; fi")
    fake.says("--help")
    notes: list[str] = []
    patient = Retries(Patience(times=2, wait=0.01), notes.append)
    Signatures(fake.program, Signing(key="/k"), patient).sign([IMAGE])
    assert len(fake.asked) == 2
    assert "502 Bad Gateway; again in" in notes[0]


def test_a_program_that_hangs_is_ended(fake: Fake) -> None:
    fake.says('"sign "', script="exec sleep 60").says("--help")
    with pytest.raises(PushError, match=r"cosign sign did not end within 0\.3 s"):
        Signatures(replace(fake.program, seconds=0.3), Signing(key="/k"), ONCE).sign([IMAGE])


def test_no_secret_is_repeated(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "open-sesame")
    fake.says('"sign "', err="Error: it was open-sesame\n", code=1).says("--help")
    with pytest.raises(SignError, match=r"it was \*\*\*") as caught:
        Signatures(fake.program, Signing(key="/k"), ONCE).sign([IMAGE])
    assert "open-sesame" not in str(caught.value)
    assert not [line for line in fake.asked if "open-sesame" in line]


def test_a_statement_without_its_file_is_refused_before_anything_is_asked(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(SignError, match="none is not there"):
        Signatures(fake.program, Signing(key="/k"), ONCE).attest(
            [Statement(reference=IMAGE, predicate=tmp_path / "none")]
        )


def test_where_nobody_is_trusted_nothing_can_be_verified(fake: Fake) -> None:
    with pytest.raises(SignError, match="nothing says whose signatures count"):
        Verifier.of(fake.program, Trust(), ONCE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is not there\nhint: mend container.verify_key"),
        (PEM.replace("PUBLIC", "ENCRYPTED SIGSTORE PRIVATE"), "is a private key\nhint: cosign public-key --key"),
        ("x", "holds no public key"),
    ],
)
def test_what_is_wrong_with_a_trusted_key_is_said(fake: Fake, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "key.pub"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SignError, match=words):
        Verifier.of(fake.program, Trust(key=str(path)), ONCE)


def test_the_cosign_of_the_set_up_is_found_where_none_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tasks.engine.cache.home", lambda: tmp_path / "cache")
    with pytest.raises(SignError, match="cosign is not on PATH\nhint: inv container-setup --signing"):
        cosign.find()
    unpacked = packages.root_of(packages.COSIGN) / "usr/bin/cosign"
    unpacked.parent.mkdir(parents=True)
    unpacked.touch(mode=0o755)
    assert cosign.find().path == str(unpacked)
    (tmp_path / "cosign").touch(mode=0o755)
    assert cosign.find().path == str(tmp_path / "cosign")


def test_a_cosign_that_does_not_run_is_a_matter_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "cosign"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    with pytest.raises(EngineError, match="cannot be run"):
        Signatures(Cosign(str(path)), Signing(key="/k"), ONCE).sign([IMAGE])
