"""The params of http steps, before anything runs."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.node_types import node_types_are_known_and_configured
from tests.unit.validation.problems import problems_found

HTTP = {"url": "https://example.org/a"}


def found(params: dict[str, Any]) -> list[tuple[str, str, str]]:
    flow = Flow("f").step("a").step("s", depends_on="a", handler="pgflow.http", params=params)
    return problems_found(node_types_are_known_and_configured, flow)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            {},
            ("missing-param", "url", 'pgflow.http needs "url"; add it to the params.'),
        ),
        (
            {**HTTP, "mehtod": "$input.x"},
            (
                "unknown-param",
                "mehtod",
                'pgflow.http takes no param "mehtod"; "method" may be meant.',
            ),
        ),
        (
            {**HTTP, "method": "FETCH"},
            (
                "wrong-param",
                "method",
                (
                    "Input should be 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH' or 'DELETE';"
                    " got 'FETCH'."
                ),
            ),
        ),
        (
            {"url": "example.org"},
            (
                "wrong-param",
                "url",
                "It must be an address that begins with https:// or http://; got 'example.org'.",
            ),
        ),
        (
            {"url": "https://me:pw@example.org"},
            (
                "wrong-param",
                "url",
                (
                    "It must hold no user and password; put them into a header, as secrets; got"
                    " 'https://me:pw@example.org'."
                ),
            ),
        ),
        (
            {**HTTP, "allow_hosts": ["https://a.org"]},
            (
                "wrong-param",
                "allow_hosts",
                (
                    "Each must be the name of a host, with * for any part, such as *.example.org;"
                    " got ['https://a.org']."
                ),
            ),
        ),
        (
            {**HTTP, "allow_hosts": ["${$input.host}"]},
            (
                "wrong-param",
                "allow_hosts",
                (
                    "Each must be the name of a host, with * for any part, such as *.example.org;"
                    " got ['${$input.host}']."
                ),
            ),
        ),
        (
            {**HTTP, "allow_private": "$input.inside"},
            (
                "wrong-param",
                "allow_private",
                "Input should be a valid boolean, unable to interpret input; got '$input.inside'.",
            ),
        ),
        (
            {**HTTP, "max_response_bytes": 10**9},
            (
                "wrong-param",
                "max_response_bytes",
                "Input should be less than or equal to 104857600; got 1000000000.",
            ),
        ),
        (
            {**HTTP, "headers": {"Host": "x"}},
            (
                "wrong-param",
                "headers",
                (
                    'The header "Host" cannot be set; it follows from the request; got'
                    " {'Host': 'x'}."
                ),
            ),
        ),
        (
            {**HTTP, "headers": {"X": 5}},
            ("wrong-param", "headers.X", "Input should be a valid string; got 5."),
        ),
        (
            {**HTTP, "expected_status": [200, "2x"]},
            (
                "wrong-param",
                "expected_status",
                (
                    'It must be a status such as 201, a class such as "2xx", or a list; got'
                    " [200, '2x']."
                ),
            ),
        ),
        (
            {**HTTP, "timeout": 61},
            (
                "timeout-too-long",
                "timeout",
                (
                    "The request may take 61 s, but an attempt of the step only 60 s; lower this"
                    " one, or raise the timeout of the step."
                ),
            ),
        ),
    ],
)
def test_each_problem_is_one_sentence_with_its_place(
    params: dict[str, Any], problem: tuple[str, str, str]
) -> None:
    code, place, message = problem
    assert found(params) == [(code, f"steps.s.params.{place}", message)]


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("$nodes.a.url", "$nodes.a.url"),
        ("https://${$input.host}/x", "$input.host"),
        ("https://a.org${$input.x}", "$input.x"),
        ("${$input.base}/a", "$input.base"),
    ],
)
def test_data_does_not_say_which_host_a_step_asks(url: str, reference: str) -> None:
    message = (
        f"{reference} would say which host the step goes to; write the host into the url, or list"
        ' in allow_hosts where it may lead, such as ["api.example.org"].'
    )
    assert found({"url": url}) == [("host-from-data", "steps.s.params.url", message)]
