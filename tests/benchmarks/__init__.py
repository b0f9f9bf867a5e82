"""Speed, as ratios against plain Dagster measured side by side; run by `make bench`.

The machine is shared and noisy, so each figure is the median of several runs, and the runs of
the two sides take turns.
"""
