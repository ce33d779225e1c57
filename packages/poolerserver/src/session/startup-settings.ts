import { SimpleQuery } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Settings } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import { literal } from "../pool/label-difference.ts";
import { LabelSettings } from "../pool/label-settings.ts";
import type { Lease } from "../pool/lease.ts";
import { queryError } from "../postgres-error.ts";

/** Start-up parameters that change nothing of what a statement does. */
const NO_SETTINGS = new Set(["user", "database", "application_name"]);

/**
 * The query that gives a session the settings of its client, or `undefined` if a backend has them as
 * it is. `parameters` are what a backend has reported.
 */
export function startupQuery(
  settings: Settings,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  const reported = new Map([...parameters].map(([name, value]) => [name.toLowerCase(), value]));
  const calls: string[] = [];
  for (const [name, value] of settings) {
    const setting = name.toLowerCase();
    if (!NO_SETTINGS.has(setting) && !isSame(reported.get(setting), value)) {
      calls.push(`pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`);
    }
  }
  return calls.length === 0 ? undefined : `SELECT ${calls.join(", ")}`;
}

function isSame(reported: string | undefined, wanted: string): boolean {
  return reported?.toLowerCase() === wanted.toLowerCase();
}

/** The start-up setting that would end read-only mode, if there is one; for `readOnlyRefusal`. */
export function readOnlyEscapeOf(settings: Settings): string | undefined {
  return new LabelSettings(settings).liftsReadOnly
    ? "a start-up setting that allows writes"
    : undefined;
}

/** Runs a query whose result nobody needs. Rejects with its error; the backend is to be ended then. */
export async function runOn({ backend }: Lease, sql: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle: SimpleQuery["settle"] = (end) => {
    if (end.type === "sinkFailed") {
      const problem = "an answer was not taken";
      reject(new MultiPoolerError(PoolerErrorCode.Internal, problem, { cause: end.cause }));
    } else if (end.error === undefined) {
      resolve();
    } else {
      reject(queryError(end.error));
    }
  };
  backend.send(new SimpleQuery({ sql, receiver: { event: () => undefined, settle } }));
  await promise;
}
