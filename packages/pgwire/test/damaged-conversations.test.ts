import { createHmac, pbkdf2Sync } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { ConnectOptions } from "../src/connection/connect-options.ts";
import { PgwireError } from "../src/error.ts";
import { ask, askRaw, queryMessage } from "./ask.ts";
import {
  authentication,
  commandComplete,
  cstring,
  dataRow,
  errorResponse,
  greeting,
  message,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";

const DEADLINE_MS = 60;
const MIB = 1_048_576;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What is done to one message of the server. */
interface Damage {
  readonly at: number;
  readonly kind: "none" | "byte" | "cut" | "noise" | "twice" | "length" | "silence";
  readonly position: number;
  readonly value: number;
}

const anyDamage: fc.Arbitrary<Damage> = fc.record({
  at: fc.nat(12),
  kind: fc.constantFrom("none", "byte", "cut", "noise", "twice", "length", "silence"),
  position: fc.nat(),
  value: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
});

/** How a server plays its side. */
interface Plan {
  readonly damages: readonly Damage[];
  /** What it writes at a time. */
  readonly pieceBytes: number;
  readonly usesScram: boolean;
  /** It ends the connection in the end. */
  readonly ends: boolean;
}

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  damages: fc.array(anyDamage, { maxLength: 3 }),
  pieceBytes: fc.integer({ min: 1, max: 40 }),
  usesScram: fc.boolean(),
  ends: fc.boolean(),
});

/** A server's end of a connection that damages what it says, and says it in pieces. */
class DamagedPeer {
  readonly peer: Peer;
  readonly #plan: Plan;
  #count = 0;

  constructor(peer: Peer, plan: Plan) {
    this.peer = peer;
    this.#plan = plan;
  }

  async say(...messages: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(messages.map((one) => this.#damage(one)));
    for (let at = 0; at < bytes.length; at += this.#plan.pieceBytes) {
      this.peer.write(bytes.subarray(at, at + this.#plan.pieceBytes));
      if (at % 7 === 0) {
        await turn();
      }
    }
  }

  #damage(original: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(original);
    for (const { at, kind, position, value } of this.#plan.damages) {
      if (at === this.#count) {
        bytes = damaged(bytes, { kind, position, value });
      }
    }
    this.#count += 1;
    return bytes;
  }
}

function damaged(bytes: Buffer, { kind, position, value }: Omit<Damage, "at">): Buffer {
  const offset = bytes.length === 0 ? 0 : position % bytes.length;
  switch (kind) {
    case "none":
      return bytes;
    case "byte":
      bytes.fill(value & 0xff, offset, offset + 1);
      return bytes;
    case "cut":
      return bytes.subarray(0, offset);
    case "noise":
      return Buffer.concat([
        bytes.subarray(0, offset),
        Buffer.alloc(position % 50, value & 0xff),
        bytes,
      ]);
    case "twice":
      return Buffer.concat([bytes, bytes]);
    case "length":
      if (bytes.length >= 5) {
        bytes.writeInt32BE(value, 1);
      }
      return bytes;
    case "silence":
      return Buffer.alloc(0);
  }
}

/** A server's side of SCRAM for the password "secret". */
async function scram(server: DamagedPeer): Promise<void> {
  await server.say(authentication(10, cstring("SCRAM-SHA-256"), Buffer.alloc(1)));
  const initial = (await server.peer.message()).body.toString();
  const bare = initial.slice(initial.indexOf("n=me"));
  const first = `r=${bare.slice(bare.indexOf("r=") + 2)}server,s=c2FsdA==,i=16`;
  await server.say(authentication(11, Buffer.from(first)));
  const final = (await server.peer.message()).body.toString();
  const salted = pbkdf2Sync("secret", "salt", 16, 32, "sha256");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest();
  const authMessage = `${bare},${first},${final.slice(0, final.indexOf(",p="))}`;
  const signature = createHmac("sha256", serverKey).update(authMessage).digest("base64");
  await server.say(authentication(12, Buffer.from(`v=${signature}`)));
}

const answer: readonly Buffer[] = [
  rowDescription("a", "b"),
  dataRow("1", null),
  parameterStatus("TimeZone", "UTC"),
  errorResponse("ERROR", "22012", "division by zero"),
  commandComplete("SELECT 1"),
  readyForQuery(),
];

function options(server: ScriptedServer): ConnectOptions {
  return {
    address: server.address,
    user: "me",
    database: "db",
    credential: async () => ({ type: "password", password: "secret" }),
  };
}

/** Plays the server until it has said everything or the client breaks off, which it may at any time. */
async function converse(peer: Peer, plan: Plan): Promise<void> {
  const play = async (): Promise<void> => {
    const damagedPeer = new DamagedPeer(peer, plan);
    await peer.untyped();
    if (plan.usesScram) {
      await scram(damagedPeer);
    }
    await damagedPeer.say(...split(greeting()));
    for (let count = 0; count < 3; count += 1) {
      await peer.query();
      await damagedPeer.say(...answer);
    }
    if (plan.ends) {
      peer.socket.end();
    }
  };
  await Promise.race([play().catch(() => undefined), peer.clientEnd]);
  await peer.clientEnd;
}

test("a conversation without damage goes well, in any pieces", async () => {
  for (const pieceBytes of [1, 7, 10_000]) {
    const plan = { damages: [], pieceBytes, usesScram: true, ends: true };
    await using server = await ScriptedServer.start((peer) => converse(peer, plan));
    const connection = await BackendConnection.connect(options(server));
    const sink = new RecordingSink();
    await expect(ask(connection, "one", sink)).rejects.toMatchObject({ code: "POSTGRES" });
    expect(sink.types).toEqual(["fields", "rows", "parameterStatus", "complete"]);
    const { bytes } = await askRaw(connection, queryMessage("two"));
    expect(bytes).toEqual(Buffer.concat(answer));
    connection.destroy();
  }
});

test("a conversation with any damage, in any pieces, settles within its deadline", async () => {
  const before = process.memoryUsage().arrayBuffers;
  await fc.assert(
    fc.asyncProperty(anyPlan, async (plan) => {
      await using server = await ScriptedServer.start((peer) => converse(peer, plan));
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

/** The messages of a stream. */
function split(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const end = at + 1 + stream.readInt32BE(at + 1);
    messages.push(stream.subarray(at, end));
    at = end;
  }
  return messages;
}
