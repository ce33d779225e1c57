import type {
  CallOptions,
  DescribeRequest,
  ExecuteRequest,
  Statement,
  StatementDescription,
} from "@multipooler/query-service";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { request } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";

export type Prepared = Extract<Statement, { type: "prepared" }>;

/** Values as text; `null` for NULL. */
type Values = readonly (string | number | null)[];

/** A statement with its parameters in text. */
export function prepared(
  sql: string,
  values: Values = [],
  change: Partial<Prepared> = {},
): ExecuteRequest {
  return request("", {
    statement: {
      type: "prepared",
      sql,
      parameterTypes: [],
      parameters: values.map((value) => (value === null ? null : Buffer.from(String(value)))),
      parameterFormats: [],
      resultFormats: [],
      maxRows: 0,
      describe: false,
      ...change,
    },
  });
}

/** Runs a request on a pooler. */
export async function run(
  pooler: MultiPooler,
  call: ExecuteRequest,
  options: CallOptions = {},
): Promise<RecordingSink> {
  const sink = new RecordingSink();
  await pooler.getExecutor().streamExecute(call, sink, options);
  return sink;
}

/** Runs a prepared statement; returns its first column. */
export async function valuesOf(
  pooler: MultiPooler,
  sql: string,
  values: Values = [],
  change: Partial<Prepared> = {},
): Promise<(string | null)[]> {
  return (await run(pooler, prepared(sql, values, change))).values;
}

/** Runs SQL that names what `sql` was prepared as; returns its first column. */
export async function executed(
  pooler: MultiPooler,
  { prefix = "EXECUTE ", sql, suffix = "", parameterTypes = [] }: SqlExecution,
): Promise<(string | null)[]> {
  const statement = { type: "sqlExecute", prefix, sql, suffix, parameterTypes } as const;
  return (await run(pooler, request("", { statement }))).values;
}

interface SqlExecution {
  readonly prefix?: string;
  readonly sql: string;
  readonly suffix?: string;
  readonly parameterTypes?: readonly number[];
}

/** Describes a statement, or a portal of it. */
export function described(
  pooler: MultiPooler,
  sql: string,
  change: Partial<DescribeRequest> = {},
): Promise<StatementDescription> {
  const { target, caller } = request("");
  return pooler.getExecutor().describe({
    target,
    caller,
    place: { type: "any" },
    statement: { sql, parameterTypes: [] },
    ...change,
  });
}
