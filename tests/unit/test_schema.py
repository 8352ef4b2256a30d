import json

import pytest
from invoke.config import Config
from invoke.context import Context
from jsonschema import Draft7Validator

from tasks.configuration import DEFAULTS, read_file
from tasks.discovery import discover
from tasks.errors import ConfigError
from tasks.plan import schema
from tasks.plan.keys import SERVICE_SETTINGS, SETTINGS
from tasks.settings import load
from tests.support import ROOT, Repo


def test_the_schema_knows_every_setting_and_refuses_others() -> None:
    container = schema.schema()["properties"]["container"]
    assert set(container["properties"]) == {setting.key for setting in SETTINGS} | {"services"}
    assert container["additionalProperties"] is False
    service = container["properties"]["services"]["additionalProperties"]
    assert set(service["properties"]) == {setting.key for setting in SERVICE_SETTINGS}
    assert service["additionalProperties"] is False


def test_the_schema_that_editors_read_here_is_the_one_that_is_printed() -> None:
    assert (ROOT / "invoke.schema.json").read_text(encoding="utf-8") == schema.dumps()
    assert json.loads(schema.dumps()) == schema.schema()


def test_the_starter_file_is_all_comments_and_names_everything(repo: Repo) -> None:
    text = schema.starter()
    repo.write("invoke.yaml", text)
    assert read_file(repo.root) == {}
    assert all(line.startswith("#") for line in text.splitlines())
    for setting in (*SETTINGS, *SERVICE_SETTINGS):
        assert f"{setting.key}: {setting.example}" in text


def test_the_starter_file_with_every_line_said_is_read(repo: Repo) -> None:
    repo.write("invoke.yaml", "".join(line.removeprefix("# ") for line in schema.starter().splitlines(keepends=True)))
    section = read_file(repo.root)
    assert set(section) == {setting.key for setting in SETTINGS} | {"services"}
    assert section["jobs"] == 4
    Draft7Validator(schema.schema()).validate({"container": section})
    assert set(section["services"]["name-of-a-service"]) == {setting.key for setting in SERVICE_SETTINGS}


@pytest.mark.parametrize("mark", ["# ", "#"])
def test_a_line_of_the_starter_file_needs_the_one_above_it(repo: Repo, mark: str) -> None:
    text = schema.starter().replace("#   registry:", "#   registry:".removeprefix(mark))
    repo.write("invoke.yaml", text)
    with pytest.raises(ConfigError, match="registry stands below nothing\nhint: take the # from the line container:"):
        read_file(repo.root)
    repo.write("invoke.yaml", text.replace("# container:", "# container:".removeprefix(mark)))
    assert read_file(repo.root) == {"registry": "ghcr.io/acme"}


