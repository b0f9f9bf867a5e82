"""Where everything in a run stands, from the definitions that it is pinned to.

**Why.** A run is a tree: the run, its steps, the subflows and loops among them, the steps of
those. Dagster knows it as a flat list of step keys, and our tables know it by paths and numbers.
Something has to say that `pay[3]/double[07]` is task 7 of step `pay[3].double`, in the subrun
`1.4` of the run. Were that worked out while events come in, a subrun would have its number by the
luck of which step was faster, and a second reading would give another one. So the layout is made
first, out of definitions alone, and events only look things up in it.

**What goes in.** The slug of the flow, and the pinned tree: that flow and every flow it contains,
each at the version that the run executes. Later, what steps announce: how many items a list of
subflows has, and that a loop comes to a further iteration.

**What comes out.** A `Layout`: scopes (the run, subruns, iterations) and steps by path, each before
what it contains, and for each Dagster step key the step that the op is, or helps.
`growing_layout` walks through the flows and makes it; `announcements` finds in reports, or in our
own event log, what it grows by.

**What holds.**

- The layout of two runs of the same versions differs in nothing but in what they announced, so
  subruns have their numbers as soon as a run is asked for.
- What is announced stands behind all that was known before, in the order of the announcements. No
  number that was ever given changes.
- A flow that is not sound has a layout too: its run fails with a sentence, and that run has rows.
  A flow inside itself stands there once, without steps.
- A step key that is not in the layout is nobody's: an op of a run that somebody made by hand, or of
  a definition that is gone. It has no rows, and breaks nothing.
- A layout that does not grow is the same for all runs of a version, and kept for those used last.
"""
