"""The assets that flows produce, as definitions: so they stand in Dagster's catalog and lineage.

They are specs without anything that executes: a flow's job materializes them, and Dagster hears of
that from its ops. Only a key that is the same in every run has a spec, and a row of a definition
must not keep a code location from loading. So what Dagster would refuse is left out, and told.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.expressions.asset_keys import static_key
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.steps import AssetStep, BranchStep, LoopStep, MapStep, SingleStep

_log = logging.getLogger(__name__)

MOST_KINDS: Final = 3
"""How many Dagster 1.13 lets an asset have."""

Producing = SingleStep | MapStep | BranchStep | LoopStep
"""The steps that may say which assets they produce."""

Upstream = Mapping[dg.AssetKey, frozenset[dg.AssetKey]]
"""Assets, and those that each of them is made from."""


@dataclass
class _Produced:
    """An asset that steps produce.

    Attributes:
        by: The steps, each with its flow.
        deps: What it is made from.
    """

    by: list[tuple[Flow, Producing]] = field(default_factory=list)
    deps: dict[dg.AssetKey, None] = field(default_factory=dict)


def asset_specs(
    flows: Iterable[Flow], translator: CheckedTranslator, others: Upstream
) -> list[dg.AssetSpec]:
    """Return the spec of each asset that flows produce under a key that is the same in every run.

    Args:
        flows: The flows.
        translator: How they show.
        others: The assets that the code location defines otherwise.
    """
    found: dict[dg.AssetKey, _Produced] = {}
    for flow in flows:
        try:
            _note(flow, translator, found)
        except Exception as error:  # noqa: BLE001  a definition must not harm others, whatever it is
            told = error.problems[0].message if isinstance(error, InvalidFlow) else repr(error)
            _log.warning('The assets of flow "%s" are left out of the catalog: %s', flow.slug, told)
    for key in found.keys() & others.keys():
        flow, step = found.pop(key).by[0]
        _log.warning(
            'Step "%s" of flow "%s" produces the asset "%s", which this code location defines'
            " itself: its runs materialize that one, and its lineage is as it is defined.",
            step.slug,
            flow.slug,
            key.to_user_string(),
        )
    upstream = {key: set(deps) for key, deps in others.items()}
    specs = (_spec(key, found[key], translator, upstream) for key in sorted(found))
    return [spec for spec in specs if spec is not None]


def _note(flow: Flow, translator: CheckedTranslator, found: dict[dg.AssetKey, _Produced]) -> None:
    # All of a flow or nothing: what fails half way must leave nothing behind.
    made: list[tuple[dg.AssetKey, Producing, list[dg.AssetKey]]] = []
    for step in flow.steps:
        if isinstance(step, AssetStep) and step.produces:
            deps = list(_made_from(flow, step, translator))
            made += [(key, step, deps) for key in _keys(flow, step, step.produces, translator)]
    for key, step, deps in made:
        produced = found.setdefault(key, _Produced())
        produced.by.append((flow, step))
        produced.deps |= dict.fromkeys(deps)


def _made_from(flow: Flow, step: Producing, translator: CheckedTranslator) -> Iterator[dg.AssetKey]:
    """Yield what a step works from: what it consumes, and what comes from the steps before it.

    A step before that produces something stands for all that is before it.
    """
    yield from _keys(flow, step, step.consumes, translator)
    steps, before = by_slug(flow), known_deps(flow)
    seen: set[str] = set()
    waiting = list(before[step.slug])
    while waiting:
        slug = waiting.pop(0)
        if slug in seen:
            continue
        seen.add(slug)
        dep = steps[slug]
        produced = []
        if isinstance(dep, AssetStep):
            produced = list(_keys(flow, dep, dep.produces, translator))
            yield from produced or _keys(flow, dep, dep.consumes, translator)
        if not produced:
            waiting += before[slug]


def _keys(
    flow: Flow, step: Producing, templates: Iterable[str], translator: CheckedTranslator
) -> Iterator[dg.AssetKey]:
    for template in templates:
        key = static_key(template)
        if key is not None:
            yield translator.asset_key(flow, step, key)


def _spec(
    key: dg.AssetKey,
    produced: _Produced,
    translator: CheckedTranslator,
    upstream: dict[dg.AssetKey, set[dg.AssetKey]],
) -> dg.AssetSpec | None:
    """Return a spec, and note in `upstream` what it is made from."""
    deps = []
    for dep in produced.deps:
        if _leads_to(dep, key, upstream):
            _log.warning(
                'The asset "%s" is made from "%s", which is made from it: that does not show in'
                " lineage, which has no circles.",
                key.to_user_string(),
                dep.to_user_string(),
            )
        else:
            deps.append(dep)
            upstream.setdefault(key, set()).add(dep)
    try:
        return dg.AssetSpec(key, deps=deps, **_shown(produced, translator))
    except Exception as error:  # noqa: BLE001  one asset must not harm others, whatever it is
        flow, step = produced.by[0]
        _log.warning(
            'The asset "%s", which step "%s" of flow "%s" produces, is left out of the catalog: %s',
            key.to_user_string(),
            step.slug,
            flow.slug,
            str(error).partition("\n")[0],
        )
        return None


def _shown(produced: _Produced, translator: CheckedTranslator) -> dict[str, Any]:
    flow, step = produced.by[0]
    told = [f"Step `{step.slug}` of flow `{flow.slug}` produces it." for flow, step in produced.by]
    described = [step.description for _, step in produced.by if step.description]
    owners = [owner for one, _ in produced.by for owner in translator.owners(one)]
    return {
        "description": "\n\n".join([*described, *told]),
        "group_name": translator.group_name(flow),
        "owners": list(dict.fromkeys(owners)),
        "kinds": set(translator.kinds(flow, step)[:MOST_KINDS]),
        "metadata": {"pgflow/flow": flow.slug, "pgflow/step": step.slug},
    }


def _leads_to(
    begin: dg.AssetKey, end: dg.AssetKey, upstream: Mapping[dg.AssetKey, set[dg.AssetKey]]
) -> bool:
    """Return whether an asset is made from another one, or is that one."""
    seen: set[dg.AssetKey] = set()
    waiting = [begin]
    while waiting:
        key = waiting.pop()
        if key == end:
            return True
        if key not in seen:
            seen.add(key)
            waiting += upstream.get(key, ())
    return False