VALUES: dict[str, list[object]] = {
    "project": ["acme", "a.b", "a__b", 7, "", "A", "-a", "a-", "a b", "x" * 57, "x" * 58],
    "services_dir": [
        *["services", "serv*", "services,shared", ".", "./services", "services/", "", ",services", "services, shared"],
        *["/srv", "..", "../up", "services/..", "services,..", "**", "services/**", " services", "services "],
        *[["services"], ["services", "shared"], ["."], [], [""], [None], ["/srv"], [".."], [" services"], ["**"], [[]]],
    ],
    "dockerfile": ["Dockerfile", "", " "],
    "context": ["root", "service", "Root", "", 1, ["root"]],
    "registry": [
        *["ghcr.io/acme", "localhost", "localhost:5000", "[::1]:5000/a", "a/b", "a_b/c", 5, "", "https://a.b", "a.b/"],
        *["A.b/c", "a_b.c/d", "a.b:0", "a.b:00080/c", "a.b:65535", "a.b:65536", "a.b:000080", "a//b", "a b", "a,b"],
        *["localhost:x", "-a.b", f"a.b/{'c' * 251}", f"a.b/{'c' * 252}"],
    ],
    "platforms": [
        *["linux/amd64", "linux/amd64,linux/arm64", "linux/amd64, linux/arm64", "amd64", "linux/arm/v7", "", 64],
        *[["linux/amd64"], ["linux/amd64,linux/arm64"], ["linux/amd64", "linux/arm64"], [], [""], ["arm64"], [64]],
    ],
    "tags": [
        *["latest", "latest,edge", 7, "", "a,", "a, b", "a+b", ".a", "-a", "x" * 128, "x" * 129],
        *[["latest", 1], ["a,b"], [], [""], ["a b"], [-1]],
    ],
    "version": ["file", "1.2.3", "1.2.3-rc.1", 7, -7, "", " ", "1+2", "v/1", "x" * 127, "x" * 128],
    "mirror": ["harbor.example.com/hub", "https://harbor.example.com", "", "harbor.example.com/"],
    "ca": ["auto", "none", "certificates/company.pem", "", "  "],
    "builder": ["cloud", 7, "", "-x", -7, "a b", "a\u0007", " a"],
    "reuse": ["none", "registry", "", "Registry", "none,registry", ["none"]],
    "cache": [
        *[
            "none",
            "gha",
            "registry,local",
            "registry=a.b/c",
            "registry=a/b",
            "local=.container/cache",
            "local=..a/b..",
            1,
        ],
        *["", "none,gha", "gha=x", "registry=", "registry=a.b", "registry=https://a.b/c", "local=/x", "local=../x"],
        *["local=a/..,gha", "local=a//b", "disk", "registry, gha", ["none"], ["none", "gha"], ["gha,local"]],
        *[["registry=localhost:5000/c", "gha"], [], ["gha", "registry=b"], [""]],
    ],
    "sign": ["auto", "key", "keyless", "none", "", "Key", "yes", 1, ["key"]],
    "sign_key": [
        *["cosign.key", "../keys/cosign.key", "/etc/cosign.key", "~/cosign.key", "env://KEY", "awskms:///alias/a", 7],
        *["", " ", "-key", "https://a.b/key", "a\nb", "-----BEGIN PRIVATE KEY-----\nx", -7, ["cosign.key"]],
    ],
    "verify_key": ["cosign.pub", "env://KEY", "", "http://a.b/key", "-----BEGIN PUBLIC KEY-----", " a"],
    "identity": [
        *["^https://a/b@refs/tags/v.*$", r"^a\.bc[0-9]+(x|y\|z)$", "^abc\\$$", "^[|)]abc$", "", "abc", "^abc", "abc$"],
        *["^abc|def$", "^.*$", "^(.+)$", "^abc\\$", "^ab$", "^a(b(c))d$", "^abc)$", "^(abc$", "^ab\nc$", 7, ["^abc$"]],
    ],
    "issuer": ["https://accounts.example.com", "http://a.b", "a.b", "https://", "", "https://a b", 7],
    "severity": [
        *[
            "CRITICAL",
            "HIGH,CRITICAL",
            "CRITICAL,HIGH",
            "LOW,MEDIUM,HIGH,CRITICAL",
            "UNKNOWN,CRITICAL",
            "HIGH,HIGH,CRITICAL",
        ],
        *[
            "HIGH",
            "UNKNOWN",
            "MEDIUM,CRITICAL",
            "LOW,HIGH,CRITICAL",
            "critical",
            "",
            "HIGH, CRITICAL",
            "BAD,CRITICAL",
            7,
        ],
        *[["CRITICAL"], ["HIGH", "CRITICAL"], ["HIGH,CRITICAL"], ["MEDIUM", "HIGH,CRITICAL"], ["UNKNOWN", "CRITICAL"]],
        *[
            ["HIGH"],
            ["MEDIUM", "CRITICAL"],
            ["UNKNOWN"],
            [],
            [""],
            [7],
            ["LOW,MEDIUM", "CRITICAL"],
            ["CRITICAL", "BAD"],
        ],
    ],
    "scan_db": [
        *["harbor.example.com/trivy-db:2", "localhost:5000/a/b", f"a.b/c@sha256:{'0' * 64}", "a/b:2", "[::1]:5000/a"],
        *[
            "",
            "a.b",
            "a.b:5000",
            "https://a.b/c",
            "a.b/C",
            "a.b/c:",
            "a.b/c,d.e/f",
            "a.b/c@sha256:0",
            " a.b/c",
            "-a.b/c",
            7,
        ],
    ],
    **{
        key: [1, 4, "4", 999999, 0, -1, "0", "", "1.5", " 4", [4]]
        for key in ("tries", "retry_wait", "retry_limit", "registry_timeout")
    },
    "provenance": ["auto", "min", "max", "more", "", 7, ["min"]],
    "jobs": [1, 4, "4", "004", 999_999, "999999", 0, -1, "0", "000", "", "1.5", 1_000_000, "0000001", " 4", [4]],
}
SERVICE_VALUES: dict[str, list[object]] = {
    "folder": ["services/agent", ".", "services/../services", "/srv", "..", "services/.."],
    "dockerfile": ["Dockerfile", "", " "],
    "context": ["root", "service", "folder", 0],
    "target": ["web", 7, "", " "],
    "args": [{}, {"A": "x"}, {"A": 7}, {"A=B": "x"}, {"": "x"}, {"A": "\0"}, {"A": None}, {"A": True}, {"A": []}, []],
    "local_args": [{"A": "x"}, {"": "x"}],
    "port": [1, 8080, 65535, "8080", "00080", "65535", 0, -1, 65536, "0", "65536", "000080", "http", "", "8080/tcp"],
    "publish": [1, 65535, "18080", 0, 65536, "http", ""],
    "budget": ["100MB", "1 gb", " 5Kb", "0KB", 100, "100", "MB", "1.5GB", "100 MiB", "-1MB", f"{'9' * 13}KB", ""],
    "health": ["/", "/health?deep=1", "health", "", "/a b", "/é", 7],
    "slow": ["/slow?seconds=3", "slow"],
    "ready": ["/ready", "ready"],
    "metrics": ["/metrics", "metrics"],
    "skip_checks": ["static", "static,size", "", "statics", "static, size", 1, ["static", "size"], [], ["static,size"]],
    "memory": [
        *["256MB", "7MB", "6MB", "1GB", "0GB", "6292KB", "6291KB", "7000 kb", "10000KB", "012MB", "000001KB", "99KB"],
        *["999999999999GB", "9999999999999GB", "0000000000007MB", 7_000_000, "64", "64M", ""],
    ],
    "tmpfs": [
        *["/run/app", "/run/app,/srv/", "/a.b/..c", "/", "", "run", "/..", "/a/./b", "/a//b", "/a b", "/a:b", "/a,b"],
        *[7, ["/run/app"], [], ["/run,/srv"], ["run"], [""]],
    ],
    "env": [{}, {"LOG_LEVEL": "debug"}, {"A": 7}, {"A=B": "x"}, {"A": None}],
}
SERVICES: list[object] = [
    *[{}, {"agent": {}}, {"agent": {"prot": 1}}, {"agent": None}, {"agent": []}, []],
    *[{name: {"folder": "services/agent"}} for name in ("site", "my_site", "Site", "amd64", "x" * 57, "x" * 58, "a/b")],
]
OTHER_KINDS = (None, True, 1.5)


