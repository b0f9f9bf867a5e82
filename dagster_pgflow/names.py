"""Names: what a slug is, how it becomes a Dagster name, and the keys of our tags and metadata.

In a code location, names are shared with jobs, ops and assets that are not ours. Dagster refuses a
location in which two ops or graphs have one name, and an asset is an op. So those of ours have a
prefix that nobody sees but in the details of an op. The names of jobs and schedules people use:
they have a prefix where the code location asks for one.

Dagster names are `[A-Za-z0-9_]+`, no Python keyword and none of Dagster's own words. A slug that
is one of those gets a trailing underscore; so does every slug that already looks like such a
mangled one, which keeps the mapping one to one. The true slug is always in a tag.
"""

import keyword
import re
import unicodedata
from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid5

SLUG_RULE: Final = (
    "a slug is 1 to 128 letters, digits or underscores, does not start with a digit "
    'and is not the reserved word "run"'
)
_SLUG: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}")
_LONGEST: Final = 128

# What the tags begin with that we give to jobs, runs and ops, and no flow may.
OWN_TAGS: Final = "dagster-pgflow/"
# The same for what people need not see, of which Dagster's web UI shows nothing.
HIDDEN_TAGS: Final = ".dagster/pgflow_"
# What the tags of flows begin with, where they are tags of Dagster's.
USER_TAGS: Final = "pgflow/"
# What the names of Dagster's pools begin with that steps may name.
_POOLS: Final = "pgflow/"

TAG_FLOW: Final = "dagster-pgflow/flow"
TAG_STEP: Final = "dagster-pgflow/step"
TAG_HELPER: Final = "dagster-pgflow/helper"
TAG_TERMINAL: Final = "dagster-pgflow/terminal"
TAG_VERSION: Final = "dagster-pgflow/version"
TAG_WATERMARK: Final = f"{HIDDEN_TAGS}watermark"
TAG_RUN_ID: Final = "dagster-pgflow/run_id"
TAG_STORE: Final = f"{HIDDEN_TAGS}store"
TAG_SCHEDULE: Final = "dagster-pgflow/schedule"
# On a run that a trigger started: its name.
TAG_TRIGGER: Final = "dagster-pgflow/trigger"
# On a run that a subflow step started. Dagster's own parent_run_id and root_run_id would say that
# it is a re-execution.
TAG_PARENT_RUN: Final = f"{HIDDEN_TAGS}parent_run_id"
TAG_TOP_RUN: Final = "dagster-pgflow/top_run_id"
TAG_PARENT_STEP: Final = f"{HIDDEN_TAGS}parent_step"
TAG_LABEL: Final = "dagster-pgflow/label"
# On a run that is one iteration of a loop: the loop.
TAG_LOOP: Final = f"{HIDDEN_TAGS}loop"
# Its own id: a run that somebody starts from the page of this one has its tags, but not its id.
TAG_CHILD_RUN: Final = f"{HIDDEN_TAGS}child_run_id"

# On a Dagster run that goes on with a run which waited: its number, from 1. A run that somebody
# starts from its page has its tags, but not the id that follows from them.
TAG_CONTINUATION: Final = f"{HIDDEN_TAGS}continuation"
# On a Dagster run in which a step waited: which one, until the run goes on.
TAG_WAITING: Final = "dagster-pgflow/waiting"
# How often a run of the job goes on by itself whose process was lost; without it, never.
TAG_MAX_RECOVERIES: Final = f"{HIDDEN_TAGS}max_recoveries"

# Its own id, on a run that goes the ordinary way although a live worker may still come upon it.
TAG_ORDINARY: Final = f"{HIDDEN_TAGS}ordinary_run_id"

# Under which the processes of a run find the watermark that it is pinned to.
LOAD_DATA_KEY: Final = "dagster-pgflow/catalog"

# Dagster's own, which its queue reads: a whole number, and the highest goes first.
TAG_PRIORITY: Final = "dagster/priority"
TAG_RUN_KEY: Final = "dagster/run_key"

# In run config, in place of an input that is too large for it: the request that has it.
REQUESTED_INPUT_KEY: Final = "dagster-pgflow/input"

