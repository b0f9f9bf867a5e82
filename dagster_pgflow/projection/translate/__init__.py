"""From what Dagster saw of a run to our own event log.

**Why.** Dagster says that an op has started, has an output, has failed. Whoever looks at a run asks
other questions: which task is tried for the third time, which subrun has ended and why, whether
anything is still to be done. The answers are events of ours, `run.*`, `subrun.*`, `step.*`,
`task.*`, `loop.*`, `branch.*`, and they are kept: as the history of a run that anybody can query,
and as all that is left of it once Dagster has deleted its own log.

**What goes in.** `RunFacts` and run events, in order, those taken over from earlier runs first; the
pinned definitions, and the layout made of them.

**What comes out.** The events of the run, numbered from 1 without gaps. Each has an id that stands
for all that it says and for the event that led to it.

The stages, in order:

1. `lookahead` pairs each start of an op with what the op reported next. Dagster starts an op
   whether or not there is anything to do; only the report says which tasks were tried.
2. `translator` takes one run event after the other and decides what it means for steps and tasks.
   `map_ends` knows how far each map is, `subflow_ops` what runs as a Dagster run of its own,
   `warnings` which sentences were written before.
3. `run_lifecycle` keeps what has begun and what has ended. A step that begins opens the scopes
   around it, a failure ends them, the end of the run cancels what is left; each of it once.
4. `token_events` adds what follows from each event for tokens, which say where the run is:
   `tokens` knows the rules.
5. `numbering` gives numbers and ids.

**What holds.**

- The same run events give the same events, ids included; no clock and no random number is asked.
- A thing begins at most once and ends at most once, and nothing begins in what has ended.
- Every event but the first has one that led to it, earlier in the list.
- When the run is over, everything in it is: no step, task or subrun is left open, and no token.
- An op may report twice, in another order than expected, or never, since its process was killed.
  The events say what is known then, and say it otherwise when more is.
"""
