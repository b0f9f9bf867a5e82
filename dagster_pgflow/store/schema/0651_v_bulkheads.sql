create view pgflow.v_bulkheads as
select
  bulkhead.tenant,
  bulkhead.key,
  bulkhead.max_concurrent,
  count(call.call_id) as under_way,
  min(call.begun_at) as oldest_begun_at
from pgflow.bulkheads as bulkhead
left join pgflow.guarded_calls as call
  on call.tenant = bulkhead.tenant
  and call.key = bulkhead.key
  and call.guard = 'bulkhead'
  and call.expires_at > clock_timestamp()
group by bulkhead.tenant, bulkhead.key, bulkhead.max_concurrent;

comment on view pgflow.v_bulkheads is 'How many calls are under way past each bulkhead';
