"""Names of fields that say that what stands in them is nobody's business, such as `api_key`.

What a definition names as a secret never reaches a value. This is for what comes from outside:
an input with a password in it is data to us, and no log shall have it.
"""

import re
from itertools import pairwise
from typing import Any, Final

_WORDS: Final = frozenset(
    {
        "accesskey",
        "apikey",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "cvc",
        "cvv",
        "jwt",
        "otp",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "privatekey",
        "pwd",
        "secret",
        "secretkey",
        "secrets",
    }
)
_PAIRS: Final = frozenset(
    {
        "access key",
        "api key",
        "card number",
        "encryption key",
        "private key",
        "security code",
        "session id",
        "signing key",
    }
)
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def keeps_secret(name: str, value: Any) -> bool:
    """Return whether a value is not to be shown to people, going by its name.

    That there is none, and what is only true or false, tells no secret. A number called a token is
    one of those that language models count.

    Args:
        name: The name of the field, or the path to it.
        value: What stands there.

    >>> [keeps_secret(name, "x") for name in ("apiKey", "input.user.password", "token", "total")]
    [True, True, True, False]
    """
    if value is None or isinstance(value, bool):
        return False
    words = [word.lower() for word in _PARTS.findall(name)]
    if "token" in words and not isinstance(value, int | float):
        return True
    pairs = (" ".join(pair) for pair in pairwise(words))
    return not (_WORDS.isdisjoint(words) and _PAIRS.isdisjoint(pairs))
