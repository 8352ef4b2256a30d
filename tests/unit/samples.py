"""Values that several tests plan with."""

from typing import Any

from tasks.plan.platforms import Platform
from tasks.plan.targets import Output, Plan, Request, Source, make_plan

REVISION = "0123456789abcdef0123456789abcdef01234567"
COMMITTED = "2026-11-24T08:00:00+00:00"


def source(service: str = "agent", **changed: object) -> Source:
    """Return a service with a history and no bases."""
    values: dict[str, Any] = {
        "service": service,
        "target": service.replace(".", "_"),
        "dockerfile": f"services/{service}/Dockerfile",
        "bases": (),
        "revision": REVISION,
        "committed": COMMITTED,
    }
    values.update(changed)
    return Source(**values)


def request(**changed: object) -> Request:
    """Return what a person asks for who types no flag."""
    values: dict[str, Any] = {
        "project": "shop",
        "registry": "registry.example/shop",
        "version": "1.2.3",
        "tags": ("latest", "v1.2.3"),
        "platforms": (Platform.AMD64,),
        "native": Platform.AMD64,
        "output": Output.LOAD,
        "ca": ".container/ca.pem",
    }
    values.update(changed)
    return Request(**values)


def plan(*sources: Source, **changed: object) -> Plan:
    """Return a plan of those services, by default of one."""
    return make_plan(sources or (source(),), request(**changed))
