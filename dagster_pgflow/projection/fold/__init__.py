"""From our event log to the rows of the run tables.

**Why.** Events say what happened; people and programs ask how things stand. The rows of `runs`,
`subruns`, `step_states`, `step_tasks`, `node_executions` and the tables of execution (`tokens`,
`loops`, `workers` and so on) answer that. They could be counted up as events come in; but then a
bug would stay in the rows for ever, and nobody could say what the right rows would have been. As a
fold, rows are a function of the events: whoever doubts them makes them again.

**What goes in.** The layout; all events of one run, in any order, each any number of times; and
those stored outputs that were too large for an event, by the key under which an event names them
(`output_of`).

**What comes out.** A `RunState`: every row of the run, and nothing that is not one.

`fold` adds up the run, its scopes, steps and tasks, with `created` for the rows that are there
before anything has begun, `attempts` for the attempts of tasks, and `received` for the input that
a subflow got. `executed` does the tables of execution, with `loops` and `workers`.

**What holds.**

- It needs nothing but what `pgflow.event_log` holds, the pinned definitions and stored outputs. So
  a run that Dagster has deleted is folded as any other.
- Rows of a run that is under way are true for the moment of its last event: every counter
  (`remaining_tasks`, `remaining_deps`, `remaining_steps`) says what is not done yet.
- An output that cannot be found any more is null, or says where it lies; it never keeps the rest
  of the run from being written.
- Attempts of one task follow each other: at most one is under way, and it is the last.
- No row depends on when the fold was made.
"""
