"""Expressions whose values stand under another root: `data.total` becomes `output.total`."""

from dagster_pgflow.expressions.tokens import tokens_of


def with_root(text: str, old: str, new: str) -> str:
    """Return an expression that begins its paths with another root.

    Keys and texts stay as they are, and so do comments.

    >>> with_root('data.data == "data" && data["x"] > 1', "data", "output")
    'output.data == "data" && output["x"] > 1'
    """
    written: list[str] = []
    before = ""
    for token in tokens_of(text):
        is_root = token.kind == "name" and token.text == old and before != "."
        written.append(new if is_root else token.text)
        before = before if token.kind == "blank" else token.text
    return "".join(written)
