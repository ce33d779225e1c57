import type { TestPostgres } from "@multipooler/test-postgres";
import { MAX_CLIENTS, NUMBER_BASE, SEQUENCE_RANGE, markOf, seedOf } from "./traces.ts";

const NUMBERED = /c(\d+)/g;
/** PostgreSQL reads it in the time zone of the moment in which it parses the statement. */
const MIDNIGHT = "2024-01-01 00:00";
const SECONDS_A_MINUTE = 60;

/** Where traces show: an expression that tells them as text, and the numbers of clients in that. */
const PLACES = {
  user: ["current_user", byName],
  session_user: ["session_user", byName],
  mark: ["coalesce(current_setting('leak.mark', true), '')", byName],
  search_path: ["current_setting('search_path')", byName],
  statement_timeout: [
    `(select setting from pg_catalog.pg_settings where name = 'statement_timeout')`,
    byNumber,
  ],
  midnight: [`extract(epoch from '${MIDNIGHT}'::timestamptz)::text`, byZone],
  temporary_tables: [
    `(select string_agg(relname, ',') from pg_catalog.pg_class
      where relnamespace = pg_my_temp_schema() and relname like 'temp%')`,
    byName,
  ],
  locks: [
    `(select string_agg(objid::text, ',') from pg_catalog.pg_locks
      where locktype = 'advisory' and pid = pg_backend_pid())`,
    byNumber,
  ],
  prepared: [
    "(select string_agg(name, ',') from pg_catalog.pg_prepared_statements where name like 'prepared%')",
    byName,
  ],
  cursors: [
    "(select string_agg(name, ',') from pg_catalog.pg_cursors where name like 'cursor%')",
    byName,
  ],
  channels: [
    "(select string_agg(c, ',') from pg_listening_channels() c where c like 'channel%')",
    byName,
  ],
  lastval: ["public.leak_lastval()", bySequence],
} as const satisfies Readonly<Record<string, readonly [string, (text: string) => number[]]>>;

/** Tells, in one text, whatever the session holds. */
export const OBSERVE: string = `select concat_ws('|', ${[
  ...Object.values(PLACES).map(([expression]) => `coalesce(${expression}, '')`),
  "random()",
].join(", ")})`;

/** The random numbers that follow each client's seed, with the client. */
export type SeededNumbers = ReadonlyMap<string, number>;

export async function seededNumbers(postgres: TestPostgres): Promise<SeededNumbers> {
  const clients = Array.from({ length: MAX_CLIENTS }, (_, index) => index + 1);
  const rows = await postgres.sql(
    "select client, leak_seeded(seed) as numbers from unnest($1::int[], $2::float8[]) s (client, seed)",
    { values: [clients, clients.map(seedOf)] },
  );
  return new Map(
    rows.flatMap(({ client, numbers }) =>
      String(numbers)
        .split(",")
        .map((number) => [number, Number(client)] as const),
    ),
  );
}

/** Traces of the client at whose session was looked, and of others. */
export interface Found {
  readonly place: string;
  readonly text: string;
  readonly client: number;
}

/** Every trace in what {@link OBSERVE} told. */
export function tracesIn(told: string, seeded: SeededNumbers): Found[] {
  const texts = told.split("|");
  const found: Found[] = Object.entries(PLACES).flatMap(([place, [, clientsIn]], index) => {
    const text = texts[index] ?? "";
    return clientsIn(text).map((client) => ({ place, text, client }));
  });
  const random = texts.at(-1) ?? "";
  const client = seeded.get(random);
  return client === undefined ? found : [...found, { place: "random", text: random, client }];
}

/** Whether the session has the mark of this client, as its settings say. */
export function hasMark(found: readonly Found[], client: number): boolean {
  return found.some(({ place, text }) => place === "mark" && text === markOf(client));
}

function byName(text: string): number[] {
  return [...text.matchAll(NUMBERED)].map(([, number]) => Number(number));
}

function byNumber(text: string): number[] {
  return text
    .split(",")
    .map((number) => Number(number) - NUMBER_BASE)
    .filter((client) => client > 0);
}

function byZone(text: string): number[] {
  const client = (Date.parse(`${MIDNIGHT}Z`) / 1000 - Number(text)) / SECONDS_A_MINUTE;
  return client > 0 && client <= MAX_CLIENTS ? [client] : [];
}

function bySequence(text: string): number[] {
  const client = Math.floor(Number(text) / SEQUENCE_RANGE);
  return client > 0 ? [client] : [];
}
