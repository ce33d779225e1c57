import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { untilReady } from "./probe.ts";

/** Answers `/ready` with these, the last one again and again. */
async function answers(...bodies: readonly object[]): Promise<AsyncDisposable & { port: number }> {
  const left = [...bodies];
  const server = createServer((_, response) => {
    const body = left.length > 1 ? left.shift() : left[0];
    response.setHeader("connection", "close").end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

const STARTING = { ready: false, code: "STARTING", reason: "it starts" };

test("a pooler that starts is waited for", async () => {
  await using pooler = await answers(STARTING, STARTING, { ready: true });
  const { signal } = new AbortController();
  expect(await untilReady(true, pooler.port, { signal, pollMs: 1 })).toMatchObject({ ready: true });
});

test.each(["DIVERGED", "SECOND_PRIMARY", "WRONG_CLUSTER"])(
  "a pooler that is %s is not waited for",
  async (code) => {
    await using pooler = await answers(STARTING, { ready: false, code, reason: "other data" });
    const { signal } = new AbortController();
    expect(await untilReady(true, pooler.port, { signal, pollMs: 1 })).toEqual({
      ready: false,
      code,
      reason: "other data",
    });
  },
);