def test_the_schema_takes_what_the_settings_take_and_refuses_what_they_refuse(repo: Repo) -> None:
    assert VALUES.keys() == {setting.key for setting in SETTINGS}
    assert SERVICE_VALUES.keys() == {setting.key for setting in SERVICE_SETTINGS}
    repo.write("shared/README", "a folder for services, without any")
    repo.write("web/Dockerfile", "FROM scratch\n")  # a service of the root
    validator = Draft7Validator(schema.schema())
    verdicts = set()
    sections = [(key, value) for key, values in VALUES.items() for value in (*values, *OTHER_KINDS, {"a": 1})]
    sections += [
        ("services", {"agent": {key: value}})
        for key, values in SERVICE_VALUES.items()
        for value in (*values, *OTHER_KINDS)
    ]
    sections += [("services", services) for services in SERVICES]
    for key, value in sections:
        section = {key: value}
        refusal = refused(repo, section)
        assert validator.is_valid({"container": section}) is (refusal is None), f"{section}: {refusal}"
        verdicts.add(refusal is None)
    assert verdicts == {True, False}


def refused(repo: Repo, section: dict[str, object]) -> str | None:
    """Return what the settings' own code says against a section."""
    repo.write("invoke.yaml", json.dumps({"container": section}))  # JSON is YAML
    config = Config(overrides={"container": {**DEFAULTS, **section}}, lazy=True)
    try:
        load(Context(config), discover(repo.root, read_file(repo.root)), {})
    except ConfigError as error:
        return str(error)
    return None
