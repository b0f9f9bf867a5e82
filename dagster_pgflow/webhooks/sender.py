"""Sends what webhooks are to be told, some at a time, each with a deadline.

A delivery that failed, whatever the reason, is sent again later: secrets, names and services are
set right by people. What the service says besides its status is not read.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final, NamedTuple

import httpx

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.runtime.node_types.addresses import targets_of
from dagster_pgflow.runtime.node_types.call import HttpCall
from dagster_pgflow.runtime.node_types.exchange import head_of_answer
from dagster_pgflow.runtime.secrets import VARIABLE_PREFIX
from dagster_pgflow.step_errors import StepError
from dagster_pgflow.store.deliveries import Deliveries, Delivery
from dagster_pgflow.version import __version__
from dagster_pgflow.webhooks.signing import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signature_of,
)

AT_ONCE: Final = 8
TIMEOUT_S: Final = 5.0
"""How long one service may take; a claim lasts for a minute, so nobody else sends it meanwhile."""

_log = logging.getLogger(__name__)


class SendOutcome(NamedTuple):
    """What came of an attempt: the HTTP status, if there was one, and why it failed, if it did."""

    answer: int | None
    error_message: str | None


class Sender:
    """Sends deliveries.

    Args:
        deliveries: What is to be sent.
        clock: The time of day, for the signature.
    """

    def __init__(self, deliveries: Deliveries, clock: Callable[[], float] = time.time) -> None:
        self._deliveries = deliveries
        self._clock = clock

    def send_due(self, budget_s: float) -> int:
        """Send what is due, until there is no more or the time is up; return how many.

        A batch that has begun may take `TIMEOUT_S` more. A store that is away is no error here:
        whoever calls this comes again.

        Args:
            budget_s: Seconds after which no other batch is begun.
        """
        deadline, sent = time.monotonic() + budget_s, 0
        try:
            while time.monotonic() < deadline:
                claimed = self._deliveries.claim(AT_ONCE)
                if not claimed:
                    break
                self._send_at_once(claimed)
                sent += len(claimed)
        except PgflowError as error:
            _log.info("Webhooks wait. %s", error)
        return sent

    def _send_at_once(self, claimed: Sequence[Delivery]) -> None:
        with ThreadPoolExecutor(len(claimed), "pgflow-webhook") as pool:
            sent = {pool.submit(self._send, delivery): delivery for delivery in claimed}
            for future in as_completed(sent):
                self._deliveries.note(sent[future], *future.result())

    def _send(self, delivery: Delivery) -> SendOutcome:
        """Send one; whatever is wrong with it is its own trouble."""
        try:
            return self._outcome(delivery)
        except StepError as error:
            return SendOutcome(None, str(error))
        except Exception as error:  # noqa: BLE001  one that cannot be sent must not stop the others
            return SendOutcome(None, f"It cannot be sent: {type(error).__name__}.")

    def _outcome(self, delivery: Delivery) -> SendOutcome:
        variable = f"{VARIABLE_PREFIX}{delivery.secret_name}"
        secret = os.environ.get(variable)
        if not secret:
            sentence = (
                f'There is no secret "{delivery.secret_name}" here; set {variable} where the'
                " sensors of the code location and its live workers run."
            )
            return SendOutcome(None, sentence)
        call = self._call(delivery, secret)
        targets = targets_of(
            call, allow_private=delivery.allow_private, allow_hosts=(), who="webhook"
        )
        status = head_of_answer(call, targets).status
        if 200 <= status < 300:
            return SendOutcome(status, None)
        redirect = "; redirects are not followed" if 300 <= status < 400 else ""
        return SendOutcome(status, f"{call.shown} answered {status}{redirect}.")

    def _call(self, delivery: Delivery, secret: str) -> HttpCall:
        url, body = httpx.URL(delivery.url), delivery.body.encode()
        timestamp = str(int(self._clock()))
        headers = {
            "accept": "*/*",
            "content-type": "application/json",
            "user-agent": f"dagster-pgflow/{__version__}",
            ID_HEADER: str(delivery.delivery_id),
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature_of(secret, timestamp, body),
        }
        shown = str(url.copy_with(query=None, fragment=None))
        deadline = time.monotonic() + TIMEOUT_S
        return HttpCall("POST", url, shown, headers, body, deadline, discreet=False)
