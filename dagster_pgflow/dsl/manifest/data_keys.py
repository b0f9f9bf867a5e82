"""Which key of the data map a keyword is.

A keyword is the key of its name, with the part before the slash: `:user/name` is the key
`user/name`. Only what the system itself writes into the map has another name here: its namespace is
not ours, and handlers in Python read these keys too.
"""

from typing import Final

_NAMESPACE: Final = "mycelium/"
_OTHER_NAMES: Final = {"child-trace": "child_trace"}


def data_key(name: str) -> str:
    """Return the key that a keyword stands for.

    Args:
        name: The keyword without its colon.

    >>> data_key("auth-token"), data_key("mycelium/error"), data_key("mycelium/child-trace")
    ('auth-token', 'error', 'child_trace')
    """
    if not name.startswith(_NAMESPACE):
        return name
    plain = name.removeprefix(_NAMESPACE)
    return _OTHER_NAMES.get(plain, plain)
