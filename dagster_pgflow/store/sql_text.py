"""Splits SQL text into statements, so that a problem can be reported with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dagster_pgflow.errors import Problem

_TOKEN = re.compile(
    r"""
      --[^\n]*
    | (?P<block>/\*)
    | [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z)
    | "(?:[^"]|"")*(?:"|\Z)
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<sign>[^\s])
    """,
    re.DOTALL | re.VERBOSE,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_TRANSACTION_WORDS = frozenset({"abort", "begin", "commit", "end", "rollback"})
_TRANSACTION_PAIRS = frozenset({"start transaction", "prepare transaction"})


@dataclass(frozen=True)
class Statement:
    """One statement of a script.

    Attributes:
        line: The line that it begins on, from 1.
        text: The statement without its semicolon.
        words: Its first two words in lower case.
    """

    line: int
    text: str
    words: str


def split_statements(sql: str) -> Iterator[Statement]:
    """Yield the statements of an SQL text; semicolons in quotes, bodies and comments stay.

    >>> [s.text for s in split_statements("select ';'; select 2 -- end;")]
    ["select ';'", 'select 2 -- end;']
    """
    start: int | None = None
    words: list[str] = []
    depth = position = 0
    while match := _TOKEN.search(sql, position):
        position = match.end()
        if match["block"]:
            position = _end_of_block_comment(sql, position)
            continue
        if match[0].startswith("--"):
            continue
        word, sign = (match["word"] or "").lower(), match["sign"]
        depth += _depth_change(word, sign, words)
        if sign == ";" and depth <= 0:
            if start is not None:
                yield _statement(sql, start, match.start(), words)
            start, words, depth = None, [], 0
            continue
        start = match.start() if start is None else start
        words += [word] if word else []
    if start is not None:
        yield _statement(sql, start, len(sql), words)


def refusal(statement: Statement) -> Problem | None:
    """Return why a statement has no place in a script that is one transaction."""
    place = f"line {statement.line}"
    if statement.text.startswith("\\"):
        command = statement.text.split()[0]
        message = f"{command} is a command of psql, not SQL; remove it or run the file with psql."
        return Problem("psql-command", place, message)
    first = statement.words.split(" ")[0]
    if first in _TRANSACTION_WORDS or statement.words in _TRANSACTION_PAIRS:
        message = f'The whole file is one transaction already; remove "{first}".'
        return Problem("transaction-command", place, message)
    return None


def _statement(sql: str, start: int, end: int, words: list[str]) -> Statement:
    text = sql[start:end].rstrip()
    return Statement(sql.count("\n", 0, start) + 1, text, " ".join(words[:2]))


def _end_of_block_comment(sql: str, position: int) -> int:
    """Return where a comment ends; comments can hold comments."""
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(sql, position)):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return len(sql) if depth else position


def _depth_change(word: str, sign: str | None, before: list[str]) -> int:
    """Return how much deeper a token leads, into brackets or the body of a SQL function."""
    if sign is not None:
        return {"(": 1, ")": -1}.get(sign, 0)
    is_function = before[:1] == ["create"] and {"function", "procedure"} & set(before[1:4])
    if not is_function:
        return 0
    in_body = "atomic" in before
    if word == "atomic" and before[-1:] == ["begin"]:
        return 1
    return {"case": 1, "end": -1}.get(word, 0) if in_body else 0