# What an op reports, in the metadata of its events; the word is that of the first version.
REPORT_KEY: Final = "dagster-pgflow/outcome"
PATH_KEY: Final = "dagster-pgflow/path"
ASSET_FACTS: Final = "pgflow/"
"""What the names begin with of the metadata that each materialization of ours has."""
SKIPPED_KEY: Final = "dagster-pgflow/skipped"
WAITING_KEY: Final = "dagster-pgflow/waiting"
BATCH_KEY: Final = "dagster-pgflow/batch"
ITERATION_KEY: Final = "dagster-pgflow/iteration"
ITERATION_END_KEY: Final = "dagster-pgflow/iteration_end"
# Among the params of a step from a fragment: what its handler calls its dependencies, by slug.
NAMES_KEY: Final = "dagster-pgflow/names"

PGFLOW_KEY: Final = "pgflow"
# What the names of the built-in node types begin with; no other handler's name does.
NODE_TYPE_PREFIX: Final = "pgflow."
IO_MANAGER_KEY: Final = "pgflow_io_manager"

FLOW_INPUT: Final = "flow_input"
BATCH_INPUT: Final = "batch"
COLLECTED_INPUT: Final = "batches"
ITEMS_INPUT: Final = "sent_items"
ITERATIONS_INPUT: Final = "iterations"
# No part of what a subflow returned has a name without two underscores.
KEPT_INPUT: Final = "kept_input"
RESULT_OUTPUT: Final = "result"
KEPT_OUTPUT: Final = "received"
AGAIN_OUTPUT: Final = "again"
DONE_OUTPUT: Final = "done"
# What a batch of a map step that failed had finished; no op has an output of this name.
FINISHED_OUTPUT: Final = "finished_elements"

FAN_OUT_SUFFIX: Final = "__fan_out"
COLLECT_SUFFIX: Final = "__collect"
INPUT_SUFFIX: Final = "__input"
OUTPUT_SUFFIX: Final = "__output"
HELPER_SUFFIXES: Final = (FAN_OUT_SUFFIX, COLLECT_SUFFIX, INPUT_SUFFIX, OUTPUT_SUFFIX)

# What the names of op and graph definitions begin with.
_DEFINITIONS: Final = "pgflow__"
_CONTINUATION: Final = re.compile(r"[1-9][0-9]{0,8}")
_ITERATION: Final = re.compile(r"(?P<loop>.+)__iteration_(?P<number>[0-9]+)")
# What the nodes of iterations are called, or were before version 0.1, in the logs of old runs.
_LIKE_ITERATION: Final = re.compile(r".+__(?:iteration|pass)_[0-9]+")

# Labels that are in the names of outputs, where two underscores stand before them.
_PLAIN_LABEL: Final = re.compile(r"(?=.{1,60}$)[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*")

# Dagster 1.13 refuses these as names of nodes and inputs (dagster._core.definitions.utils).
_DAGSTER_WORDS: Final = frozenset(
    {"context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict", "output_arg_dict"}
    | {"int", "str", "float", "bool", "input", "output", "type"}
)
# Dagster takes a graph of this name for the job itself, and never ends.
_JOBS: Final = frozenset({"root"})
_OWN_INPUTS: Final = frozenset(
    {FLOW_INPUT, BATCH_INPUT, COLLECTED_INPUT, ITEMS_INPUT, ITERATIONS_INPUT}
)
_RESERVED: Final = frozenset(keyword.kwlist) | _DAGSTER_WORDS | _JOBS | _OWN_INPUTS


def is_valid_slug(text: object) -> bool:
    """Return whether a value is a slug; the SQL function `pgflow.is_valid_slug` agrees."""
    return isinstance(text, str) and text != "run" and _SLUG.fullmatch(text) is not None


def slugified(text: str) -> str:
    """Return a slug that reads like a text: the text itself when it is one; empty if there is none.

    >>> slugified("Café 24/7"), slugified("2nd try"), slugified("order"), slugified("?!")
    ('cafe_24_7', '_2nd_try', 'order', '')
    """
    if is_valid_slug(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST]
    if slug[:1].isdigit():
        slug = f"_{slug}"[:_LONGEST]
    return "run_" if slug == "run" else slug


