"""How what is sent to a webhook says that it comes from us."""

import hashlib
import hmac
from typing import Final

ID_HEADER: Final = "pgflow-delivery"
TIMESTAMP_HEADER: Final = "pgflow-timestamp"
SIGNATURE_HEADER: Final = "pgflow-signature"


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body that is sent at some time.

    Args:
        secret: What both sides know.
        timestamp: Seconds since 1970, as the header has it.
        body: What is sent.

    >>> signature_of("s", "0", b"{}")
    'v1=e79b1f685c78e46b2e3f94b5fbf00964e3e3d5ed4d1e270dcf671ac4cd2233fa'
    """
    signed = timestamp.encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
