"""Certificates as an identity token gets one, and bundles that have them."""

import base64
import json
import subprocess


def certificate(*names: str) -> bytes:
    """Return a certificate for some names, each as OpenSSL takes it: ``email:me@ours.test``."""
    words = (
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-subj",
        "/CN=x",
        "-outform",
        "DER",
        "-keyout",
        "/dev/null",
    )
    also = ("-addext", f"subjectAltName=critical,{','.join(names)}")
    return subprocess.run(["openssl", *words, *also], check=True, capture_output=True).stdout


def bundle(certificate: bytes) -> str:
    """Return a bundle with all that is read of one."""
    told = {"rawBytes": base64.b64encode(certificate).decode()}
    return json.dumps({"verificationMaterial": {"certificate": told}})
