-- name: claim_retry
-- Lets no other session retry a run before the end of the transaction; false where one does.
select pg_try_advisory_xact_lock(hashtextextended('pgflow.retry ' || :run_id, 0));
