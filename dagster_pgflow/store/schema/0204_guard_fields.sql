-- The one list of what the guards of a step have, as settings_of lists what a kind has: a value
-- that equals "default" is left out, a number is "from" and "to", a text is as long.
create function pgflow.guard_fields() returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select '{
    "circuit_breaker": {
      "key": {"is": "text", "from": 1, "to": 200},
      "failure_rate": {"is": "a whole number", "default": 50, "from": 1, "to": 100},
      "window": {"is": "a whole number", "default": 100, "from": 1, "to": 1000},
      "min_calls": {"is": "a whole number", "default": 10, "from": 1, "to": 1000},
      "open_seconds": {"is": "a whole number", "default": 60, "from": 1, "to": 2147483647},
      "half_open_calls": {"is": "a whole number", "default": 3, "from": 1, "to": 1000}
    },
    "bulkhead": {
      "key": {"is": "text", "from": 1, "to": 200},
      "max_concurrent": {"is": "a whole number", "default": 25, "from": 1, "to": 2147483647},
      "max_wait_seconds": {"is": "a whole number", "default": 5, "from": 0, "to": 60}
    },
    "rate_limiter": {
      "key": {"is": "text", "from": 1, "to": 200},
      "calls": {"is": "a whole number", "default": 50, "from": 1, "to": 2147483647},
      "per_ms": {"is": "a whole number", "default": 500, "from": 1, "to": 2147483647},
      "max_wait_seconds": {"is": "a whole number", "default": 5, "from": 0, "to": 60}
    }
  }'::jsonb
$$;

comment on function pgflow.guard_fields() is
  'What the guards of a step have: each field by name, with what it is, its default and its bounds';
