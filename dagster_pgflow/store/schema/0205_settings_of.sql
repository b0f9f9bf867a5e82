-- The one list of what a step has that is no column: what only its kind has, and where the run goes
-- on when it fails. A key of an object here is a key of the step's definition; "is" says what its
-- value must be, and a value that equals "default" is left out.
create function pgflow.settings_of(step_type text) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select '{"on_failure": {"is": "text"}}'::jsonb || case
    when step_type in ('single', 'map', 'branch', 'loop') then '{
      "circuit_breaker": {"is": "an object or true"},
      "bulkhead": {"is": "an object or true"},
      "rate_limiter": {"is": "an object or true"},
      "before": {"is": "a list of texts", "default": []},
      "after": {"is": "a list of texts", "default": []},
      "requires": {"is": "a list of texts", "default": []},
      "check_schemas": {"is": "text", "default": "off"},
      "coerce": {"is": "true or false", "default": false},
      "on_timeout": {"is": "text"},
      "produces": {"is": "a list of texts", "default": []},
      "consumes": {"is": "a list of texts", "default": []},
      "partition": {"is": "text"}
    }'
    when step_type in ('approval', 'wait') then '{
      "deadline": {"is": "a whole number"},
      "on_deadline": {"is": "text", "default": "fail"},
      "default_answer": {"is": "any value"},
      "on_timeout": {"is": "text"},
      "key": {"is": "text"},
      "answer_schema": {"is": "an object"},
      "reminders": {"is": "a list of whole numbers", "default": []}
    }'
    else '{}'
  end::jsonb || case step_type
    when 'map' then '{
      "batch_size": {"is": "a whole number"},
      "collect_errors": {"is": "true or false", "default": false},
      "pipelined": {"is": "true or false", "default": false},
      "max_failures": {"is": "a whole number"},
      "max_failures_percent": {"is": "a whole number"}
    }'
    when 'subflow' then '{
      "input": {"is": "an object"},
      "output": {"is": "an object or text"},
      "over": {"is": "text"},
      "mode": {"is": "text", "default": "inline"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'branch' then '{
      "rules": {"is": "a list"},
      "default_path": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'join' then '{
      "wait": {"is": "text or a whole number", "default": "all"},
      "members": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false}
    }'
    when 'loop' then '{
      "back_to": {"is": "text"},
      "condition": {"is": "text"},
      "max_iterations": {"is": "a whole number"},
      "break_path": {"is": "a list of texts", "default": []},
      "timeout_path": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'approval' then '{
      "prompt": {"is": "text"},
      "answerers": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'wait' then '{
      "signal": {"is": "text"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'sleep' then '{
      "seconds": {"is": "a whole number"},
      "until": {"is": "text"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'single' then '{
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
  end::jsonb
$$;

comment on function pgflow.settings_of(text) is
  'What steps of a kind have that is no column: each setting by name, with what it is and its default; null for a kind that there is not';