def dagster_name(slug: str) -> str:
    """Return the name of a step's node, or of an input fed by it.

    >>> dagster_name("charge"), dagster_name("config"), dagster_name("config_")
    ('charge', 'config_', 'config__')
    """
    bare = slug.rstrip("_")
    if bare in _RESERVED or bare.endswith(HELPER_SUFFIXES) or _LIKE_ITERATION.fullmatch(bare):
        return f"{slug}_"
    return slug


def job_name(flow_slug: str, prefix: str = "") -> str:
    """Return the name of a flow's job.

    Args:
        prefix: What the names of jobs begin with in its code location.

    >>> job_name("order"), job_name("a__b"), job_name("order", "flow_")
    ('order', 'a__b_', 'flow_order')
    """
    return prefix + (f"{flow_slug}_" if "__" in flow_slug else dagster_name(flow_slug))


def flow_of_job(name: str, prefix: str = "") -> str | None:
    """Return the flow whose job has this name; `None` when that of no flow has.

    Args:
        name: The name of a job.
        prefix: What the names of jobs begin with in its code location.

    >>> flow_of_job("order"), flow_of_job("a__b_"), flow_of_job("a__b"), flow_of_job("x", "flow_")
    ('order', 'a__b', None, None)
    """
    bare = name.removeprefix(prefix)
    found = (slug for slug in (bare, bare[:-1]) if job_name(slug, prefix) == name)
    return next(filter(is_valid_slug, found), None)


def schedule_name(flow_slug: str, schedule_slug: str, prefix: str = "") -> str:
    """Return the name of a flow's schedule.

    >>> schedule_name("order", "nightly")
    'order__nightly'
    """
    return prefix + _joined(flow_slug, schedule_slug)


def pool_name(pool: str) -> str:
    """Return the name of a step's pool as Dagster knows it; no step names another one.

    >>> pool_name("mail")
    'pgflow/mail'
    """
    return f"{_POOLS}{pool}"


def graph_name(flow_slug: str) -> str:
    """Return the name of a flow's graph; it never equals the name of an op.

    >>> graph_name("order"), graph_name("a__b")
    ('pgflow__order', 'pgflow__a__b_')
    """
    return f"{_DEFINITIONS}{job_name(flow_slug)}"


def item_graph_name(flow_slug: str) -> str:
    """Return the name of a flow's graph that runs once for each item of a list.

    No op has a name that ends in `__00`: no slug starts with a digit, and no length with a zero.

    >>> item_graph_name("order")
    'pgflow__order__as_item__00'
    """
    return f"{graph_name(flow_slug)}__as_item__00"


def broken_graph_name(stem: str) -> str:
    """Return the name of the graph of a job that only says what is wrong with its flow.

    Dagster 1.13 confuses a graph with a node of its name, and a flow may be "problems". No slug
    makes a name that ends in `__0`, as none does in `__00`.

    >>> broken_graph_name("order")
    'pgflow__order__0'
    """
    return f"{graph_name(stem)}__0"


def is_broken_graph(name: str) -> bool:
    """Return whether a graph only says what is wrong with its flow."""
    return name.endswith("__0")


def body_graph_name(flow_slug: str, loop_slug: str) -> str:
    """Return the name of the graph that is the body of a loop.

    >>> body_graph_name("essay", "refine")
    'pgflow__essay__refine__00'
    """
    return f"{op_name(flow_slug, loop_slug)}__00"


def iteration_job_name(flow_slug: str, loop_slug: str, prefix: str = "") -> str:
    """Return the name of the job that runs one iteration of a loop.

    >>> iteration_job_name("essay", "refine")
    'essay__refine__iteration'
    """
    return f"{prefix}{_joined(flow_slug, loop_slug)}__iteration"


def iteration_node(loop_slug: str, number: int) -> str:
    """Return the name of the node that is one iteration of a loop, from 1."""
    return f"{loop_slug}__iteration_{number}"


def iteration_of(node_name: str) -> tuple[str, int] | None:
    """Return the loop and the number of the iteration that a node is, if it is one.

    >>> iteration_of("refine__iteration_2"), iteration_of("refine")
    (('refine', 2), None)
    """
    found = _ITERATION.fullmatch(node_name)
    return (found["loop"], int(found["number"])) if found else None


