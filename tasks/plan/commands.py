"""What can be typed as it stands: whether a text is a command, and how names stand in one."""

import shlex

WORDS = frozenset(
    {
        "${EDITOR:-vi}",
        *("inv", "docker", "git", "cosign", "openssl"),
        *("unset", "export", "read", "echo", "printf", "cd", "newgrp"),
        *("mv", "rm", "mkdir", "ln", "ls", "df", "du", "tail", "chown", "chmod", "tee", "mount", "umount"),
        *("groupadd", "usermod", "chgrp"),
        *("systemctl", "timedatectl", "sntp", "date", "open", "curl", "sh", "ip", "pgrep"),
        *("apt-get", "dnf", "brew", "xcode-select"),
    }
)
"""The programs that a person is told to start, and the shell's own words."""
_OPERATORS = frozenset({";", "&&", "||", "|", "&"})
# What stands in a sentence, and in no command of ours.
_PROSE = frozenset(
    {
        *("or", "and", "then", "if", "where", "with", "the", "a", "it", "them", "is", "for", "until", "again"),
        *("shows", "brings", "starts", "looks", "ends", "lists", "frees", "mends", "has", "makes"),
    }
)


def is_command(text: str) -> bool:
    """Whether a person can type it as it stands: known programs with their words, and no sentence."""
    try:
        reader = shlex.shlex(text, posix=True, punctuation_chars=";&|")
        reader.whitespace_split, reader.commenters = True, ""
        words = list(reader)
    except ValueError:  # a quote that is never closed
        return False
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _OPERATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    return all(_is_one(one) for one in commands)


def _is_one(words: list[str]) -> bool:
    if words[:1] == ["sudo"]:
        words = words[1:]
    if not words or words[0] not in WORDS:
        return False
    return not any(word in _PROSE or word.endswith((",", ":")) or word.startswith("(") for word in words)


def quoted(path: object) -> str:
    """Return a path as a shell takes it; a ``~`` at its beginning stays one."""
    text = str(path)
    return f"~/{shlex.quote(text[2:])}" if text.startswith("~/") else shlex.quote(text)


def edit(path: object, line: int | None = None) -> str:
    """Return what opens a file in a person's own editor, at a line where one is known."""
    return "${EDITOR:-vi} " + (f"+{line} " if line else "") + quoted(path)


def tail(log: object) -> str:
    """Return what shows the last words of a log."""
    return f"tail -n 40 {quoted(log)}"
