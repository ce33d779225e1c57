// Objects that users have made have OIDs from 16384 on. pg_depend does not know on which of the others
// something depends, so that those are looked for in the expressions themselves. All columns are text;
// lists of OIDs are passed as text with commas.

function signatureOf(catalog: string, id = "oid", filter = `${id} >= 16384`): string {
  return `(select pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(
    pg_catalog.hashint8extended(${id}::pg_catalog.int8, xmin::pg_catalog.text::pg_catalog.int8)))
    from pg_catalog.${catalog} where ${filter})`;
}

/** One text that is another one when a row has changed that the other queries read. */
export const SIGNATURE: string = `
select pg_catalog.concat_ws(' ',
  ${[
    signatureOf("pg_class", "oid", "oid >= 16384 and relpersistence <> 't' and relkind <> 'i'"),
    signatureOf("pg_proc"),
    signatureOf("pg_rewrite"),
    signatureOf("pg_trigger"),
    signatureOf("pg_attrdef"),
    signatureOf("pg_constraint"),
    signatureOf("pg_policy"),
    signatureOf("pg_operator"),
    signatureOf("pg_cast"),
    signatureOf("pg_type"),
    signatureOf("pg_event_trigger"),
    signatureOf("pg_extension"),
    signatureOf("pg_inherits", "inhrelid"),
    signatureOf("pg_index", "indexrelid"),
    signatureOf("pg_partitioned_table", "partrelid"),
    signatureOf("pg_statistic_ext"),
  ].join(",\n  ")}) as signature`;

/**
 * Functions of pg_catalog: the volatile ones and those whose names `$1` lists. And pg_settings, whose
 * rule makes set_config of an UPDATE.
 */
export const BUILTINS = `
select 'function' as kind, oid::pg_catalog.text as owner, proname::pg_catalog.text as name,
  prosrc as source, (provolatile = 'v')::pg_catalog.text as "isVolatile"
from pg_catalog.pg_proc
where oid < 16384 and pronamespace = 'pg_catalog'::pg_catalog.regnamespace
  and (provolatile = 'v' or proname = any (pg_catalog.string_to_array($1, ',')))
union all
select 'relation', oid::pg_catalog.text, relname::pg_catalog.text, '', 'false'
from pg_catalog.pg_class
where oid = 'pg_catalog.pg_settings'::pg_catalog.regclass`;

/** Functions, procedures and aggregates of users, with their code where it can be read. */
export const USER_FUNCTIONS = `
select p.oid::pg_catalog.text, p.proname::pg_catalog.text as name, p.prokind::pg_catalog.text as kind,
  p.provolatile::pg_catalog.text as volatility, l.lanname::pg_catalog.text as language,
  p.prosrc as source, (p.prosqlbody is not null)::pg_catalog.text as "isParsed",
  (select e.extname::pg_catalog.text
    from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid
      and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
    limit 1) as extension
from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
where p.oid >= 16384`;

/**
 * What has an expression with one of the fields that `$1` lists, as `builtin`: `funcid 2077 ` stands for
 * a call of the function with that OID. For `usage` see {@link USERS}.
 */
