create function pgflow.claim_request(passes_unkeyed boolean default false)
returns table (
  run_id uuid,
  flow_slug text,
  version_id bigint,
  created_at timestamptz,
  awaits_key boolean
)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  most integer;
  candidate record;
  taken record;
  is_found boolean;
  passed uuid[] := '{}';
  busy_line bigint;
  holds_line boolean := false;
begin
  -- First the one whose turn it is; many only where others are about to take that one.
  foreach most in array array[1, 50, 50] loop
    for candidate in
      select next.run_id, next.awaits_key
      from pgflow.next_requests(false, most, null, passed) as next
    loop
      is_found := candidate.awaits_key;
      if is_found and passes_unkeyed then
        passed := passed || candidate.run_id;
        continue;
      elsif not is_found then
        select attempt.* into taken from pgflow.take_request(candidate.run_id) as attempt;
        is_found := taken.is_taken;
      end if;
      if is_found then
        return query
        select
          request.run_id, request.flow_slug, request.version_id, request.created_at,
          request.awaits_key
        from pgflow.run_requests as request
        where request.run_id = candidate.run_id;
        return;
      end if;
      passed := passed || candidate.run_id;
      if taken.is_busy then
        busy_line := coalesce(busy_line, taken.line);
      else
        holds_line := holds_line or taken.line is not null;
      end if;
    end loop;
    if most > 1 then
      -- Two that each hold a line must not wait for the other's.
      exit when busy_line is null or holds_line;
      perform pg_advisory_xact_lock(busy_line);
      holds_line := true;
      passed := '{}';
    end if;
  end loop;
end
$$;

comment on function pgflow.claim_request(boolean) is
  'Takes the request whose turn it is, until the end of the transaction for this session alone; one that awaits its key is named and not taken, or passed';
