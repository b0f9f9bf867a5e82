-- name: count_old_runs
-- How many runs ended longer ago.
select count(*)
from pgflow.runs
where status in ('completed', 'failed', 'cancelled')
  and coalesce(completed_at, failed_at, updated_at)
    < now() - make_interval(secs => cast(:older_than_s as double precision));

-- name: prune_runs
-- Delete some of them, the oldest first, and of what is as old; how many.
select pruned.runs, pruned.events + pruned.deliveries as others
from pgflow.prune(make_interval(secs => cast(:older_than_s as double precision)), :most) as pruned;
