import { once } from "node:events";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { READY_LIMIT_MS, servingPooler } from "./serving-pooler.ts";

const CHECKS = [
  "/live",
  "/liveness",
  "/ready",
  "/readiness",
  "/health",
  "/primary",
  "/master",
  "/leader",
  "/read-write",
  "/replica",
  "/replica?lag=10MB",
  "/read-only",
] as const;
const METHODS = ["GET", "HEAD", "OPTIONS"] as const;
const LIMIT_MS = 5;
/** The machine may be busy with something else now and then; a look at PostgreSQL would slow down each. */
const TIMES = 30;

test("every check is answered from memory in under 5 ms by every method, with PostgreSQL and without", async () => {
  await using postgres = await startPostgres();
  await using pooler = await servingPooler(postgres);
  const { hostname, port } = new URL(await pooler.http());
  using agent = new DisposableAgent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string, method: string): Promise<number> => {
    const asked = request({ host: hostname, port, path, method, agent }).end();
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    asked.once("response", resolve).once("error", reject);
    const response = await promise;
    await once(response.resume(), "end");
    return response.statusCode ?? 0;
  };
  const slow = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const path of CHECKS) {
      for (const method of METHODS) {
        const times: number[] = [];
        while (times.length < TIMES && !times.some((ms) => ms < LIMIT_MS)) {
          const since = performance.now();
          await ask(path, method);
          times.push(performance.now() - since);
        }
        if (Math.min(...times) >= LIMIT_MS) {
          found.push(`${method} ${path}: ${Math.min(...times)} ms`);
        }
      }
    }
    return found;
  };
  expect(await ask("/primary", "OPTIONS")).toBe(200);
  expect(await slow()).toEqual([]);
  await postgres.stop();
  await expect.poll(() => ask("/primary", "HEAD"), { timeout: READY_LIMIT_MS }).toBe(503);
  expect(await slow()).toEqual([]);
}, 60_000);

class DisposableAgent extends Agent implements Disposable {
  [Symbol.dispose](): void {
    this.destroy();
  }
}
