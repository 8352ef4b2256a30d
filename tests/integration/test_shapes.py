"""Repositories of other shapes, which take the tasks as they are."""

from pathlib import Path

import pytest

from tests.support import BASE, GO, Repo, docker, free_port, get

pytestmark = pytest.mark.docker

REGISTRY = "images.test/tiny"


def settings(repo: Repo, *lines: str) -> None:
    repo.write("invoke.yaml", "\n".join(["container:", "  project: tiny", f"  registry: {REGISTRY}", *lines, ""]))


def said(service: str) -> str:
    return docker("run", "--rm", f"{REGISTRY}/{service}:latest", "cat", "/word").strip()


def test_services_under_apps_and_at_the_root(tiny: Repo) -> None:
    for folder in ("apps/web", "site"):
        tiny.write(f"{folder}/Dockerfile", f"FROM {BASE}\nCOPY {folder}/word /word\n")
        tiny.write(f"{folder}/word", folder)
    settings(tiny, "  services_dir: [apps, .]")
    tiny.inv("container-build").ok()
    assert (said("web"), said("site")) == ("apps/web", "site")


def test_a_service_that_is_its_own_context(tiny: Repo) -> None:
    tiny.write("services/own/Dockerfile", f"FROM {BASE}\nCOPY word /word\n")
    tiny.write("services/own/word", "own")
    settings(tiny, "  context: service")
    tiny.inv("container-build-own").ok()
    assert said("own") == "own"


def test_one_dockerfile_of_another_name_for_two_images(tiny: Repo) -> None:
    tiny.write(
        "services/site/Containerfile",
        f"FROM {BASE} AS web\nARG WORD=none\nRUN echo web $WORD > /word\n"
        f"FROM {BASE} AS worker\nRUN echo worker > /word\n",
    )
    settings(
        tiny,
        "  dockerfile: Containerfile",
        "  services:",
        "    web: {folder: services/site, target: web, args: {WORD: '$HOME'}}",
        "    worker: {folder: services/site, target: worker}",
    )
    listed = tiny.inv("--list").ok().out
    assert "container-build-site" not in listed
    tiny.inv("container-build-web", "container-build-worker").ok()
    assert (said("web"), said("worker")) == ("web $HOME", "worker")


def test_a_stage_that_is_not_there_is_told_with_those_that_are_before_anything_builds(tiny: Repo) -> None:
    tiny.write("services/site/Dockerfile", f"FROM {BASE} AS Web\nFROM {BASE} AS worker\n")
    settings(tiny, "  services:", "    site: {target: nope}")
    for command in (("container-plan",), ("container-build", "--print"), ("container-build",), ("container-run",)):
        said = tiny.inv(*command).fails(2, "container.services.site.target: services/site/Dockerfile has no stage")
        assert "'nope'\nhint: choose from web, worker" in said.all
    settings(tiny, "  services:", "    site: {target: WEB}")
    tiny.inv("container-build").ok()
    tiny.write("services/site/Dockerfile", f"FROM {BASE}\n")
    tiny.inv("container-plan").fails(2, "has no stage 'WEB'", "give one a name")


def test_an_image_on_another_image_of_the_repository(tiny: Repo) -> None:
    tiny.service("base", "RUN echo from-base > /word")
    tiny.write("services/top/Dockerfile", f"FROM {REGISTRY}/base:latest\nRUN echo on-top >> /word\n")
    tiny.inv("container-setup", "container-build-top").ok()
    assert said("top").split() == ["from-base", "on-top"]
    assert not docker("images", "-q", f"{REGISTRY}/base")
    tiny.inv("container-build").ok()
    assert said("base") == "from-base"


def test_images_on_each_other_are_refused(tiny: Repo) -> None:
    tiny.write("services/one/Dockerfile", f"FROM {REGISTRY}/two\n")
    tiny.write("services/two/Dockerfile", f"FROM {REGISTRY}/one\n")
    tiny.inv("container-build").fails(2, "circle")


# The public bases that every machine of this repository's has: on one without a registry it is Debian underneath.
INTERPRETERS = f"""\
FROM {GO}
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt <<EOT
    set -eu
    if command -v apk; then apk add --no-cache python3 nodejs; exit; fi
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3 nodejs
    rm -rf /var/lib/apt/lists/*
EOT
"""
APP_PY = """\
import os
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b"python is well")


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
HTTPServer(("", int(os.environ["PORT"])), Answer).serve_forever()
"""
APP_JS = """\
const server = require("http").createServer((request, response) => {
  response.writeHead(request.url === "/health" ? 200 : 404).end("node is well");
});
server.listen(process.env.PORT);
process.on("SIGTERM", () => process.exit(0));
"""


def interpreted(repo: Repo, name: str, port: int, text: str, command: str) -> None:
    repo.write(f"services/{name}/app.{name}", text)
    repo.write(
        f"services/{name}/Dockerfile",
        f"FROM {REGISTRY}/interpreters\nCOPY services/{name}/app.{name} /app/\nENV PORT={port}\nUSER 1000:1000\n"
        f'EXPOSE {port}\nCMD ["{command}", "/app/app.{name}"]\n',
    )


def test_python_and_node_on_one_base_of_the_repository_without_version_and_git_on_a_path_of_any_letters(
    tiny: Repo, tmp_path: Path
) -> None:
    repo = Repo(tmp_path / "ein Ordner, 日本")
    repo.write("tasks.py", (tiny.root / "tasks.py").read_text(encoding="utf-8"))
    repo.write("services/interpreters/Dockerfile", INTERPRETERS)
    python, node = free_port(), free_port()
    interpreted(repo, "py", python, APP_PY, "python3")
    interpreted(repo, "js", node, APP_JS, "node")
    settings(repo, "  services:", "    py: {health: /health}", "    js: {health: /health}")
    try:
        result = repo.inv("container-run", "--detach", "--services", "js,py").ok()
        assert "so built first: js, py" in result.out
        assert "vdev" in result.out
        assert get(f"http://127.0.0.1:{python}/health") == "python is well"
        assert get(f"http://127.0.0.1:{node}/health") == "node is well"
    finally:
        stopped = repo.inv("container-stop")
    assert "stopped py (tiny-py)" in stopped.ok().out
    assert docker("images", "-q", f"{REGISTRY}/py:vdev")
    assert not docker("images", "-q", f"{REGISTRY}/interpreters")


def test_folders_and_dockerfiles_whose_names_have_spaces(tiny: Repo) -> None:
    tiny.write("my apps/der Laden/Docker file", f'FROM {BASE}\nCOPY ["my apps/der Laden/word", "/word"]\n')
    tiny.write("my apps/der Laden/word", "ärger, gut\n")
    settings(tiny, "  services:", "    shop: {folder: my apps/der Laden, dockerfile: Docker file}")
    tiny.inv("container-build-shop").ok()
    assert said("shop") == "ärger, gut"


def test_a_subfolder_is_as_good_a_place_to_type_in_as_the_root(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    Repo(tiny.root / "services/one").inv("container-build").ok()
    assert said("one") == "one"
