create function pgflow.refuse_bad_waiting(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  settings constant jsonb := step.settings;
  on_deadline constant text := coalesce(settings ->> 'on_deadline', 'fail');
  broken_constraint text;
  problem text;
begin
  if step.step_type not in ('approval', 'wait', 'sleep') then
    return;
  elsif num_nonnulls(step.handler, nullif(step.params, '{}'), step.input_schema, step.output_schema) > 0
  then
    broken_constraint := 'waiting_step_has_no_handler';
    problem := format(
      'is %s %s, which has no handler, no params and no schemas of one; let a step behind it do the work',
      case step.step_type when 'approval' then 'an' else 'a' end, step.step_type
    );
  elsif step.step_type = 'approval' and not settings ? 'prompt' then
    broken_constraint := 'only_approval_steps_ask';
    problem := 'is an approval without a prompt; say in prompt what the person is to answer';
  elsif step.step_type = 'wait' and not settings ? 'signal' then
    broken_constraint := 'only_wait_steps_have_a_signal';
    problem := 'waits for no signal; name one in signal';
  elsif length(settings ->> 'prompt') not between 1 and 10000 then
    broken_constraint := 'prompt_is_short';
    problem := format(
      'has a prompt of %s characters; it has 1 to 10000: say what the person is to answer',
      length(settings ->> 'prompt')
    );
  elsif length(settings ->> 'signal') not between 1 and 200 then
    broken_constraint := 'signal_is_a_name';
    problem := format(
      'waits for a signal whose name has %s characters; a name has 1 to 200',
      length(settings ->> 'signal')
    );
  elsif jsonb_array_length(settings -> 'answerers') > 100 or exists (
    select from jsonb_array_elements_text(settings -> 'answerers') as answerer (name)
    where length(answerer.name) not between 1 and 200
  ) then
    broken_constraint := 'answerers_have_names';
    problem := 'has answerers that cannot be; there are at most 100, each a name or a role of 1 to 200 characters';
  elsif '' in (settings ->> 'key', settings ->> 'until') then
    broken_constraint := case
      when settings ->> 'key' = '' then 'key_is_not_empty' else 'until_is_not_empty'
    end;
    problem := 'has an expression that is empty; write CEL, or leave it out';
  elsif step.step_type = 'sleep' and (settings ? 'seconds') = (settings ? 'until') then
    broken_constraint := 'sleep_ends_once';
    problem := format(
      'sleeps, and has %s; say one of the two',
      case when settings ? 'seconds' then 'both: seconds and until' else 'neither seconds nor until' end
    );
  elsif (settings ->> 'seconds')::integer < 1 then
    broken_constraint := 'seconds_are_positive';
    problem := format('sleeps for %s seconds; let it be 1 or more', settings ->> 'seconds');
  elsif (settings ->> 'deadline')::integer < 1 then
    broken_constraint := 'deadline_is_positive';
    problem := format(
      'has a deadline after %s seconds; let it be 1 or more', settings ->> 'deadline'
    );
  elsif on_deadline not in ('fail', 'skip', 'continue') then
    broken_constraint := 'on_deadline_is_valid';
    problem := format('has on_deadline "%s"; say fail, skip or continue', on_deadline);
  elsif settings ? 'default_answer' and on_deadline <> 'continue' then
    broken_constraint := 'default_answer_goes_on';
    problem := format(
      'has default_answer, which needs on_deadline "continue", not "%s"; change it, or leave default_answer out',
      on_deadline
    );
  elsif settings ? 'on_timeout' and on_deadline <> 'fail' then
    broken_constraint := 'timeout_step_is_of_a_failure';
    problem := format(
      'has on_timeout, which needs on_deadline "fail", not "%s"; change it, or leave on_timeout out',
      on_deadline
    );
  elsif not settings ? 'deadline'
    and settings ?| array['on_deadline', 'default_answer', 'on_timeout']
  then
    broken_constraint := 'deadline_is_said';
    problem := 'says what happens when its deadline passes, and has none; add deadline, a number of seconds';
  elsif jsonb_array_length(settings -> 'reminders') > 100
    or jsonb_path_exists(settings, '$.reminders[*] ? (@ < 1 || @ >= $.deadline)')
  then
    broken_constraint := 'reminders_come_before_the_deadline';
    problem := 'has reminders that cannot be; there are at most 100, each after 1 second or more, and before the deadline';
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_waiting(pgflow.steps) is
  'Raises when a step waits for what cannot be, or contradicts itself in what happens at its deadline';