export const EXPRESSIONS: string = `
with expression (kind, owner, usage, tree) as (
  select 'relation', ev_class, case ev_type when '1' then 'same' else 'write' end,
    pg_catalog.concat(ev_qual, ev_action)
  from pg_catalog.pg_rewrite where oid >= 16384
  union all
  select 'relation', d.adrelid,
    case a.attgenerated when '' then 'insert' when 's' then 'write' else 'same' end,
    d.adbin::pg_catalog.text
  from pg_catalog.pg_attrdef d
    join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  union all
  select 'relation', conrelid, 'write', conbin::pg_catalog.text
  from pg_catalog.pg_constraint where conrelid >= 16384 and conbin is not null
  union all
  select 'type', contypid, 'same', conbin::pg_catalog.text
  from pg_catalog.pg_constraint where contypid >= 16384 and conbin is not null
  union all
  select 'type', oid, 'insert', typdefaultbin::pg_catalog.text
  from pg_catalog.pg_type where oid >= 16384 and typdefaultbin is not null
  union all
  select 'relation', polrelid, 'same', pg_catalog.concat(polqual, polwithcheck)
  from pg_catalog.pg_policy
  union all
  select 'relation', tgrelid, 'write', tgqual::pg_catalog.text
  from pg_catalog.pg_trigger where tgqual is not null
  union all
  select 'relation', indrelid, 'write', pg_catalog.concat(indexprs, indpred)
  from pg_catalog.pg_index where indexrelid >= 16384 and (indexprs is not null or indpred is not null)
  union all
  select 'relation', partrelid, 'write', partexprs::pg_catalog.text
  from pg_catalog.pg_partitioned_table where partexprs is not null
  union all
  select 'function', oid, 'same', pg_catalog.concat(proargdefaults, prosqlbody)
  from pg_catalog.pg_proc
  where oid >= 16384 and (proargdefaults is not null or prosqlbody is not null)
  union all
  select 'operator', oid, 'same', pg_catalog.concat('opfuncid ', oprcode::pg_catalog.oid, ' ')
  from pg_catalog.pg_operator where oid >= 16384
  union all
  select 'function', aggfnoid::pg_catalog.oid, 'same', pg_catalog.concat(
    'funcid ', aggtransfn::pg_catalog.oid, ' :funcid ', aggfinalfn::pg_catalog.oid, ' ')
  from pg_catalog.pg_aggregate where aggfnoid >= 16384
)
select distinct kind, owner::pg_catalog.text, usage, part as builtin
from expression, pg_catalog.unnest(pg_catalog.string_to_array(tree, ':')) as part
where part = any (pg_catalog.string_to_array($1, ','))`;

/** Relations with a column that takes its values from a sequence of its own. */
export const IDENTITY_RELATIONS = `
select distinct 'relation' as kind, attrelid::pg_catalog.text as owner
from pg_catalog.pg_attribute
where attidentity <> '' and not attisdropped and attrelid >= 16384`;

/**
 * What uses the objects that `$1` (kinds) and `$2` (OIDs) list, and the name of each of these.
 *
 * | usage   | what the object does at …           | the user does at …            |
 * | ------- | ----------------------------------- | ----------------------------- |
 * | same    | any use, writes, inserts            | the same                      |
 * | use     | any use                             | any use                       |
 * | worst   | any of these                        | any use                       |
 * | write   | any of these                        | writes                        |
 * | insert  | any of these                        | inserts                       |
 * | cascade | writes                              | writes                        |
 */
