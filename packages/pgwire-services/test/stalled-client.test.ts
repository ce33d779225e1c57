import { setTimeout as elapsed } from "node:timers/promises";
import type { SessionState } from "@multipooler/query-service";
import { expect, test } from "vitest";
import type { FakeSession } from "./fake-session.ts";
import { message } from "./frontend.ts";
import { TestServer } from "./test-server.ts";

const LIMIT_MS = 800;
const OPTIONS = { trustLoopback: true, clientStallTimeoutMs: LIMIT_MS } as const;
const ROW = message("D", Buffer.alloc(1_048_576));
const RUNNING: SessionState = { type: "running", sinceMs: 0 };

/** Writes until the client is behind. */
function fill({ client }: FakeSession): void {
  let written = 0;
  while (client.write(ROW)) {
    written += 1;
    expect(written).toBeLessThan(100);
  }
}

test.each([RUNNING, { type: "pinned", reason: "Transaction", sinceMs: 0 }] as const)(
  "a client that reads nothing is disconnected while its session is $type",
  async (state) => {
    await using scene = await TestServer.start(OPTIONS);
    await using client = await scene.client();
    const { session } = scene.manager;
    session.state = state;
    client.socket.pause();
    fill(session);
    await session.until(({ isEnded }) => isEnded);
    expect(session.ends).toContain("now");
    client.socket.resume();
    await client.end();
    await expect.poll(() => scene.server.count.connections).toBe(0);
  },
);

test("a client whose session holds no backend reads when it likes", async () => {
  await using scene = await TestServer.start(OPTIONS);
  await using client = await scene.client();
  const { session } = scene.manager;
  client.socket.pause();
  fill(session);
  await elapsed(2 * LIMIT_MS);
  expect(session.isEnded).toBe(false);
  client.socket.resume();
  await session.until(({ drains }) => drains === 1);
});

test("another limit is that of clients too that are behind already", async () => {
  await using scene = await TestServer.start({ ...OPTIONS, clientStallTimeoutMs: 0 });
  await using client = await scene.client();
  const { session } = scene.manager;
  session.state = RUNNING;
  client.socket.pause();
  fill(session);
  await elapsed(LIMIT_MS);
  expect(session.isEnded).toBe(false);
  scene.server.change({ clientStallTimeoutMs: LIMIT_MS });
  await session.until(({ isEnded }) => isEnded);
  client.socket.resume();
  await client.end();
});
