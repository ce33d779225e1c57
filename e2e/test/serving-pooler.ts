import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import type { TestPostgres } from "@multipooler/test-postgres";
import { flagsFor } from "./flags.ts";

/** The longest that a start or a recovery takes. */
export const READY_LIMIT_MS = 20_000;

/** Starts a primary in front of this server and waits until it serves. */
export async function servingPooler(
  postgres: TestPostgres,
  flags: Readonly<Record<string, string>> = {},
): Promise<PoolerProcess> {
  await using parts = new AsyncDisposableStack();
  const pooler = parts.use(startPooler({ flags: { ...flagsFor(postgres), ...flags } }));
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  parts.move();
  return pooler;
}

/** The one value of a query's one row, as text. */
export async function valueOf(client: PoolerClient, sql: string): Promise<string> {
  const { result } = await client.executeQuery({ query: sql });
  const [row, ...others] = result?.rows ?? [];
  if (row === undefined || others.length > 0 || row.lengths.length !== 1) {
    throw new Error(`not one value: ${sql}`);
  }
  return Buffer.from(row.values).toString();
}