def op_name(flow_slug: str, node_name: str) -> str:
    """Return the repository-wide unique name of an op: `pgflow__<flow>__<node>`.

    >>> op_name("order", "charge"), op_name("a__b", "c")
    ('pgflow__order__charge', 'pgflow__a__b__c__4')
    """
    return f"{_DEFINITIONS}{_joined(flow_slug, node_name)}"


def _joined(flow_slug: str, node_name: str) -> str:
    """Return one name for a flow and what is in it: `<flow>__<node>`.

    Where a slug has double or outer underscores of its own, the length of the flow's slug is
    appended, so that flow `a__b`, step `c` and flow `a`, step `b__c` stay apart.
    """
    plain = f"{flow_slug}__{node_name}"
    ambiguous = (
        "__" in flow_slug
        or "__" in node_name
        or flow_slug.endswith("_")
        or node_name.startswith("_")
        or node_name.endswith("_")
    )
    return f"{plain}__{len(flow_slug)}" if ambiguous else plain


def own_tag(tags: Mapping[str, str], key: str) -> str | None:
    """Return what a tag of ours says, which older code wrote where people saw it.

    >>> own_tag({"dagster-pgflow/store": "a"}, TAG_STORE), own_tag({}, TAG_STORE)
    ('a', None)
    """
    return tags.get(key, tags.get(older_key(key)))


def older_key(key: str) -> str:
    """Return the key that a tag of ours had in older code.

    >>> older_key(TAG_STORE), older_key(TAG_FLOW)
    ('dagster-pgflow/store', 'dagster-pgflow/flow')
    """
    return key.replace(HIDDEN_TAGS, OWN_TAGS, 1)


def child_run_path(run_id: str, tags: Mapping[str, str]) -> str | None:
    """Return the path of the subflow step, and item, that a run executes; `None` if it does none.

    Args:
        run_id: The Dagster run.
        tags: Its tags.
    """
    return own_tag(tags, TAG_PARENT_STEP) if own_tag(tags, TAG_CHILD_RUN) == run_id else None


def continuation_id(run_id: UUID, number: int) -> UUID:
    """Return the id that a Dagster run has which goes on with a run, whoever creates it.

    Two that create it at once cannot both. What it is derived with stays what it is.

    Args:
        run_id: The run, as `pgflow.runs` has it.
        number: Which one that goes on with it, from 1.
    """
    return uuid5(run_id, f"continuation {number}")


def continuation_of(dagster_run_id: str, tags: Mapping[str, str]) -> tuple[UUID, int] | None:
    """Return which run a Dagster run goes on with, and its number; `None` if with none.

    One that somebody starts from the page of another has all tags of that, and another id.

    Args:
        dagster_run_id: The Dagster run.
        tags: Its tags.
    """
    number = own_tag(tags, TAG_CONTINUATION) or ""
    if not _CONTINUATION.fullmatch(number):
        return None
    try:
        run_id = UUID(tags.get(TAG_RUN_ID, ""))
    except ValueError:
        return None
    if dagster_run_id != str(continuation_id(run_id, int(number))):
        return None
    return run_id, int(number)


def is_helper(node_name: str) -> bool:
    """Return whether a node is one that the compiler added, not a step of the flow."""
    return node_name.endswith(HELPER_SUFFIXES)


def is_collector(node_name: str) -> bool:
    """Return whether a node collects the outputs of a map step."""
    return node_name.endswith(COLLECT_SUFFIX)


def route_output(slug: str, label: str | None = None) -> str:
    """Return the name of the output that leads to a step, where the run need not go there.

    Args:
        slug: The step.
        label: What the route is called; it is in the name where Dagster can have it, and the name
            stays one that no other route has.
    """
    if label is None or not _PLAIN_LABEL.fullmatch(label):
        return f"to_{slug}"
    return f"to_{slug}__{label}"


def fan_out_output(map_slug: str) -> str:
    """Return the name of the dynamic output that feeds a map step."""
    return f"for_{map_slug}"
