import { PassThrough } from "node:stream";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { setServerAccess } from "@multipooler/test-postgres";
import { expect, vi } from "vitest";
import type { ClientPooler } from "./client-pooler.ts";

const WITHIN = { timeout: 20_000, interval: 50 } as const;

/** As `--max-notification-bytes` of a pooler for which notifications are to be lost quickly. */
export const FEW_NOTIFICATION_BYTES = "16384";

/**
 * Has a listener read nothing until it is cut off, as the metrics of the pooler tell. Rejects with the
 * error that it gets.
 */
export async function dropNotifications(caller: PoolerClient, http: string): Promise<void> {
  const before = await droppedOf(http);
  const requests = new PassThrough({ objectMode: true });
  requests.write({ subscribeChannels: ["flood"] });
  const messages = caller.notificationStream(requests)[Symbol.asyncIterator]();
  await messages.next();
  // More than gRPC and the sockets between keep, and the bound.
  const flood = "select pg_notify('flood', repeat('x', 7000) || n) from generate_series(1, 2000) n";
  await caller.executeQuery({ query: flood });
  await vi.waitFor(async () => expect(await droppedOf(http)).toBeGreaterThan(before), WITHIN);
  for (;;) {
    const { done } = await messages.next();
    if (done === true) {
      return;
    }
  }
}

async function droppedOf(http: string): Promise<number> {
  const response = await fetch(`${http}/metrics`);
  const line = /^mg_pubsub_notifications_dropped_total(?:\{.*\})? (\d+)/m;
  return Number(line.exec(await response.text())?.[1] ?? 0);
}

/** Has a connection refused by PostgreSQL. Rejects with the error that the client gets. */
export async function failDial(scene: ClientPooler): Promise<void> {
  await scene.postgres.sql("create role barred login password 'secret'");
  await setServerAccess(scene.postgres, ["host all barred all reject"]);
  const client = await scene.connect({ user: "barred", password: "secret" });
  try {
    await client.query("select 1");
  } finally {
    await client.end();
    await setServerAccess(scene.postgres, []);
  }
}
