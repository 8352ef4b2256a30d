"""The certificate authorities that this machine trusts, for downloads inside builds."""

import os
import re
from pathlib import Path

from ..errors import ConfigError

# BuildKit refuses larger secrets (solver/llbsolver: 500 KiB).
LARGEST_SECRET = 500 * 1024
# Where OpenSSL, curl and Python are told of a bundle, and where the distributions keep theirs.
VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_ALSO_FOLDERS = ("REQUESTS_CA_BUNDLE",)
_BEGINS = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----")
_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def faults() -> dict[str, str]:
    """Return what is wrong with what each variable names, by its name; builds go by the next that names a file."""
    said = ((name, _fault(name, Path(os.environ[name]))) for name in VARIABLES if os.environ.get(name))
    return {name: fault for name, fault in said if fault}


def _fault(name: str, path: Path) -> str:
    if name not in _ALSO_FOLDERS and path.is_dir():
        return "a folder, not a file of authorities"
    if path.is_dir() and os.access(path, os.R_OK):
        return ""
    if not path.is_file() or not os.access(path, os.R_OK):
        return "no file of authorities that can be read"
    with path.open("rb") as file:
        return "" if _BEGINS.search(file.read(LARGEST_SECRET)) else "a file without a certificate"


def bundle(choice: str, root: Path) -> Path | None:
    """Return the bundle to hand to builds: ``auto`` finds the machine's, ``none`` is none, else a path.

    Raises ConfigError when it cannot be read, is no bundle, or is larger than BuildKit takes.
    """
    if choice == "none":
        return None
    if choice == "auto":
        named = (os.environ[variable] for variable in VARIABLES if os.environ.get(variable))
        path = next((Path(place) for place in (*named, *_PLACES) if Path(place).is_file()), None)
        if path is None:
            return None
    else:
        path = root / choice
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"the CA bundle {path} is no regular file", hint="mend container.ca")
        size = path.stat().st_size
        begins = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path can be that
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"the CA bundle {path} cannot be read: {said}", hint="mend container.ca") from error
    if size > LARGEST_SECRET:
        raise ConfigError(
            f"the CA bundle {path} has {size // 1024} KiB; BuildKit takes at most {LARGEST_SECRET // 1024} KiB",
            hint="set container.ca to a file with only the authorities that builds need, or to none",
        )
    if b"-----BEGIN CERTIFICATE-----" not in begins:
        raise ConfigError(f"the CA bundle {path} holds no PEM certificate", hint="mend container.ca, or set it to none")
    return path
