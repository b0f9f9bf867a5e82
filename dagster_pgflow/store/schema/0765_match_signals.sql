create function pgflow.match_signals() returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  sent pgflow.signals;
begin
  for sent in
    select unmatched.*
    from pgflow.signals as unmatched
    where unmatched.is_unmatched
    order by unmatched.signal_id
    limit 100
    for update skip locked
  loop
    perform pgflow.lock_signals(sent.name, sent.key);
    perform pgflow.deliver_signal(sent, false);
    update pgflow.signals as matched set is_unmatched = false where matched.signal_id = sent.signal_id;
  end loop;
end
$$;

comment on function pgflow.match_signals() is
  'Gives signals to steps that their senders could not see, since they began to wait meanwhile';