export const USERS: string = `
with object (kind, oid, class) as (
  select kind, oid, case kind
    when 'relation' then 'pg_catalog.pg_class'::pg_catalog.regclass
    when 'function' then 'pg_catalog.pg_proc'::pg_catalog.regclass
    when 'operator' then 'pg_catalog.pg_operator'::pg_catalog.regclass
    when 'type' then 'pg_catalog.pg_type'::pg_catalog.regclass
  end
  from rows from (
    pg_catalog.unnest(pg_catalog.string_to_array($1, ',')),
    pg_catalog.unnest(pg_catalog.string_to_array($2, ',')::pg_catalog.oid[])
  ) as given (kind, oid)
),
dependent (source, id, class, by) as (
  select distinct o.kind, o.oid, d.classid::pg_catalog.regclass, d.objid
  from object o
    join pg_catalog.pg_depend d on d.refclassid = o.class and d.refobjid = o.oid
),
edge (source, id, kind, owner, usage) as (
  select source, id, 'relation', ev_class, case ev_type when '1' then 'same' else 'write' end
  from dependent join pg_catalog.pg_rewrite r on r.oid = by
  where class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  union all
  select source, id, 'relation', tgrelid, 'write'
  from dependent join pg_catalog.pg_trigger t on t.oid = by
  where class = 'pg_catalog.pg_trigger'::pg_catalog.regclass and source <> 'relation'
  union all
  select source, id, 'relation', d.adrelid,
    case a.attgenerated when '' then 'insert' when 's' then 'write' else 'same' end
  from dependent join pg_catalog.pg_attrdef d on d.oid = by
    join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where class = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and source <> 'relation'
  union all
  select source, id, 'relation', conrelid, 'write'
  from dependent join pg_catalog.pg_constraint c on c.oid = by
  where class = 'pg_catalog.pg_constraint'::pg_catalog.regclass and source <> 'relation'
    and conrelid <> 0
  union all
  select source, id, 'type', contypid, 'same'
  from dependent join pg_catalog.pg_constraint c on c.oid = by
  where class = 'pg_catalog.pg_constraint'::pg_catalog.regclass and contypid <> 0
  union all
  select source, id, 'relation', polrelid, 'use'
  from dependent join pg_catalog.pg_policy p on p.oid = by
  where class = 'pg_catalog.pg_policy'::pg_catalog.regclass
  union all
  select source, id, 'relation', indrelid, 'write'
  from dependent join pg_catalog.pg_index i on i.indexrelid = by
  where class = 'pg_catalog.pg_class'::pg_catalog.regclass and source <> 'relation'
  union all
  select source, id, 'relation', stxrelid, 'write'
  from dependent join pg_catalog.pg_statistic_ext s on s.oid = by
  where class = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and source <> 'relation'
  union all
  select source, id, 'relation', c.oid, case source when 'type' then 'same' else 'write' end
  from dependent join pg_catalog.pg_class c on c.oid = by
  where class = 'pg_catalog.pg_class'::pg_catalog.regclass and source <> 'relation'
    and relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  union all
  select source, id, 'type', t.oid, 'same'
  from dependent join pg_catalog.pg_type t on t.oid = by
  where class = 'pg_catalog.pg_type'::pg_catalog.regclass and source <> 'relation'
  union all
  select source, id, 'function', p.oid,
    case when prosqlbody::pg_catalog.text ~ ':commandType [2345]\\M' then 'worst' else 'use' end
  from dependent join pg_catalog.pg_proc p on p.oid = by
  where class = 'pg_catalog.pg_proc'::pg_catalog.regclass
  union all
  select source, id, 'operator', o.oid, 'use'
  from dependent join pg_catalog.pg_operator o on o.oid = by
  where class = 'pg_catalog.pg_operator'::pg_catalog.regclass
  union all
  select source, id, case when type < 16384 then 'anything' else 'type' end,
    case when type < 16384 then 0 else type end, 'use'
  from dependent join pg_catalog.pg_cast c on c.oid = by,
    pg_catalog.unnest(array[castsource, casttarget]) as type
  where class = 'pg_catalog.pg_cast'::pg_catalog.regclass and source = 'function'
    and (type >= 16384 or greatest(castsource, casttarget) < 16384)
  union all
  -- IN, LIKE, BETWEEN, CASE, JOIN, ORDER BY and others use these without naming them.
  select o.kind, o.oid, case when type < 16384 then 'anything' else 'type' end,
    case when type < 16384 then 0 else type end, 'use'
  from object o join pg_catalog.pg_operator p on p.oid = o.oid,
    pg_catalog.unnest(array[oprleft, oprright]) as type
  where o.kind = 'operator'
    and oprname in ('=', '<>', '<', '>', '<=', '>=', '~~', '!~~', '~~*', '!~~*', '~', '!~')
    and (type >= 16384 or greatest(oprleft, oprright) < 16384)
  union all
  select source, id, 'ddl', 0, 'use'
  from dependent
  where class = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
  union all
  select o.kind, o.oid, 'relation', confrelid, 'cascade'
  from object o join pg_catalog.pg_constraint c on c.conrelid = o.oid
  where o.kind = 'relation' and contype = 'f'
    and (confdeltype in ('c', 'n', 'd') or confupdtype in ('c', 'n', 'd'))
  union all
  select o.kind, o.oid, 'type', reltype, 'use'
  from object o join pg_catalog.pg_class c on c.oid = o.oid
  where o.kind = 'relation' and reltype <> 0
  union all
  select o.kind, o.oid, 'relation', inhparent, 'same'
  from object o join pg_catalog.pg_inherits i on i.inhrelid = o.oid
  where o.kind = 'relation'
)
select distinct source, id::pg_catalog.text, kind, owner::pg_catalog.text, usage, null as name
from edge
union all
select kind, oid::pg_catalog.text, 'itself', '', '', case kind
    when 'relation' then
      (select relname from pg_catalog.pg_class c where c.oid = object.oid)
    when 'function' then
      (select proname from pg_catalog.pg_proc p where p.oid = object.oid)
    when 'operator' then
      (select oprname from pg_catalog.pg_operator o where o.oid = object.oid)
    when 'type' then
      (select typname from pg_catalog.pg_type t where t.oid = object.oid)
  end::pg_catalog.text
from object`;
