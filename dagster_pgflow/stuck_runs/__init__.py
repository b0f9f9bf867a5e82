"""Runs in which nothing happens any more: asks what they are, and ends the dead.

**Why.** A process that is killed writes nothing. Its run stays "started" in Dagster and in our
tables, `pgflow.wait` waits for it, and what stands behind it in a queue stays there. Dagster's own
monitoring finds such runs with some run launchers, when it is turned on. Not everybody has these,
and a run that nobody ends is worse than one that is ended with a reason.

**What goes in.** The runs under way of which our tables have heard nothing for some time
(`SilentRunList`), what Dagster says of each, and `StuckThresholds` from the environment.

**What comes out.** Runs that are dead are ended in Dagster's log, and nowhere else: from there that
reaches the tables as every end does. `StuckRunsResult` says what each run was.

`silence` decides, from signs that others have gathered; it is free of Dagster and tested sign by
sign. `run_workers` asks live workers, or else the run launcher, or else the code server, about the
process of a run.
`stuck_runs` goes through the runs, and `sensor` does that at each tick, then has the projection
look at what was settled.

**What holds.**

- Silence alone ends no run: an op may work for hours and say nothing. It is ended when its process
  is known to be gone; or when nobody can say, and it has been silent for longer than its largest
  step may take, and than `PGFLOW_LOST_AFTER`.
- A delay between attempts stands in the log beforehand. Until it is over the run is not silent.
- A run that waits for its turn, or that somebody else manages, is left alone, however long. So is
  one that goes on with another and was made, but not begun: its continuation is claimed again.
- A run inside another one has no process of its own. The run around it answers for it, and is
  ended after it.
- What somebody has asked to cancel ends as cancelled, everything else as failed.
- Each run is noted as asked when it is; a tick may end anywhere. A run that makes trouble holds up
  no other.
"""
