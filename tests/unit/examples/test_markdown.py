"""What the Markdown example counts."""

import pytest

from dagster_pgflow.examples.markdown import measure

TEXT = """\
---
title: Not prose
---
Title
=====

Three words here, `code` too.

```python
# no heading
[no link](nowhere.md)
```

## Second [link](guide%20one.md#part "A title") ##

~~~
```
~~~

![image](<a b.png>) and [web](https://example.org/x.md), [mail](mailto:a@b.c), [top](#title).

[ref]: ../up.md

`[code](span.md)` and [brackets](file_(1).md)
"""


def test_headings_are_counted_in_both_styles_and_not_in_code() -> None:
    assert measure(TEXT).headings == 2


def test_fenced_blocks_are_counted_once_each() -> None:
    assert measure(TEXT).code_blocks == 2


def test_words_are_those_outside_of_code_blocks() -> None:
    assert measure("One two.\n\n```\nthree four\n```\n").words == 2


def test_links_to_files_are_found_with_their_lines() -> None:
    found = [(link.line, link.path) for link in measure(TEXT).links]
    assert found == [
        (14, "guide one.md"),
        (20, "a b.png"),
        (22, "../up.md"),
        (24, "file_(1).md"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "---\n", "```\n", "`````", "[](", "[a]()"])
def test_odd_texts_have_no_links(text: str) -> None:
    assert measure(text).links == ()


def test_a_fence_that_is_not_closed_reaches_to_the_end() -> None:
    measures = measure("```\n# a\n# b\n")
    assert (measures.code_blocks, measures.headings) == (1, 0)
