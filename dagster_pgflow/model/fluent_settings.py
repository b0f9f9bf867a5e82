"""The keyword arguments that the methods of flows share which add steps."""

from collections.abc import Sequence

from dagster_pgflow.model.steps.assets import AssetFields
from dagster_pgflow.model.steps.data_map import DataMapFields, MergingFields
from dagster_pgflow.model.steps.fields import CommonFields
from dagster_pgflow.model.steps.guarded import GuardFields
from dagster_pgflow.model.steps.hooked import HookFields


class StepSettings(CommonFields, total=False):
    """The keyword arguments that every kind of step takes in the fluent interface."""

    depends_on: Sequence[str] | str


class MergingSettings(StepSettings, MergingFields, total=False):
    """The keyword arguments besides that steps take which can receive one object."""


class DataMapSettings(StepSettings, DataMapFields, total=False):
    """The keyword arguments besides that steps take which can hand it on, too."""


class MapSettings(StepSettings, GuardFields, AssetFields, HookFields, total=False):
    """The keyword arguments besides that map steps take."""


class WorkSettings(DataMapSettings, GuardFields, AssetFields, HookFields, total=False):
    """The keyword arguments besides that other steps with a handler take."""
