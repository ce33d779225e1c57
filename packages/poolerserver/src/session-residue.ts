import { dialectsOf, splitStatements } from "./sql-tokens.ts";
import type { SqlToken } from "./sql-tokens.ts";

/**
 * What a query string may leave behind in its session:
 *
 * | residue | meaning                                          | the session                |
 * | ------- | ------------------------------------------------ | -------------------------- |
 * | none    | nothing, as far as its words tell                | goes to the next borrower  |
 * | state   | settings, locks, temporary tables, …             | is reset in the same write |
 * | copy    | the same; the server may ask for data meanwhile  | is reset afterwards        |
 * | lasting | a random seed, a library, a temporary slot, …    | is closed                  |
 */
export type SessionResidue = "none" | "state" | "copy" | "lasting";

/** Longer query strings are not read: that would take longer than a reset. */
const MAX_READ_LENGTH = 1024;
/** Functions of which something stays until the session ends, DISCARD ALL or not. */
const LASTING_FUNCTIONS = words(`
  setseed dblink_connect dblink_connect_u pg_backup_start pg_replication_origin_session_setup
  pg_create_logical_replication_slot pg_create_physical_replication_slot
  pg_copy_logical_replication_slot pg_copy_physical_replication_slot`);
const LASTING = new RegExp(
  String.raw`\b(?:${[...LASTING_FUNCTIONS].join("|")})\b|\bset\s+(?:session\s+)?"?seed\b|(?:^|;)\s*load\s`,
  "i",
);
const COPY = /\bcopy\b/i;

const PLAIN_LEADS = new Set(["select", "values", "table", "with", "show", "explain"]);

/** Words that make a statement with a plain lead write or create something. */
const NOT_PLAIN = new Set(["into", "insert", "update", "delete", "merge", "execute", "create"]);

/** Words that stand before a parenthesis without being the name of a function. */
const SYNTAX = words(`
  all and any array as asc between by case cast check collate cross cube desc distinct else except
  exists extract explain fetch filter following for from full group grouping having ilike in inner
  intersect is isnull join lateral left like limit materialized natural not notnull nulls offset on only or
  order ordinality outer over overlaps partition preceding recursive right rollup row rows select
  sets similar some table then to union using values when where window with within
  bit bpchar char character decimal float interval numeric time timestamp timestamptz timetz
  varbit varchar varying`);

/** Built-in functions that change nothing in the session. Others may exist: they cost a reset. */
const HARMLESS_FUNCTIONS = words(`
  abs age array_agg array_length array_position array_to_string array_upper ascii avg bit_length
  bool_and bool_or btrim cardinality ceil ceiling char_length coalesce concat concat_ws count
  current_database current_schema current_setting date_part date_trunc decode dense_rank div
  encode every exp extract first_value floor format format_type gen_random_uuid generate_series
  generate_subscripts greatest initcap json_agg json_array_elements json_build_array
  json_build_object json_object_agg jsonb_agg jsonb_array_elements jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_each jsonb_object_agg jsonb_object_keys jsonb_set
  jsonb_typeof justify_interval lag last_value lead least left length ln log lower lpad ltrim
  make_date make_interval make_timestamp max md5 min mod now ntile nullif octet_length overlay
  percent_rank percentile_cont percentile_disc pg_backend_pid pg_encoding_to_char pg_get_expr
  pg_get_indexdef pg_get_userbyid pg_is_in_recovery pg_relation_size pg_size_pretty pg_sleep
  pg_table_is_visible pg_total_relation_size pg_typeof position power quote_ident quote_literal
  random rank regexp_match regexp_matches regexp_replace regexp_split_to_array repeat replace
  reverse right round row_number row_to_json rpad rtrim sign split_part sqrt starts_with
  statement_timestamp stddev string_agg string_to_array strpos substr substring sum
  timeofday to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector
  transaction_timestamp translate trim trunc unnest upper variance version width_bucket`);

/**
 * Judges by the words alone, to be on the safe side: a statement leaves nothing behind if it is a
 * query that calls no function but well-known ones. Not seen are functions that are called without
 * being named, by a view, an operator, a cast, a row security policy, or that are named like a
 * column (`a.f` for `f(a)`).
 */
export function sessionResidue(sql: string): SessionResidue {
  if (sql.length > MAX_READ_LENGTH) {
    return residueAtAGlance(sql);
  }
  let residue: SessionResidue = "none";
  for (const dialect of dialectsOf(sql)) {
    for (const statement of splitStatements(sql, dialect)) {
      if (isLasting(statement)) {
        return "lasting";
      }
      if (isPlain(statement)) {
        continue;
      }
      if (residue !== "copy") {
        residue = isWord(statement[0], "copy") ? "copy" : "state";
      }
    }
  }
  return residue;
}

function residueAtAGlance(sql: string): SessionResidue {
  if (LASTING.test(sql)) {
    return "lasting";
  }
  return COPY.test(sql) ? "copy" : "state";
}

function isLasting(statement: readonly SqlToken[]): boolean {
  const [lead] = statement;
  if (isWord(lead, "load")) {
    return true;
  }
  const isSet = isWord(lead, "set");
  return statement.some(
    ({ kind, text }) =>
      kind !== "symbol" &&
      text !== undefined &&
      (LASTING_FUNCTIONS.has(text) || (isSet && text === "seed")),
  );
}

function isPlain(statement: readonly SqlToken[]): boolean {
  const lead = statement.find(({ text }) => text !== "(");
  if (lead?.kind !== "word" || !PLAIN_LEADS.has(lead.text)) {
    return false;
  }
  return statement.every((token, index) => {
    if (token.kind === "word" && NOT_PLAIN.has(token.text)) {
      return false;
    }
    if (statement[index + 1]?.text !== "(") {
      return true;
    }
    return !isCallable(token) || isHarmlessCall(token, statement[index - 1]);
  });
}

/** Whether a parenthesis behind `token` can be that of a call. */
function isCallable({ kind }: SqlToken): boolean {
  return kind === "word" || kind === "identifier";
}

function isHarmlessCall(name: SqlToken, before: SqlToken | undefined): boolean {
  // A name with a schema or with quotes may be anyone's function.
  if (name.kind !== "word" || before?.text === ".") {
    return false;
  }
  return SYNTAX.has(name.text) || HARMLESS_FUNCTIONS.has(name.text);
}

function isWord(token: SqlToken | undefined, word: string): boolean {
  return token?.kind === "word" && token.text === word;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
