"""Find the services: the folders that hold a Dockerfile, and what invoke.yaml says of them."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import normpath
from typing import Any

from .entries import described, own_context, word
from .errors import ConfigError
from .plan.names import RESERVED, nearest
from .services import Repository, Service, folders_above, join

_NAMES = "lower-case letters and digits, joined by '.', '_' or '-'; rename {what}"


def discover(root: Path, section: Mapping[str, Any] | None = None) -> Repository:
    """Find the services of a repository, sorted by name; ``section`` is ``container`` of invoke.yaml.

    Raises ConfigError for a folder or a name that cannot be a service's, and for settings of services
    that are not there.
    """
    section = section or {}
    folders = _patterns(root, section)
    file = word(_said(section, "dockerfile"), "container.dockerfile") or "Dockerfile"
    own = own_context(_said(section, "context"), "container.context")
    plain = Service("", "", file, own)
    found = _found(root, _candidates(root, folders), plain, elsewhere=_said_of(section))
    configured = _configured(root, folders, section, plain, found)
    placed = {service.folder for service in configured.values()}
    kept = {name: service for name, service in found.items() if service.folder not in placed}
    services = tuple(sorted({**kept, **configured}.values(), key=lambda service: service.name))
    _check_tasks(services)
    return Repository(root, services, folders)


def _found(root: Path, candidates: Iterator[str], plain: Service, *, elsewhere: Collection[str]) -> dict[str, Service]:
    """Return the services that folders make by themselves; ``elsewhere``: the folders of which invoke.yaml speaks."""
    found: dict[str, Service] = {}
    refused: list[str] = []
    for folder in candidates:
        name = folder.rpartition("/")[2]
        service = replace(plain, name=name, folder=folder)
        if folder in elsewhere or not os.path.lexists(root / service.dockerfile):
            continue
        if fault := _fault(name, folder):
            refused.append(fault)
        elif name in found:
            raise ConfigError(
                f"{found[name].folder} and {folder} have one name",
                hint=f"rename one, or say in invoke.yaml, container.services: {{other-name: {{folder: {folder}}}}}",
            )
        else:
            found[name] = service
    _refuse(refused)
    return found


def _said(section: Mapping[str, Any], key: str) -> object:
    """Return a setting that the task list depends on: Invoke has read neither environment nor file yet."""
    variable = f"INVOKE_CONTAINER_{key.upper()}"
    text = os.environ.get(variable)
    if text is not None and not text.strip():
        raise ConfigError(f"{variable} is empty", hint="give it a value, or unset it")
    return section.get(key) if text is None else text


def _patterns(root: Path, section: Mapping[str, Any]) -> tuple[str, ...]:
    given = _said(section, "services_dir")
    if given is None:
        return ("services",)
    items = given if isinstance(given, list) else str(given).split(",")
    patterns = tuple("" if item is None else str(item) for item in items)
    if not patterns:
        raise ConfigError("container.services_dir is empty", hint="for example services; or leave it out")
    for pattern in patterns:
        if "**" in pattern:
            raise ConfigError(
                f"container.services_dir: {pattern!r} is of any depth",
                hint=f"name each level: {pattern.replace('**', '*')}, or with /* behind it",
            )
        inside = not pattern.startswith("/") and ".." not in pattern.split("/")
        if not (pattern and pattern.isprintable() and inside):
            raise ConfigError(
                f"container.services_dir: {pattern!r} is not a folder of this repository",
                hint="for example services, or apps/*, or . for the root",
            )
        if pattern != pattern.strip():
            raise ConfigError(
                f"container.services_dir: {pattern!r} has a space at its end", hint=f"write {pattern.strip()}"
            )
    for pattern in patterns:
        if not any(os.path.lexists(root / above) for above in folders_above(root, (pattern,))):
            raise ConfigError(
                f"container.services_dir: there is no {pattern}", hint="mend its name, or make the folder"
            )
    return tuple(dict.fromkeys(normpath(pattern) for pattern in patterns))


def _candidates(root: Path, patterns: tuple[str, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for above in folders_above(root, patterns):
        try:
            names = sorted(entry.name for entry in os.scandir(root / above) if not entry.name.startswith("."))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(
                f"{above}/ cannot be read: {error.strerror}", hint="make it yours, or set container.services_dir"
            ) from error
        for name in names:
            folder = join(above, name)
            if folder not in seen:
                seen.add(folder)
                yield folder


def _configured(
    root: Path, folders: tuple[str, ...], section: Mapping[str, Any], plain: Service, found: Mapping[str, Service]
) -> dict[str, Service]:
    """Return the services that invoke.yaml names, with what it says of them."""
    services: dict[str, Service] = {}
    for name, entry in (section.get("services") or {}).items():
        place = f"container.services.{name}"
        service = found.get(str(name)) if entry.get("folder") is None else None
        service = service or _placed(Repository(root, tuple(found.values()), folders), str(name), entry, plain)
        if fault := _fault(str(name), place):
            raise ConfigError(fault, hint=_NAMES.format(what="it"))
        services[str(name)] = described(service, entry, place)
    return services


def _placed(repository: Repository, name: str, entry: Mapping[str, Any], plain: Service) -> Service:
    """Return a service that has no Dockerfile of the usual name in a folder of its own."""
    place, root = f"container.services.{name}", repository.root
    folder = entry.get("folder")
    if folder is not None:
        text = str(folder)
        if text.startswith("/") or ".." in text.split("/") or not os.path.isdir(root / text):  # noqa: PTH112 - False for what can be no path
            raise ConfigError(
                f"{place}.folder: {folder!r} is not a folder of this repository",
                hint=f"for example services/{name}, as seen from the root",
            )
        return replace(plain, name=name, folder=normpath(text))
    for above in folders_above(root, repository.folders):
        if "/" not in name and os.path.isdir(root / join(above, name)):  # noqa: PTH112 - as above
            return replace(plain, name=name, folder=join(above, name))
    near = nearest(name, [service.name for service in repository.services])
    raise ConfigError(
        f"{place}: there is no service {name!r}",
        hint="say where it lies: folder: path/to/it" if near is None else f"did you mean {near}?",
    )


def _said_of(section: Mapping[str, Any]) -> frozenset[str]:
    """Return the folders to which invoke.yaml gives another name."""
    entries = (section.get("services") or {}).values()
    return frozenset(normpath(str(entry["folder"])) for entry in entries if entry.get("folder") is not None)


def _fault(name: str, place: str) -> str:
    """Return why a service cannot have a name, or nothing."""
    from .plan.names import is_service

    if name in RESERVED:
        return f"{place}: container-build-{name} already builds every service for linux/{name}"
    return "" if is_service(name) else f"{place.removesuffix(name)}{name!r} cannot be an image's name"


def _refuse(faults: Sequence[str]) -> None:
    """Refuse folders with names that no service can have, all at once.

    Raises ConfigError that names each.
    """
    if faults:
        lines = "".join(f"\n  {fault}" for fault in faults)
        raise ConfigError(
            faults[0] if len(faults) == 1 else f"{len(faults)} folders cannot be services:{lines}",
            hint=_NAMES.format(
                what="the folder, or say in invoke.yaml, container.services: {name: {folder: its path}}"
            ),
        )


def _check_tasks(services: tuple[Service, ...]) -> None:
    for first in services:
        for second in services:
            if first.name < second.name and first.task_name == second.task_name:
                raise ConfigError(
                    f"{first.folder} and {second.folder} would share the task container-build-{first.task_name}",
                    hint="rename one of the folders",
                )
