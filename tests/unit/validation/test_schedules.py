import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.schedules import schedules_can_fire
from tests.unit.validation.problems import places, problems_found


@pytest.mark.parametrize("cron", ["0 2 * * *", "*/5 * * * *", "0 9-17 * * mon-fri", "0 0 1 1 *"])
def test_a_cron_string_of_five_fields_is_no_problem(cron: str) -> None:
    flow = Flow("f").schedule("s", cron, timezone="Europe/Berlin")
    assert problems_found(schedules_can_fire, flow) == []


@pytest.mark.parametrize(
    "cron", ["", "often", "@daily", "* * * *", "0 0 2 * * *", "61 * * * *", "* * * * * * *"]
)
def test_anything_else_is_a_problem(cron: str) -> None:
    assert problems_found(schedules_can_fire, Flow("f").schedule("s", cron)) == [
        (
            "invalid-cron",
            "schedules.s.cron",
            f'"{cron}" is not a cron string of five fields, such as "0 2 * * *".',
        )
    ]


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6 *", "0 0 30-31 2 ?"])
def test_a_date_that_there_is_not_is_a_problem(cron: str) -> None:
    found = problems_found(schedules_can_fire, Flow("f").schedule("s", cron))
    assert [code for code, _, _ in found] == ["cron-never-comes"]


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 31 2 mon", "0 0 31 2,3 *", "0 0 l * *"])
def test_a_date_that_comes_some_day_is_none(cron: str) -> None:
    assert problems_found(schedules_can_fire, Flow("f").schedule("s", cron)) == []


@pytest.mark.parametrize("cron", ["0 0 1W * *", "H * * * *", "R * * * *", "r(1-3) 0 * * *"])
def test_what_croniter_knows_and_dagster_does_not_is_a_problem(cron: str) -> None:
    assert places(schedules_can_fire, Flow("f").schedule("s", cron)) == [
        ("invalid-cron", "schedules.s.cron")
    ]


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_time_zone_that_does_not_exist_is_a_problem(timezone: str) -> None:
    flow = Flow("f").schedule("s", "0 2 * * *", timezone=timezone)
    assert places(schedules_can_fire, flow) == [("unknown-timezone", "schedules.s.timezone")]


def test_each_schedule_is_checked() -> None:
    flow = Flow("f").schedule("s", "x", timezone="y").schedule("t", "z")
    assert places(schedules_can_fire, flow) == [
        ("invalid-cron", "schedules.s.cron"),
        ("unknown-timezone", "schedules.s.timezone"),
        ("invalid-cron", "schedules.t.cron"),
    ]
