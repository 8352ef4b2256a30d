"""Who the certificates of signatures name: a hint at whom to ask cosign for, which alone says who has signed."""

import base64
import json
from collections.abc import Iterator


def named(bundles: str) -> Iterator[str]:
    """Yield the identities that the certificates of bundles name, a bundle a line; nothing for what is none."""
    for line in bundles.splitlines():
        try:
            certificate = json.loads(line)["verificationMaterial"]["certificate"]["rawBytes"]
            yield from _identities(base64.b64decode(certificate))
        except (ValueError, KeyError, TypeError, RecursionError):  # a key's, or damaged
            continue


def _identities(certificate: bytes) -> list[str]:
    """Return the addresses and URIs that a certificate is for. Raises ValueError for what is none."""
    from cryptography import x509

    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError("it names nobody") from error
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier)
    return [str(name.value) for name in names if isinstance(name, kinds)]
