"""Runs a flow in the process of whoever asks, and returns what became of it.

**Why.** A script, a notebook or a test wants the result of a flow, and neither daemon nor sensor
nor web server. What it gets must be what a deployment would have got: the same compiler makes the
job, Dagster executes it, and the projection makes the same rows of Dagster's log.

**What goes in.** A flow and its subflows, handlers, an input, answers for steps that wait.

**What comes out.** A `FlowResult`, read from the rows that the run has, or would have.

Without a database, what a store keeps lies in memory: outputs and the memory of tasks (`outputs`),
waits (`waits`), guards (`guards`). Dagster's instance is in memory, too, unless one is named. So
nothing is written anywhere.
"""
