"""The one reader of Dagster's log: everything else knows Dagster's records as our own data only.

**Why.** Four parts of this package have to know what Dagster saw. The projection writes it into
tables. The step behind a failed subflow is given a trace of what was done in it. `retry` asks what
is done and what is left. The sensor for stuck runs asks when something last happened. Each could
read Dagster's events, and two of them once did: then one knew that an output counts only when its
step has succeeded, and the other did not. So records become data here, once, and whoever needs
another thing out of the log gets it here.

**What goes in.** A Dagster instance, and runs by their ids. Records are fetched in `event_pages`:
in the order in which Dagster wrote them, each once, however many pages they take.

**What comes out.** Frozen data, in `run_events`:

- `RunEvent`, one thing that Dagster saw, of a kind out of a closed list, with the report of the op
  where it wrote one. `records` makes them, for all readers.
- `RunFacts`, what is known of a run before anything happens in it: the flow, its pinned versions,
  its input.
- `OutputsOf`, the runs whose stored outputs a run uses.
- `EarlierRun`, what a run did that another one goes on with.

`dagster_runs` puts a whole run together: its own events, those of the runs inside it, which
`child_runs` puts in where they belong, and those of the runs that it goes on with. `run_reports`
gives the last reports of a run by op, `earlier_runs` the chain that a retried run stands in,
`changed_runs` which runs are new, `which_log` which of several Dagsters has them, `last_sign` when
a run was last heard of, and `statuses` what Dagster's statuses come to. `op_reports` knows where
among the metadata of an event a report stands; what a report says is the business of
`dagster_pgflow.reports`. `unshown_skips` finds the ops that only reported that their step does not
run, and that Dagster counts as successes.

**What holds.**

- `run_events`, `child_runs` and `step_keys` import no Dagster, and load none. So what is behind
  them can be tested, and reasoned about, without an instance.
- A step's output counts when the step has succeeded, not before: Dagster says that there is an
  output before the value is stored.
- A process that is given up may go on to write. How the run ended is what Dagster's own record of
  the run says, and what came late stands before the end.
- What is written into the log only to be looked at, such as the event that has an op look skipped,
  is handed on to nobody.
- Step keys stay as they were written, since stored outputs have them too. Where they were spelt
  otherwise by an earlier version, `step_keys.spelt_today` translates, and nothing else does.
- What cannot be made sense of costs its own run only: `UnreadableRun`, or whatever Dagster raised.
"""
