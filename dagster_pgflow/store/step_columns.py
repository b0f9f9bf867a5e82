"""A step as the parameters of `pgflow.add_step`."""

from typing import Any

from dagster_pgflow.model.step import HandledStep, MapStep, Step, SubflowStep
from dagster_pgflow.store.json_text import to_json_text, to_json_text_or_null


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
        "required_input_pattern": to_json_text_or_null(step.if_, f"The condition of {about}"),
        "forbidden_input_pattern": to_json_text_or_null(step.if_not, f"The condition of {about}"),
        "when_unmet": step.when_unmet,
        "when_exhausted": step.when_exhausted,
        "description": step.description,
        "handler": handled.handler if handled else None,
        "params": to_json_text(handled.params if handled else {}, f"The params of {about}"),
        "input_schema": to_json_text_or_null(
            handled.input_schema if handled else None, f"The input schema of {about}"
        ),
        "output_schema": to_json_text_or_null(
            handled.output_schema if handled else None, f"The output schema of {about}"
        ),
        "batch_size": mapped.batch_size if mapped else None,
        "collect_errors": mapped is not None and mapped.collect_errors,
        "pipelined": mapped is not None and mapped.pipelined,
        **_subflow_columns(step),
        "run_if": step.run_if,
        "run_unless": step.run_unless,
    }


def _subflow_columns(step: Step) -> dict[str, Any]:
    about = f'step "{step.slug}"'
    subflow = step if isinstance(step, SubflowStep) else None
    return {
        "subflow_slug": subflow.flow if subflow else None,
        "subflow_input": to_json_text_or_null(
            subflow.input if subflow else None, f"The input of {about}"
        ),
        "subflow_output": to_json_text_or_null(
            subflow.output if subflow else None, f"The output of {about}"
        ),
        "on_failure": subflow.on_failure if subflow else None,
        "over": subflow.over if subflow else None,
        "mode": subflow.mode if subflow else "inline",
    }
