-- old code: works

set local check_function_bodies to off;

alter table pgflow.step_states add column why text;

COMMENT ON COLUMN pgflow.step_states.why IS 'Why it was skipped, or of a branch or a loop how the run goes on behind it, in words';
