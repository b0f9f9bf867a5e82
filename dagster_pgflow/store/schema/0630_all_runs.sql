create view pgflow.all_runs as
select
  'top-level' as run_type,
  run.id as top_run_id,
  run.run_id,
  null::bigint as subrun_id,
  null::bigint as parent_run_id,
  null::bigint as parent_subrun_id,
  null::text as parent_step_slug,
  run.flow_slug,
  null::integer as run_index,
  null::integer as subrun_index,
  null::text as subrun_path,
  null::integer as map_index,
  run.status,
  run.input,
  run.output,
  run.error_message,
  run.created_at,
  run.started_at,
  run.completed_at,
  run.updated_at,
  null::text as label
from pgflow.runs as run
union all
select
  'subrun',
  subrun.parent_run_id,
  run.run_id,
  subrun.subrun_id,
  subrun.parent_run_id,
  subrun.parent_subrun_id,
  subrun.parent_step_slug,
  subrun.subflow_slug,
  subrun.run_index,
  subrun.subrun_index,
  subrun.subrun_path,
  subrun.map_index,
  subrun.status,
  subrun.input,
  subrun.output,
  subrun.error_message,
  subrun.created_at,
  subrun.started_at,
  subrun.completed_at,
  subrun.updated_at,
  'Subrun #' || subrun.run_index || ' of step ' || subrun.parent_step_slug
from pgflow.subruns as subrun
join pgflow.runs as run on run.id = subrun.parent_run_id;

comment on view pgflow.all_runs is 'Runs and subruns in one list; run_type is top-level or subrun';
comment on column pgflow.all_runs.run_id is 'The run, or the run that the subrun is part of';
