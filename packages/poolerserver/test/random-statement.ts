import fc from "fast-check";

/** Expressions of type int or text over the objects of `OBJECTS`. `id` is a column everywhere. */
const MILD_EXPRESSIONS = [
  "1",
  "id",
  "'x'",
  "now()",
  "mild(1)",
  "mild_parsed(id)",
  "mild_clause()",
  "mild_local()",
  "upper('x')",
  "count(*) over ()",
  "set_config('app.a', 'x', true)",
  "(id ==== 1)",
  "'5'::mild_domain",
];
const SLY_EXPRESSIONS = [
  "set_config('app.a', 'x', false)",
  "nextval('numbers_id_seq')",
  "(id === 1)",
  "'5'::sly_domain",
  "sly_plpgsql()",
  "sly_inlined()",
  "sly_parsed()",
  "sly_set()",
  "sly_listen()",
  "sly_seed()",
  "sly_temp()",
  "sly_argument(id)",
  "hidden.sly_elsewhere()",
  '"Sly Quoted"()',
  "sly_dynamic('listen other')",
  "case when id > 0 then mild(id) else sly_set() end",
  "(select c from sly_view)",
  "(select max(id) from sly_policed)",
  "p.sly_column_style",
  "(0.25::float8).setseed",
];
const RELATIONS = [
  "plain",
  "plain",
  "numbers",
  "identified",
  "touched",
  "mild_view",
  "mild_column",
  "sly_op_view cross join plain",
  "sly_policed",
  "sly_generated",
  "sly_watched",
  "sly_over_view cross join plain",
];
const TARGETS = [
  "plain (id)",
  "numbers (a)",
  "identified (a)",
  "touched (id)",
  "mild_column (id)",
  "child (id)",
  "sly_default (id)",
  "sly_direct (id)",
  "sly_generated (id)",
  "sly_checked (id)",
  "sly_indexed (id)",
  "sly_watched (id)",
  "sly_parts (id)",
  "sly_ruled (id)",
  "sly_column (id)",
  "sly_policed (id)",
];
const UPDATED = [
  "plain",
  "numbers",
  "touched",
  "sly_logged",
  "sly_watched",
  "sly_policed",
  "child",
];

const expression = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...MILD_EXPRESSIONS) },
  fc.constantFrom(...SLY_EXPRESSIONS),
);
const query = fc
  .record({
    list: fc.array(expression, { minLength: 1, maxLength: 3 }),
    from: fc.constantFrom(...RELATIONS),
    where: fc.option(expression),
  })
  .map(({ list, from, where }) => {
    const condition = where === null ? "" : ` where (${where})::text is not null`;
    const alias = from === "plain" ? `${from} p` : from;
    return `select ${list.join(", ")} from ${alias}${condition} limit 2`;
  });
const insert = fc
  .record({ into: fc.constantFrom(...TARGETS), from: fc.option(query) })
  .map(({ into, from }) => `insert into ${into} ${from ?? "values (7)"} on conflict do nothing`);
const update = fc
  .record({ table: fc.constantFrom(...UPDATED), value: expression })
  .map(({ table, value }) => `update ${table} set id = id where (${value})::text = 'x' or id = 1`);

/** Statements over the objects of `OBJECTS`; some of them fail. */
export const randomStatement: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: query },
  insert,
  update,
  query.map((sql) => `explain (analyze) ${sql}`),
  query.map((sql) => `with w as (${sql}) select * from w`),
  fc.constantFrom(...UPDATED).map((table) => `delete from ${table} where id = 1000`),
  query.map((sql) => `do $$ begin perform * from (${sql}) q; end $$`),
  query.map((sql) => `begin; ${sql}; commit`),
);
