"""Cut what a program writes into lines that can be shown."""

import codecs
from collections.abc import Iterable, Iterator

LONGEST = 65536  # letters: what is longer comes in pieces, so that memory stays bounded


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a stream that is cut anywhere, the last one even without its end.

    What is not UTF-8 becomes replacement characters; of a line that a program has written over
    with carriage returns, the last state is kept.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from map(_last_state, whole)
        if len(rest) > LONGEST:
            yield _last_state(rest)
            rest = ""
    rest += decoder.decode(b"", final=True)
    if rest:
        yield _last_state(rest)


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
