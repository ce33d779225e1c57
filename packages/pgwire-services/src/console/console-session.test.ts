import type { PoolerError, SessionClient } from "@multipooler/query-service";
import { systemClock } from "@multipooler/timing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakePooler } from "../../test/fake-pooler.ts";
import { message, query } from "../../test/frontend.ts";
import { ConsoleSession } from "./console-session.ts";
import { Console } from "./console.ts";

/** Counts what comes, message by message; it is behind whenever the test says so. */
class CountingClient implements SessionClient {
  readonly types: string[] = [];
  hasEnded = false;
  isBehind = false;
  #partial: Buffer = Buffer.alloc(0);

  write(messages: Uint8Array): boolean {
    if (this.hasEnded) {
      throw new Error("something was written after the end");
    }
    this.#partial = Buffer.concat([this.#partial, messages]);
    while (this.#partial.length >= 5 && this.#partial.length > this.#partial.readInt32BE(1)) {
      this.types.push(this.#partial.toString("latin1", 0, 1));
      this.#partial = this.#partial.subarray(this.#partial.readInt32BE(1) + 1);
    }
    return !this.isBehind;
  }

  resume(): void {}

  ended(_reason: PoolerError | undefined): void {
    if (this.hasEnded) {
      throw new Error("it ended twice");
    }
    this.hasEnded = true;
  }

  count(type: string): number {
    return this.types.filter((each) => each === type).length;
  }
}

function consoleOf(): Console {
  return new Console({
    options: {
      database: "multipooler",
      admins: ["root"],
      viewers: [],
      pooler: new FakePooler(),
      version: "Multipooler 1.2.3",
      settings: () => [],
      reload: () => Promise.resolve(),
    },
    limits: { maxClients: 10, maxClientsPerUser: 0, maxClientsPerDatabase: 0 },
    clients: () => [],
    endClient: () => false,
    credentials: () => Promise.resolve(undefined),
    clock: systemClock,
  });
}

const text = fc.oneof(
  fc.constantFrom(
    "show pools",
    "show help; show state",
    "",
    "begin",
    "resume app",
    "kill 'a",
    "set a = 1",
  ),
  fc.string({ maxLength: 20 }).map((any) => any.replaceAll("\0", "")),
);
const name = fc.constantFrom("", "a", "b");
const zero = Buffer.alloc(6);
/** Messages as clients send them, of statements that do not wait. */
const sound = fc.oneof(
  text.map((sql) => query(sql)),
  fc.tuple(name, text).map(([as, sql]) => message("P", `${as}\0${sql}\0\0\0`)),
  fc
    .tuple(name, name)
    .map(([portal, of]) => message("B", Buffer.concat([Buffer.from(`${portal}\0${of}\0`), zero]))),
  fc.tuple(fc.constantFrom("S", "P"), name).map(([kind, of]) => message("D", `${kind}${of}\0`)),
  fc
    .tuple(name, fc.nat(3))
    .map(([of, rows]) => message("E", `${of}\0\0\0\0${String.fromCharCode(rows)}`)),
  fc.tuple(fc.constantFrom("S", "P"), name).map(([kind, of]) => message("C", `${kind}${of}\0`)),
  fc.constantFrom(message("S"), message("H"), message("d", "x"), message("c")),
);
const broken = fc
  .tuple(fc.constantFrom("Q", "P", "B", "D", "E", "C", "F", "?"), fc.uint8Array({ maxLength: 12 }))
  .map(([type, body]) => message(type, body));

async function talk(messages: readonly Buffer[], behindEvery: number): Promise<CountingClient> {
  const client = new CountingClient();
  const session = new ConsoleSession({ console: consoleOf(), role: "admin", client });
  for (const [index, bytes] of messages.entries()) {
    client.isBehind = index % behindEvery === 0;
    session.write(bytes);
    if (client.isBehind) {
      client.isBehind = false;
      session.drained();
    }
  }
  for (let turn = 0; turn < 200 && session.describe().type === "running"; turn += 1) {
    await Promise.resolve();
    session.drained();
  }
  await new Promise(setImmediate);
  session.drained();
  await new Promise(setImmediate);
  await session.end("now");
  return client;
}

test("each Query and each Sync is answered with one ReadyForQuery, whatever comes between", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sound, { maxLength: 30 }),
      fc.integer({ min: 2, max: 9 }),
      async (messages, behindEvery) => {
        const client = await talk(messages, behindEvery);
        // After an error of the extended protocol everything up to the next Sync is passed over.
        let expected = 0;
        const asked = messages.map((bytes) => bytes.toString("latin1", 0, 1));
        expected += asked.filter((type) => type === "S").length;
        expect(client.count("Z")).toBeGreaterThanOrEqual(expected);
        expect(client.count("Z")).toBeLessThanOrEqual(
          expected + asked.filter((type) => type === "Q").length,
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("what is no message ends the session, and nothing throws", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(sound, broken), { maxLength: 30 }), async (messages) => {
      const client = await talk(messages, 5);
      expect(client.hasEnded).toBe(true);
    }),
    { numRuns: 300 },
  );
});
