"""Running images of the other architecture: QEMU's user emulator, registered with the kernel's binfmt_misc.

Flags: F opens the emulator at registration, so that it serves containers, which do not have it inside. P hands
on argv[0]; without it a busybox that a shell starts from itself is told the wrong name and takes ``wget -q``
for its own options. P needs an emulator that expects it, as Debian's and Ubuntu's do.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

from ...errors import EngineError
from .. import process
from . import packages

_REGISTER = Path("/proc/sys/fs/binfmt_misc")
_FLAGS = "PF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """How programs of one architecture are recognised and run."""

    platform: str
    machine: str
    """As in the name of QEMU's program."""
    magic: bytes
    """The beginning of an ELF file of that machine (little-endian, 64 bit, EM_AARCH64 or EM_X86_64)."""

    @property
    def name(self) -> str:
        """Its entry in the register: the name that every distribution uses."""
        return f"qemu-{self.machine}"

    @property
    def program(self) -> str:
        """QEMU's statically linked program."""
        return f"qemu-{self.machine}-static"

    def line(self, program: Path) -> str:
        """Return the line that registers it (Documentation/admin-guide/binfmt-misc.rst of the kernel); pure."""
        magic = "".join(f"\\x{byte:02x}" for byte in self.magic)
        mask = "".join(f"\\x{byte:02x}" for byte in _MASK)
        return f":{self.name}:M::{magic}:{mask}:{program}:{_FLAGS}"


# Everything but the ABI version and padding counts; type may be executable (2) or shared (3).
_MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")
_HEAD = bytes.fromhex("7f454c460201010000000000000000000200")
ARM64 = Emulator(platform="linux/arm64", machine="aarch64", magic=_HEAD + b"\xb7\x00")
AMD64 = Emulator(platform="linux/amd64", machine="x86_64", magic=_HEAD + b"\x3e\x00")


def foreign() -> Emulator:
    """Return the emulator for the platform that this machine does not run by itself."""
    return AMD64 if platform.machine().lower() in ("aarch64", "arm64") else ARM64


def registered(emulator: Emulator) -> str | None:
    """Return the flags that an emulator is registered with, by whomever; None when it is not, or is disabled."""
    try:
        text = (_REGISTER / emulator.name).read_text(encoding="utf-8")
    except OSError:
        return None
    return flags_of(text)


def flags_of(entry: str) -> str | None:
    """Return the flags in an entry of the register; None when it is disabled; pure."""
    lines = entry.splitlines()
    if not lines or lines[0] != "enabled":
        return None
    return next((line.removeprefix("flags:").strip() for line in lines if line.startswith("flags:")), "")


def ensure(emulator: Emulator) -> bool:
    """Register the emulator where nobody has; return whether it had to be.

    Raises EngineError: not root on Debian or Ubuntu, the package cannot be had, or the kernel lacks binfmt_misc.
    """
    if registered(emulator) is not None:
        return False
    way_out = "docker run --privileged --rm tonistiigi/binfmt --install all"
    if not packages.can_install():
        raise EngineError(f"no emulator for {emulator.platform} is registered", hint=way_out)
    packages.ensure_installed({emulator.program: "qemu-user-static"})
    register = _REGISTER / "register"
    if not register.exists():
        done = process.run("mount", "-t", "binfmt_misc", "binfmt_misc", _REGISTER)
        if not done.ok:
            raise EngineError(f"this kernel offers no binfmt_misc: {done.last_line}", hint=way_out)
    if registered(emulator) is not None:  # the package, or somebody before the mount, did it
        return True
    program = packages.which(emulator.program)
    if program is None:
        raise EngineError(f"{emulator.program} is not there", hint="apt-get install qemu-user-static")
    try:
        register.write_text(emulator.line(Path(program)), encoding="utf-8")
    except OSError as error:
        raise EngineError(f"the kernel refused {emulator.name}: {error.strerror}", hint=way_out) from error
    return True


def renewal(emulator: Emulator) -> str:
    """Return what takes an emulator out of the register and puts a good one there."""
    entry = _REGISTER / emulator.name
    out = f"echo -1 >{entry}" if packages.is_root() else f"echo -1 | sudo tee {entry}"
    return f"{out} && inv container-setup --emulation"


def complaint(image: str, emulator: Emulator) -> str | None:
    """Run a program of that platform from ``image``; return None when it ran, else what it said.

    A shell starts another program by name, which is what fails where argv[0] is not handed on: the request is
    refused (nobody listens there), and any other complaint means a broken emulation.
    """
    script = "wget -q -T 2 -O /dev/null http://127.0.0.1:1"
    # Ctrl-C ends docker's client alone: as first process of a container the shell would hang on it.
    options = ("--rm", "--sig-proxy=false", "--network", "none", "--platform", emulator.platform)
    done = process.run(
        *("docker", "run", *options, image),
        *("sh", "-c", f"{script} 2>&1; uname -m"),
        drop=frozenset({"DOCKER_CONTENT_TRUST"}),  # it has nothing to do with this image, and asks elsewhere
        timeout=120.0,
    )
    lines = done.stdout.splitlines()
    if done.ok and lines and "refused" in lines[0]:
        return None
    told = [line for line in done.stderr.splitlines() if line.startswith("docker: ")]
    return (lines or told or [done.last_line])[0]
