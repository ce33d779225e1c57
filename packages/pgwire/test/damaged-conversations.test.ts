import fc from "fast-check";
import { expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { ConnectOptions } from "../src/connection/connect-options.ts";
import { PgwireError } from "../src/error.ts";
import { ask, askRaw, queryMessage } from "./ask.ts";
import { authentication, greeting, message, readyForQuery } from "./backend-messages.ts";
import { anyPlan, converse, DAMAGED_ANSWER } from "./damaged-peer.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ScriptedServer } from "./scripted-server.ts";

const DEADLINE_MS = 60;
const MIB = 1_048_576;

function options(server: ScriptedServer): ConnectOptions {
  return {
    address: server.address,
    user: "me",
    database: "db",
    credential: async () => ({ type: "password", password: "secret" }),
  };
}

test("a conversation without damage goes well, in any pieces", async () => {
  for (const pieceBytes of [1, 7, 10_000]) {
    const plan = { damages: [], pieceBytes, usesScram: true, ends: true };
    await using server = await ScriptedServer.start(async (peer) => {
      await peer.untyped();
      await converse(peer, plan);
    });
    const connection = await BackendConnection.connect(options(server));
    const sink = new RecordingSink();
    await expect(ask(connection, "one", sink)).rejects.toMatchObject({ code: "POSTGRES" });
    expect(sink.types).toEqual(["fields", "rows", "parameterStatus", "complete"]);
    const { bytes } = await askRaw(connection, queryMessage("two"));
    expect(bytes).toEqual(Buffer.concat(DAMAGED_ANSWER));
    connection.destroy();
  }
});

test("a conversation with any damage, in any pieces, settles within its deadline", async () => {
  const before = process.memoryUsage().arrayBuffers;
  await fc.assert(
    fc.asyncProperty(anyPlan, async (plan) => {
      await using server = await ScriptedServer.start(async (peer) => {
        await peer.untyped();
        await converse(peer, plan);
      });
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const connecting = BackendConnection.connect(options(server), { signal });
      const connection = await connecting.catch((error: unknown) => error);
      if (!(connection instanceof BackendConnection)) {
        expect(connection).toBeInstanceOf(PgwireError);
        return;
      }
      const outcomes = [
        ask(connection, "one", new RecordingSink()).catch((error: unknown) => error),
        askRaw(connection, queryMessage("two")).then(({ end }) => end),
        ask(connection, "three", new RecordingSink()).catch((error: unknown) => error),
      ];
      await connection.close({ signal: AbortSignal.timeout(DEADLINE_MS) });
      const [one, two, three] = await Promise.all(outcomes);
      for (const error of [one, three]) {
        expect(error === undefined || error instanceof PgwireError).toBe(true);
      }
      expect(two).toHaveProperty("type");
      expect([connection.state, connection.inFlight]).toEqual(["closed", 0]);
    }),
    { numRuns: 150 },
  );
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
});

test("a server that says anything at start-up is told as what it is, within the deadline", async () => {
  const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const parts = fc.oneof(
    anyBytes,
    fc.tuple(fc.constantFrom(..."RSKZENvAT"), anyBytes).map(([type, body]) => message(type, body)),
    fc
      .tuple(fc.constantFrom(0, 10, 11, 12), anyBytes)
      .map(([type, body]) => authentication(type, body)),
    fc.constantFrom(authentication(0), greeting(), readyForQuery()),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { maxLength: 6 }), async (stream) => {
      await using server = await ScriptedServer.start(async (peer) => {
        peer.write(...stream);
        await peer.clientEnd;
      });
      const attempt = BackendConnection.connect(
        { address: server.address, user: "me", database: "db" },
        { signal: AbortSignal.timeout(DEADLINE_MS) },
      );
      const outcome = await attempt.catch((error: unknown) => error);
      if (outcome instanceof BackendConnection) {
        outcome.destroy();
        await outcome.closed;
      } else {
        expect(outcome).toBeInstanceOf(PgwireError);
      }
    }),
    { numRuns: 100 },
  );
});
