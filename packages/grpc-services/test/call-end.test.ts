import { encodeFields, encodeCommandTag } from "@multipooler/query-service";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { connect as connectClient } from "../src/client/index.ts";
import { dataRow, textFields } from "./data-rows.ts";
import { FakePoolerError } from "./fake-manager.ts";
import type { Execute } from "./fake-manager.ts";
import { startServer } from "./test-server.ts";

/** A statement that sends one row and then runs until it is told to end. */
class EndlessStatement {
  readonly started: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly ended: PromiseWithResolvers<AbortSignal> = Promise.withResolvers();

  readonly execute: Execute = async (_request, sink, { signal } = {}) => {
    if (signal === undefined) {
      throw new TypeError("no signal");
    }
    await sink.write({ type: "fields", bytes: encodeFields(textFields("a")) });
    await sink.write({ type: "rows", bytes: dataRow("1"), rowCount: 1, inProgress: false });
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
    this.started.resolve();
    if (!signal.aborted) {
      await once(signal, "abort");
    }
    this.ended.resolve(signal);
    // Late words of a statement that is over go nowhere and harm nobody.
    await sink.write({ type: "complete", bytes: encodeCommandTag("LATE") });
    throw new FakePoolerError("CANCELLED", "the statement was cancelled");
  };
}

function iteratorOf<Message>(messages: AsyncIterable<Message>): AsyncIterator<Message> {
  return messages[Symbol.asyncIterator]();
}

/** How the signal of the statement aborted, e.g. "AbortError". */
async function reasonOf(statement: EndlessStatement): Promise<string> {
  const reason: unknown = (await statement.ended.promise).reason;
  return reason instanceof DOMException ? reason.name : String(reason);
}

test("cancelling a call in the middle of its stream aborts the statement", async () => {
  await using pooler = await startServer();
  const statement = new EndlessStatement();
  pooler.manager.execute = statement.execute;
  const cancel = new AbortController();
  const messages = iteratorOf(pooler.client.streamExecute({}, { signal: cancel.signal }));
  await messages.next();
  cancel.abort();
  await expect(messages.next()).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await reasonOf(statement)).toBe("AbortError");
  expect(pooler.log).toEqual([]);
});

test("leaving the loop over a stream aborts the statement", async () => {
  await using pooler = await startServer();
  const statement = new EndlessStatement();
  pooler.manager.execute = statement.execute;
  for await (const _message of pooler.client.streamExecute({})) {
    break;
  }
  expect(await reasonOf(statement)).toBe("AbortError");
});

test("cancelling a unary call aborts the statement", async () => {
  await using pooler = await startServer();
  const statement = new EndlessStatement();
  pooler.manager.execute = statement.execute;
  const cancel = new AbortController();
  const call = pooler.client.executeQuery({}, { signal: cancel.signal });
  await statement.started.promise;
  cancel.abort();
  await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await reasonOf(statement)).toBe("AbortError");
});

// At its deadline a client also cancels, and the server may hear of that first. That a deadline is a
// TimeoutError is tested with a client that only waits, in slow-client.test.ts.
test("a deadline that passes in the middle of a stream aborts the statement", async () => {
  await using pooler = await startServer();
  const statement = new EndlessStatement();
  pooler.manager.execute = statement.execute;
  const messages = iteratorOf(pooler.client.streamExecute({}, { timeoutMs: 1500 }));
  await messages.next();
  await expect(messages.next()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect((await statement.ended.promise).aborted).toBe(true);
});

test("a deadline that passes before the first message is DEADLINE_EXCEEDED", async () => {
  await using pooler = await startServer();
  const ended = Promise.withResolvers<void>();
  pooler.manager.execute = async (_request, _sink, { signal } = {}) => {
    if (signal === undefined) {
      throw new TypeError("no signal");
    }
    await once(signal, "abort");
    ended.resolve();
    throw new FakePoolerError("DEADLINE_EXCEEDED", "too late");
  };
  await expect(pooler.client.executeQuery({}, { timeoutMs: 500 })).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
  await ended.promise;
});

test("a client that vanishes in the middle of a stream aborts the statement", async () => {
  await using pooler = await startServer();
  const statement = new EndlessStatement();
  pooler.manager.execute = statement.execute;
  // A wire that can be cut between client and server.
  let cut = (): void => {};
  const wire = createServer((near) => {
    const far = connect(pooler.server.port ?? 0, "127.0.0.1");
    near.pipe(far).pipe(near);
    near.on("error", () => {}).on("close", () => far.destroy());
    far.on("error", () => {}).on("close", () => near.destroy());
    cut = () => near.resetAndDestroy();
  }).listen(0, "127.0.0.1");
  await once(wire, "listening");
  const address = wire.address();
  const port = typeof address === "object" ? address?.port : undefined;
  using client = connectClient({ address: `127.0.0.1:${port}` });
  const messages = iteratorOf(client.streamExecute({}));
  await messages.next();
  cut();
  await expect(messages.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await reasonOf(statement)).toBe("AbortError");
  wire.close();
});

test("a statement that ends by itself leaves its signal alone", async () => {
  await using pooler = await startServer();
  let seen: AbortSignal | undefined;
  pooler.manager.execute = async (_request, sink, { signal } = {}) => {
    seen = signal;
    await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
  };
  await Array.fromAsync(pooler.client.streamExecute({}, { timeoutMs: 10_000 }));
  // Another round trip, so that everything about the first call is over.
  await pooler.client.isServing("");
  expect(seen?.aborted).toBe(false);
});

test("more than a thousand calls cancelled in a row leave the others on the connection alone", async () => {
  await using pooler = await startServer();
  const held = Promise.withResolvers<void>();
  pooler.manager.execute = async ({ statement }, sink, { signal } = {}) => {
    const sql = statement.type === "simple" ? statement.sql : statement.type;
    await sink.write({ type: "complete", bytes: encodeCommandTag(sql) });
    if (sql === "held") {
      await held.promise;
    } else if (signal?.aborted === false) {
      await once(signal, "abort");
    }
  };
  const messages = iteratorOf(pooler.client.streamExecute({ query: "held" }));
  await messages.next();
  const cancelOne = async (): Promise<void> => {
    for await (const _message of pooler.client.streamExecute({ query: "cancelled" })) {
      break;
    }
  };
  for (let call = 0; call < 1500; call += 50) {
    await Promise.all(Array.from({ length: 50 }, cancelOne));
  }
  held.resolve();
  expect(await messages.next()).toEqual({ done: true, value: undefined });
});
