create function pgflow.refuse_bad_assets(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if not pgflow.can_be_partition(step.settings ->> 'partition') then
    broken_constraint := 'partition_can_be_one';
    problem := 'has a partition that can be none; a partition is a text of 1 to 500 characters, without control characters and ...';
  else
    select
      case
        when named.how_many > 100 or not pgflow.can_be_asset_key(named.key)
          then 'assets_have_keys'
        else 'each_element_has_an_asset_of_its_own'
      end,
      case
        when named.how_many > 100 then format(
          '%s %s assets, and may name 100; let more steps do it', field.name, named.how_many
        )
        when not pgflow.can_be_asset_key(named.key) then format(
          '%s an asset whose key can be none; a key is parts with / between them, none of them empty, with up to 500 characters and no control characters',
          field.name
        )
        else format(
          'produces "%s", which is the same asset for each of its elements; refer to $item in the key or in partition, or let a step behind it produce the whole',
          left(named.key, 60)
        )
      end
    into broken_constraint, problem
    from (values ('produces'), ('consumes')) as field (name)
    cross join lateral (
      select key.template as key, count(*) over () as how_many
      from jsonb_array_elements_text(step.settings -> field.name) as key (template)
    ) as named
    where named.how_many > 100
      or not pgflow.can_be_asset_key(named.key)
      or (
        step.step_type = 'map' and field.name = 'produces' and not exists (
          select from pgflow.references_in(
            jsonb_build_array(named.key, step.settings -> 'partition')
          ) as reference
          where reference ~ '^\$item(?![^.[])'
        )
      )
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_assets(pgflow.steps) is
  'Raises when what a step says of assets cannot become keys and a partition';
