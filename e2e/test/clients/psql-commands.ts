/** Letters of psql's commands that describe kinds of objects. */
const KINDS = `d da dA dAc dAf dAo dAp db dc dC dconfig dd dD ddp dE des det deu dew df dF dFd dFp
  dFt dg di dl dL dm dn do dO dp dP drds dRp dRs ds dt dT du dv dx dX dy l z`.split(/\s+/);
const SUFFIXES = ["", "+", "S", "S+"];
/** Of every-kind.sql, the one or other that a command describes alone. */
const RELATIONS = `app.people app.orders app.events app.adults app.totals app.people_age app.numbers
  app.place app.remote app.child app.typed public.*`.split(/\s+/);
const FUNCTIONS = ["app.twice", "app.noted", "app.clean", "app.many"];
const VIEWS = ["app.adults", "app.barrier", "app.totals"];
const OTHERS = [
  "\\dfantw+ app.*",
  "\\dtvmsE+ app.*",
  "\\dTS+ int*",
  "\\do+ app.<<< app.place app.place",
  "\\dconfig *timeout*",
  "\\drds reader *",
  "\\lo_list+",
  "\\encoding",
];

/** All describing commands of psql, each with + and S, and with a pattern. */
export const DESCRIBING_COMMANDS: readonly string[] = [
  ...KINDS.flatMap((kind) => SUFFIXES.map((suffix) => `\\${kind}${suffix}`)),
  ...KINDS.flatMap((kind) => [`\\${kind} app.*`, `\\${kind}+ app.*`]),
  ...RELATIONS.flatMap((name) => [`\\d ${name}`, `\\d+ ${name}`]),
  ...FUNCTIONS.flatMap((name) => [`\\sf ${name}`, `\\sf+ ${name}`]),
  ...VIEWS.flatMap((name) => [`\\sv ${name}`, `\\sv+ ${name}`]),
  ...OTHERS,
];

/** Statements and commands of a session, with all that psql can do with a result. */
export const SESSION = `
create temp table lines (a int, b text);
\\copy lines from program 'seq 1 5 | sed "s/$/\\tx/"'
\\copy (select * from lines order by a) to stdout with csv header
copy lines from stdin;
6	one
7	two
\\.
copy (select * from lines order by a) to stdout;
create temp sequence countdown;
\\t on
select 1 / (3 - nextval('countdown')) \\watch 0.01
\\t off
select 1/0;
\\errverbose
select 1 as a, 'x'::text as b, now()::timestamptz(3) as c \\gdesc
select 'create temp table made_' || n || ' (a int)' from generate_series(1, 3) n \\gexec
select 'select ' || n || ' as n; select 2' from generate_series(1, 2) n \\gexec
select n % 3 as r, n % 2 as c, count(*) from generate_series(1, 20) n group by 1, 2 order by 1, 2 \\crosstabview
select 7 as seven, null as nothing \\gset
\\echo :seven :{?nothing}
select 1 \\; select 2 \\; select 3;
\\set ON_ERROR_ROLLBACK on
begin; insert into lines values (8, 'y'); select 1/0; insert into lines values (9, 'z'); commit;
table lines;
\\set AUTOCOMMIT off
insert into lines values (10, 'w'); rollback; select count(*) from lines; commit;
\\set AUTOCOMMIT on
\\set FETCH_COUNT 3
select * from generate_series(1, 10);
select 10 / (5 - n) from generate_series(1, 10) n;
\\set FETCH_COUNT 0
table lines limit 1 \\gx
\\pset format csv
table lines;
\\pset format aligned
\\encoding LATIN1
select chr(228);
\\encoding UTF8
listen channel; notify channel; unlisten channel;
\\set ECHO_HIDDEN noexec
\\dt app.*
\\set ECHO_HIDDEN off
prepare p as select $1::int; execute p(3); deallocate p;
set role reader; select current_user; reset role;
do $$ begin raise notice 'hello'; raise warning 'careful' using hint = 'look', detail = 'more'; end $$;
\\set VERBOSITY verbose
select nothing;
\\set VERBOSITY sqlstate
select nothing;
\\connect template1
select current_database();
\\connect postgres
select current_user, current_database();
`;

/** Of psql 16 and newer. */
export const BOUND_VALUES = `
select $1::int + $2::int \\bind 1 2 \\g
select $1::text \\bind x \\gdesc
`;
