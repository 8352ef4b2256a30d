"""A release to a registry that asks who it is: right, wrong and no login, by a password, a token and a helper."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import shops
from tests.cosigns import Keys
from tests.oci import Registry
from tests.shops import SERVICES, SIGNING, Shop
from tests.support import HTPASSWD, LOGIN, Result, client, loopback_registry
from tests.tokens import Tokens, tokens

pytestmark = pytest.mark.docker

WRONG = (LOGIN[0], "not-the-word")
WAYS = ("password", "token service")


@dataclass(frozen=True, slots=True)
class Asking:
    """A shop whose registry asks who it is, and what it asks with."""

    shop: Shop
    way: str
    tokens: Tokens

    @property
    def host(self) -> str:
        """The registry's address."""
        return self.shop.behind.partition("/")[0]

    def digests(self) -> Mapping[str, str]:
        """Return what people get who follow latest, as the registry tells one who may ask."""
        found = {}
        for name in SERVICES:
            place = f"team/{name}"
            if self.way == "password":
                said = f"Basic {base64.b64encode(':'.join(LOGIN).encode()).decode()}"
            else:
                said = f"Bearer {self.tokens.token([f'repository:{place}:pull'], known=True)}"
            listed = Registry(self.host, {"Authorization": said}).tags(place)
            if "latest" in listed:
                found[name] = listed["latest"]
        return found


@pytest.fixture(params=WAYS)
def asking(request: pytest.FixtureRequest, builder: str, tmp_path: Path) -> Iterator[Asking]:
    with tokens(tmp_path) as service:
        own = {"htpasswd": HTPASSWD} if request.param == "password" else {"auth": service.auth}
        with loopback_registry(tmp_path, **own) as address:
            shop = shops.make(tmp_path / "shop", address, address, shops.own_cache(tmp_path / "cache"))
            yield Asking(shop, request.param, service)


def silent(*said: Result) -> None:
    """See that nothing tells a login."""
    for one in said:
        for login in (LOGIN, WRONG):
            assert login[1] not in one.all
            assert base64.b64encode(":".join(login).encode()).decode().rstrip("=") not in one.all
        assert "eyJ" not in one.all  # how every token begins


def test_who_is_logged_in_releases_signs_lists_and_goes_back(
    asking: Asking, every_key: tuple[Keys, Keys], tmp_path: Path
) -> None:
    shop = asking.shop
    env = {**shops.signed(every_key[0]), **client(tmp_path / "client", {asking.host: LOGIN})}
    pushed = shop.push(*SIGNING, **env).ok()
    first = asking.digests()
    assert set(first) == set(SERVICES)
    shop.state("1.1.0", one="second")
    again = shop.push(*SIGNING, **env).ok()
    assert asking.digests() != first
    assert set(shop.listed(**env)) == {"v1.0.0", "v1.1.0"}
    back = shop.inv("container-rollback", **env).ok()
    assert asking.digests() == first
    silent(pushed, again, back)
    if asking.way != "password":  # each repository was asked for by itself, for no more than was needed
        # BuildKit also asks to read where it has pushed a layer before: it need not send that again.
        written = {one.split(":")[1] for one in asking.tokens.given if "push" in one}
        assert written == {"team/one", "team/two", "team/releases"}
        assert not [one for one in asking.tokens.given if "*" in one or "delete" in one]


def test_the_images_of_a_release_are_verified_with_the_same_login(asking: Asking, tmp_path: Path) -> None:
    env = client(tmp_path / "client", {asking.host: LOGIN})
    silent(asking.shop.push("--skip", "scan,sign", **env).ok())


@pytest.mark.parametrize("login", ["wrong", "none"])
def test_who_is_not_let_in_is_told_so_before_anything_is_built(asking: Asking, tmp_path: Path, login: str) -> None:
    env = client(tmp_path / "client", {asking.host: WRONG} if login == "wrong" else {})
    said = asking.shop.push(*SIGNING, **env).fails(5, f"docker login {asking.host}", asking.host)
    assert "client/config.json" in said.all or login == "none", said.all
    assert not list((asking.shop.repo.root / ".container/logs").glob("*"))
    assert asking.digests() == {}
    silent(said)
    for task in ("container-releases", "container-rollback"):
        silent(asking.shop.inv(task, **env).fails(5, f"docker login {asking.host}"))


HELPER = """\
#!/bin/sh
[ "$1" = get ] || exit 1
read -r host
[ "$host" = "{host}" ] || {{ echo "credentials not found in native keychain"; exit 1; }}
echo '{answer}'
"""


@pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
def test_a_helper_program_is_asked_for_the_login(asking: Asking, tmp_path: Path, kind: str) -> None:
    shop = asking.shop
    place = tmp_path / "bin"
    place.mkdir()
    answer = json.dumps({"ServerURL": asking.host, "Username": LOGIN[0], "Secret": LOGIN[1]})
    helper = place / "docker-credential-tests"
    helper.write_text(HELPER.format(host=asking.host, answer=answer), encoding="utf-8")
    helper.chmod(0o755)
    said = {kind: {asking.host: "tests"} if kind == "credHelpers" else "tests"}
    env = client(tmp_path / "client", {}, **said)
    env["PATH"] = f"{place}:{shops.path()}"
    pushed = shop.push(*SIGNING, **env).ok()
    assert set(asking.digests()) == set(SERVICES)
    helper.write_text("#!/bin/sh\necho 'the keychain is locked' >&2\nexit 1\n", encoding="utf-8")
    locked = shop.inv("container-releases", **env).fails(5, "docker login", "docker-credential-tests")
    silent(pushed, locked)
