"""Executes runs at once: a warm worker that listens, in place of sensors, queue and launcher.

**Why.** From a request to its first task, the ordinary way takes seconds: a sensor looks every
five, the queue every few, and then a process starts and imports Dagster and the handlers. An
application, an agent, a person at a page does not wait for that.

**What is where.** Three kinds of processes, each started by the one before:

- The *supervisor* (`supervisor`, the command `dagster-pgflow live`) listens to PostgreSQL and wakes
  the others. It imports no Dagster. It says in the store that the worker is there, passes on who
  shall end, and starts again what dies.
- The *template* (`template`) has imported the code location, opened Dagster, rehearsed a run and
  compiled the flows that ran lately. It executes nothing: it forks. So it has no threads and no
  connections.
- A *child* (`child`) waits for a word, claims one request, makes a run of Dagster, executes it in
  its own process and writes its rows. Then it looks for the next. All children read from one
  socket: the kernel picks one that is idle.

One more child, the *rows* process (`rows`), keeps the run tables close behind the runs under way.

**What holds.**

- A request is started once: its row is locked from the claim until its run is bound to it, and
  the id of the run in Dagster follows from the id of the request. Whoever comes behind one that
  died on the way finds the run that it made.
- The sensors go on as they do without a live worker, as the net below it. They leave alone what is
  bound, and while a worker is there they start only what must go through Dagster's queue.
- What a worker has is a row of `pgflow.live_runs`, which the process of the run touches every
  second. A run whose row is not touched any more is ended by the next worker that sees it.
- A run executes the flow at the version of its request, whatever the code location was loaded with.
- Only runs that Dagster's in-process executor executes come here, and only where no limit of the
  deployment stands against it.
"""
