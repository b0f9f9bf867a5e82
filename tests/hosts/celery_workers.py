"""Workers of Celery on the hosts, and what they and the executor are told."""

from itertools import count
from typing import Any

import yaml

from tests.hosts.deployment import START_S, Deployment
from tests.hosts.network import Host
from tests.hosts.services import start_redis
from tests.polling import poll

_numbers = count(1)
LONGER_THAN_ANY_STEP_S = 3600


def celery_settings(broker: str, redelivered_after: int = LONGER_THAN_ANY_STEP_S) -> dict[str, Any]:
    """Returns the settings of the executor; the workers need the same.

    Args:
        broker: The URL of the broker, which keeps the results, too.
        redelivered_after: The seconds after which a step that a worker has begun, and never said
            more about, is given to another one.
    """
    return {
        "broker": broker,
        "backend": broker,
        "config_source": {
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "broker_transport_options": {"visibility_timeout": redelivered_after},
        },
    }


def start_workers(deployed: Deployment, *hosts: Host, **settings: int) -> None:
    """Starts a worker of one process on each host, and waits until they take work."""
    if deployed.broker is None:
        deployed.broker = start_redis(deployed.services, deployed.folder)
    told = celery_settings(deployed.broker, **settings)
    names = []
    for host in hosts:
        names.append(f"celery-{host.name}-{next(_numbers)}")
        config = deployed.folder / f"{names[-1]}.yaml"
        config.write_text(yaml.safe_dump({"execution": {"config": told}}))
        words = ("dagster-celery", "worker", "start", "-A", "dagster_celery.app", "-y", str(config))
        deployed.start(host, names[-1], *words, "-n", host.name, "--", "--concurrency=1")
    poll(lambda: all("ready." in deployed.log(name) for name in names), timeout=START_S)
