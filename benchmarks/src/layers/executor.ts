import type { QueryService, ResultSink, Statement } from "@multipooler/query-service";
import { runLoad } from "./load.ts";
import type { Caller } from "./load.ts";
import { openPooler } from "./pooler.ts";
import { Statements } from "./statements.ts";
import type { PostgresPlace, Subject } from "./subject.ts";

const NOWHERE: ResultSink = { write: () => undefined };
const NO_SETTINGS: ReadonlyMap<string, string> = new Map();

/** The call path: what a gRPC handler calls, without gRPC around it. */
export async function openExecutor(place: PostgresPlace, callers: number): Promise<Subject> {
  const pooler = await openPooler(place, callers);
  const statements = new Statements<Statement>((sql) => ({ type: "simple", sql }));
  const all = Array.from({ length: callers }, (_, index) =>
    callerOf(pooler.service, `caller ${index}`),
  );
  return { run: (load) => runLoad(load, statements, all), close: () => pooler.close() };
}

function callerOf(service: QueryService, origin: string): Caller<Statement> {
  const caller = { user: "", settings: NO_SETTINGS, origin };
  const place = { type: "any" } as const;
  // A transport always has a signal; making one is its own expense.
  const options = { signal: new AbortController().signal };
  return (statement) => service.streamExecute({ caller, place, statement }, NOWHERE, options);
}
