"""A project as `create-dagster` makes it, with the component: scaffolded, loaded, run."""

import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object

from dagster_pgflow import FlowBuilder
from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests

DEFINITIONS = """\
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
PYPROJECT = """\
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
registry_modules = ["shop.components.*"]
"""
ASSETS = '''\
import dagster as dg

from dagster_pgflow import PgflowResource


@dg.asset
def greetings(pgflow: PgflowResource) -> dg.MaterializeResult:
    """Have a flow greet somebody."""
    run_id = pgflow.start("hello", {"name": "Ada"})
    return dg.MaterializeResult(metadata={"run_id": str(run_id)})
'''
TRANSLATOR = """\
from dagster_pgflow import PgflowTranslator


class OfShop(PgflowTranslator):
    def get_owners(self, flow):
        return ["team:shop"]
"""


class Project:
    """The folder of a project, and what Dagster makes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.defs = root / "src" / "shop" / "defs"
        self.component = self.defs / "flows"
        self.defs.mkdir(parents=True)
        (root / "pyproject.toml").write_text(PYPROJECT)
        for package in (self.defs, self.defs.parent):
            (package / "__init__.py").touch()
        (self.defs.parent / "definitions.py").write_text(DEFINITIONS)

    def set(self, **attributes: Any) -> None:
        """Writes attributes of the component."""
        file = self.component / "defs.yaml"
        document = yaml.safe_load(file.read_text())
        document["attributes"] |= attributes
        file.write_text(yaml.safe_dump(document))

    def load(self) -> dg.RepositoryDefinition:
        """Loads what the project defines, as a new process would."""
        forget_shop()
        definitions: dg.Definitions = import_module("shop.definitions").defs()
        return definitions.get_repository_def()


def forget_shop() -> None:
    invalidate_caches()
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.fixture
def project(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project in which the component was scaffolded, and whose flow is stored."""
    made = Project(tmp_path)
    scaffold_object(
        made.component, "dagster_pgflow.PgflowComponent", None, "yaml", made.root, append=False
    )
    flows = read_flow_file(made.component / "hello.yaml").flows
    FlowBuilder(database).define_flows(list(flows))
    monkeypatch.setenv("SHOP_DATABASE", database.address.dsn)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    made.set(database="{{ env.SHOP_DATABASE }}")
    yield made
    forget_shop()


def test_an_asset_of_a_project_starts_a_flow_of_its_component(
    project: Project, database: Database
) -> None:
    (project.defs / "greetings.py").write_text(ASSETS)
    (project.component / "looks.py").write_text(TRANSLATOR)
    project.set(translator=".looks.OfShop", executor="multiprocess", jobs="all")
    repository = project.load()
    assert {"flow_hello", "pgflow__start_flow"} <= {job.name for job in repository.get_all_jobs()}
    assert "pgflow_requests" in {sensor.name for sensor in repository.sensor_defs}
    job = repository.get_job("flow_hello")
    assert job.owners == ["team:shop"]
    assert job.executor_def.name == "multiprocess"
    shown = repository.get_top_level_resources()["pgflow"].config_schema
    assert database.address.dsn not in str(shown.default_value_as_json_str)

    with dg.DagsterInstance.ephemeral() as instance:
        made = repository.get_implicit_global_asset_job_def().execute_in_process(instance=instance)
        [greetings] = made.asset_materializations_for_node("greetings")
        [request] = Requests(database).pending(5)
        assert str(request.run_id) == greetings.metadata["run_id"].value
        tick = repository.get_sensor_def("pgflow_requests").evaluate_tick(
            dg.build_sensor_context(instance, repository_def=repository)
        )
        [asked] = tick.run_requests or []
        assert asked.job_name == "flow_hello"
        ran = job.execute_in_process(asked.run_config, instance=instance)
        assert ran.output_for_node("greet") == "Hello, Ada!"


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"database": "{{ env.NOWHERE_SET }}"}, "database is {{ env.NOWHERE_SET }}, and that is"),
        ({"handlers": [".absent"]}, 'handlers names the module ".absent", and importing'),
        ({"translator": ".handlers.Absent"}, 'translator is ".handlers.Absent", and module'),
        ({"translator": ".handlers.greet"}, "is none: give an object"),
        ({"executor": "fast"}, 'executor is "fast"; name something in a module'),
        ({"executor": ".handlers.greet"}, "and that is no executor of Dagster"),
    ],
)
def test_an_attribute_that_names_what_is_not_there_says_so(
    project: Project, attributes: dict[str, Any], sentence: str
) -> None:
    project.set(**attributes)
    assert sentence in told_by(project)


def told_by(project: Project) -> str:
    """Returns what we say of why a project does not load."""
    with pytest.raises(Exception, match=r".") as raised:
        project.load()
    causes: list[str] = []
    error: BaseException | None = raised.value
    while error is not None:
        if isinstance(error, ConfigurationError):
            causes.append(str(error))
        error = error.__cause__ or error.__context__
    assert causes, raised.value
    return " ".join(causes)


def test_a_second_component_is_refused_with_a_sentence_that_names_both(project: Project) -> None:
    more = project.defs / "more"
    scaffold_object(
        more, "dagster_pgflow.PgflowComponent", None, "yaml", project.root, append=False
    )
    document = yaml.safe_load((project.component / "defs.yaml").read_text())
    del document["attributes"]["resource_key"]
    document["attributes"] |= {"name": "more", "job_prefix": "more_"}
    (more / "defs.yaml").write_text(yaml.safe_dump(document))
    told = told_by(project)
    assert "Two bring flows into this code location, the component src/shop/defs/flows" in told
    assert " and the component src/shop/defs/more" in told
    (more / "defs.yaml").unlink()
    assert project.load().has_job("flow_hello")
