create function pgflow.signal(
  name text,
  key text default null,
  payload jsonb default 'null',
  expires_in interval default interval '1 day',
  broadcast boolean default false,
  sent_from uuid default null
) returns integer
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  is_for_all constant boolean := coalesce(broadcast, false);
  kept_for constant interval := coalesce(expires_in, interval '1 day');
  sees_all constant boolean :=
    current_setting('transaction_isolation') in ('read committed', 'read uncommitted');
  sent pgflow.signals;
begin
  if coalesce(name, '') = '' or length(name) > 200 or length(key) > 4000 then
    raise exception 'The name of a signal has 1 to 200 characters, and its key at most 4000; here they are % and %.',
      coalesce(length(name), 0), coalesce(length(key), 0)
      using errcode = 'invalid_parameter_value';
  elsif key is null and not is_for_all then
    raise exception 'Signal "%" needs the key of the step that it is for; or send it to all that wait for it, with broadcast => true.',
      name
      using errcode = 'invalid_parameter_value';
  elsif kept_for < interval '0' or kept_for > interval '366 days' then
    raise exception 'Signal "%" shall be kept for %; write 0 to 366 days.', name, kept_for
      using errcode = 'invalid_parameter_value';
  end if;
  perform pgflow.refuse_beyond_limits(payload, format('The payload of signal "%s"', name));
  perform pgflow.sweep_signals();
  perform pgflow.lock_signals(name, key);
  insert into pgflow.signals (
    name, key, payload, broadcast, tenants, sent_by, sent_from, expires_at, is_unmatched
  )
  values (
    signal.name, signal.key, coalesce(signal.payload, 'null'), is_for_all,
    pgflow.tenants_to_serve(), pgflow.name_of_caller(), signal.sent_from,
    clock_timestamp() + kept_for, not sees_all
  )
  returning * into sent;
  if sees_all then
    return pgflow.deliver_signal(sent, true);
  end if;
  perform pg_notify('pgflow_runs', '');
  return 0;
end
$$;

comment on function pgflow.signal(text, text, jsonb, interval, boolean, uuid) is
  'Sends a signal to the oldest step that waits for its name and key, or to all; returns to how many. It is kept for those that begin to wait later';
