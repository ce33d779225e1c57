/** Clients have numbers from 1 up to this. */
export const MAX_CLIENTS = 24;

/** What a client's settings, tables and channels are called by. */
export function markOf(client: number): string {
  return `c${client}`;
}

/** What is added to the number of a client in a number of its own. */
export const NUMBER_BASE = 1_000_000;

/** How many numbers of its sequence a client can draw. */
export const SEQUENCE_RANGE = 1_000_000;

/** The seed of `random()` that a client sets. */
export function seedOf(client: number): number {
  return client / 1000;
}

/** The time zone that a client sets: as many minutes east of Greenwich as its number is. */
function zoneOf(client: number): string {
  return `<${markOf(client).padEnd(3, "x")}>-00:${String(client).padStart(2, "0")}`;
}

/** A statement that leaves something of this client in its session. */
type Trace = (client: number) => string;

/** Traces that end with the transaction of their client. */
const TRACES_OF_TRANSACTIONS: readonly Trace[] = [
  (client) => `set local timezone = '${zoneOf(client)}'`,
  (client) => `select set_config('timezone', '${zoneOf(client)}', true)`,
  (client) => `set local search_path = schema_${markOf(client)}`,
  (client) => `set local role role_${markOf(client)}`,
];

/** Traces of anybody. */
const TRACES: readonly Trace[] = [
  ...TRACES_OF_TRANSACTIONS,
  (client) => `set leak.mark = '${markOf(client)}'`,
  (client) => `select set_config('leak.mark', '${markOf(client)}', false)`,
  (client) => `set search_path = schema_${markOf(client)}`,
  (client) => `set statement_timeout = ${NUMBER_BASE + client}`,
  (client) => `set timezone = '${zoneOf(client)}'`,
  (client) => `set role role_${markOf(client)}`,
  (client) => `select pg_try_advisory_lock(${NUMBER_BASE + client})`,
  (client) => `create temporary table if not exists temp_${markOf(client)} (a int)`,
  (client) => `prepare prepared_${markOf(client)} as select 1`,
  (client) => `declare cursor_${markOf(client)} cursor with hold for select 1`,
  (client) => `listen channel_${markOf(client)}`,
  (client) => `select nextval('public.sequence_${markOf(client)}')`,
  (client) => `select setseed(${seedOf(client)})`,
  (client) => `select public.leak_mark(${client})`,
  (client) => `select mark from public.marking where id = ${client}`,
  (client) => `select ${client} operator(public.~>) 0`,
  (client) => `select '${client}'::public.leak_number`,
  (client) => `insert into public.default_${markOf(client)} (id) values (1)`,
  (client) => `insert into public.leak_watched values (${client})`,
  (client) => `delete from public.leak_policed where id = ${client}`,
  (client) => `do $$ begin perform set_config('leak.mark', '${markOf(client)}', false); end $$`,
  (client) => `do $$ begin execute 'set leak.' || 'mark = ''${markOf(client)}'''; end $$`,
  (client) => `set leak.mark = '${markOf(client)}'; select 1 / 0`,
  (client) => `select 1; set leak.mark = '${markOf(client)}'`,
];

const TRACES_OF_SUPERUSERS: readonly Trace[] = [
  (client) => `set session authorization role_${markOf(client)}`,
];

/** Traces that would end a transaction of their client. */
const TRACES_OUTSIDE: readonly Trace[] = [
  (client) => `begin; set leak.mark = '${markOf(client)}'; commit`,
  (client) => `begin; listen channel_${markOf(client)}; commit`,
];

export function tracesOf(who: {
  readonly isSuperuser: boolean;
  readonly isTidy: boolean;
  readonly isInTransaction: boolean;
}): readonly Trace[] {
  if (who.isTidy) {
    return TRACES_OF_TRANSACTIONS;
  }
  return [
    ...TRACES,
    ...(who.isSuperuser ? TRACES_OF_SUPERUSERS : []),
    ...(who.isInTransaction ? [] : TRACES_OUTSIDE),
  ];
}

/** What takes traces away, all of them or some. */
export const RESETS: readonly string[] = [
  "reset all",
  "discard all",
  "reset role",
  "reset session authorization",
  "reset leak.mark",
  "set search_path to default",
  "reset timezone",
  "unlisten *",
  "deallocate all",
  "close all",
  "discard temp",
  "discard sequences",
  "select pg_advisory_unlock_all()",
];

/** Everything that the statements name, for a database of its own. */
export function leakObjects(users: readonly string[]): readonly string[] {
  const clients = Array.from({ length: MAX_CLIENTS }, (_, index) => index + 1);
  return [
    "create table ledger (id int primary key)",
    `create function leak_mark(client int) returns text language sql volatile
      as $$ select set_config('leak.mark', 'c' || $1, false) $$`,
    `create function leak_lastval() returns text language plpgsql as $$
      begin return lastval(); exception when others then return ''; end $$`,
    `create function leak_seeded(seed float8) returns text language plpgsql as $$
      declare numbers text[] := '{}';
      begin
        perform setseed(seed);
        for i in 1..200 loop numbers := numbers || random()::text; end loop;
        return array_to_string(numbers, ',');
      end $$`,
    `create table numbers as select generate_series(1, ${MAX_CLIENTS}) as id`,
    "create view marking as select id, leak_mark(id) as mark from numbers",
    `create function leak_operator(a int, b int) returns boolean language sql
      as $$ select leak_mark($1) is not null $$`,
    "create operator ~> (leftarg = int, rightarg = int, function = leak_operator)",
    `create function leak_checked(a int) returns int language plpgsql immutable as $$
      begin perform set_config('leak.mark', 'c' || a, false); return a; end $$`,
    "create domain leak_number as int check (public.leak_checked(value) = value)",
    `create function leak_trigger() returns trigger language plpgsql as $$
      begin perform public.leak_mark(new.id); return null; end $$`,
    "create table leak_watched (id int)",
    "create trigger t before insert on leak_watched for each row execute function leak_trigger()",
    `create table leak_policed as select generate_series(1, ${MAX_CLIENTS}) as id`,
    "alter table leak_policed enable row level security",
    "alter table leak_policed force row level security",
    "create policy p on leak_policed using (public.leak_checked(id) = 0)",
    ...clients.flatMap((client) => [
      `create role role_${markOf(client)}`,
      `create sequence sequence_${markOf(client)} minvalue ${client * SEQUENCE_RANGE}`,
      `create table default_${markOf(client)} (id int, mark int default leak_checked(${client}))`,
      ...users.map((user) => `grant role_${markOf(client)} to ${user}`),
    ]),
    "grant all on all tables in schema public to public",
    "grant all on all sequences in schema public to public",
  ];
}
