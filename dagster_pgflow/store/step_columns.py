"""A step as the parameters of `pgflow.add_step`."""

from typing import Any

from dagster_pgflow.json_values.text import write_json, write_json_or_null
from dagster_pgflow.model.step import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    Step,
    SubflowStep,
)


def step_columns(step: Step) -> dict[str, Any]:
    """Return the parameters of the query `add_step` for a step, without the flow's slug.

    Raises:
        ValueNotJson: The params, a pattern or a schema have no JSON form.
    """
    about = f'step "{step.slug}"'
    handled = step if isinstance(step, HandledStep) else None
    mapped = step if isinstance(step, MapStep) else None
    return {
        "step_slug": step.slug,
        "deps_slugs": list(step.depends_on),
        "max_attempts": step.options.max_attempts,
        "base_delay": step.options.base_delay,
        "timeout": step.options.timeout,
        "max_delay": step.options.max_delay,
        "jitter": step.options.jitter,
        "start_delay": step.options.start_delay,
        "step_type": step.type,
        "required_input_pattern": write_json_or_null(step.if_, f"The condition of {about}"),
        "forbidden_input_pattern": write_json_or_null(step.if_not, f"The condition of {about}"),
        "when_unmet": step.when_unmet,
        "when_exhausted": step.when_exhausted,
        "description": step.description,
        "handler": handled.handler if handled else None,
        "params": write_json(handled.params if handled else {}, f"The params of {about}"),
        "input_schema": write_json_or_null(
            handled.input_schema if handled else None, f"The input schema of {about}"
        ),
        "output_schema": write_json_or_null(
            handled.output_schema if handled else None, f"The output schema of {about}"
        ),
        "pool": handled.pool if handled else None,
        "batch_size": mapped.batch_size if mapped else None,
        "collect_errors": mapped is not None and mapped.collect_errors,
        "pipelined": mapped is not None and mapped.pipelined,
        "max_failures": mapped.max_failures if mapped else None,
        "max_failures_percent": mapped.max_failures_percent if mapped else None,
        **_subflow_columns(step),
        **_way_columns(step),
        "run_if": step.run_if,
        "run_unless": step.run_unless,
    }


def _subflow_columns(step: Step) -> dict[str, Any]:
    about = f'step "{step.slug}"'
    subflow = step if isinstance(step, SubflowStep) else None
    return {
        "subflow_slug": subflow.flow if subflow else None,
        "subflow_input": write_json_or_null(
            subflow.input if subflow else None, f"The input of {about}"
        ),
        "subflow_output": write_json_or_null(
            subflow.output if subflow else None, f"The output of {about}"
        ),
        "on_failure": subflow.on_failure if subflow else None,
        "over": subflow.over if subflow else None,
        "mode": subflow.mode if subflow else "inline",
    }


def _way_columns(step: Step) -> dict[str, Any]:
    branch = step if isinstance(step, BranchStep) else None
    loop = step if isinstance(step, LoopStep) else None
    rules = [rule.model_dump() for rule in branch.rules] if branch else None
    return {
        "rules": write_json_or_null(rules, f'The rules of step "{step.slug}"'),
        "default_path": list(branch.default_path) if branch else [],
        "wait": str(step.wait) if isinstance(step, JoinStep) else "all",
        "back_to": loop.back_to if loop else None,
        "condition": loop.condition if loop else None,
        "max_iterations": loop.max_iterations if loop else None,
        "break_path": list(loop.break_path) if loop else [],
        "timeout_path": list(loop.timeout_path) if loop else [],
    }
