"""Keeps the run tables true: which runs are read when, and what happens when that goes wrong.

**Why.** The stages before are functions; something has to call them, for thousands of runs, many at
work at once, in a sensor that Dagster ends after a minute. It has to be faster than Dagster writes,
has to lose nothing, and one run that breaks must not keep the others waiting.

**What goes in.** A Dagster instance, and a `ProjectionStore`: the definitions, the stored outputs
and the run tables. The store is given to it as protocols (`store`), so no SQL is known here.

**What comes out.** Rows, events and a cursor for each run, in one transaction; and events in
Dagster's log: one for each op whose step did not run (`skips_in_dagster`), one that shows which
route a run took (`route_in_dagster`), one that says what it waits for (`wait_in_dagster`).

`discovery` puts runs that are new or have changed on a list. `projector` takes from it what is due,
reads the run whole, has it translated and folded, and writes it. `own_log` stands in for a run that
Dagster does not have any more. `sensor` does a bounded piece of that at each tick.

**What holds.**

- A run that has news is read whole, from its first event. Dagster hands out ids of events before it
  commits them, so a reader of "what is newer than" would miss some. A run that is over is read once
  more, some time after its end.
- A tick may end anywhere. What is not on the list is found again, since each search looks back
  further than the last one ended; what is on it stays due.
- Two sensors at once only cost time: a run that somebody else has written since is not written.
- Whatever a run raises is that run's trouble. It is set aside with the reason, for longer each
  time; after three failures a run that is over ends without its rows, so that nobody waits for it.
  Only a store that takes no note of that ends the tick.
- `rebuild` is the same as a first reading of every run. Numbers of rows stay.
- Nothing is invented about a run that is gone from Dagster: what our own log has of it is folded,
  with an end that says so.
"""
