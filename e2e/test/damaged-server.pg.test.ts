import { GrpcStatusError, connect } from "@multipooler/grpc-services/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";
import { Network } from "./network.ts";
import type { Damage } from "./network.ts";

const QUERY = "select repeat('x', 1000)";
const RESULT = "x".repeat(1000);
/** Of pool and manager: were one left behind by each damage, there would be more. */
const MOST_CONNECTIONS = 8;
const half = (answer: Buffer): Buffer => answer.subarray(0, answer.length / 2);

const DAMAGES: readonly (readonly [what: string, damage: Damage])[] = [
  ["sends garbage", { change: ({ length }) => Buffer.alloc(length, 0xff), after: "open" }],
  ["sends zeros", { change: ({ length }) => Buffer.alloc(length), after: "open" }],
  [
    "announces a message of 1 GiB",
    { change: () => Buffer.from([0x44, 0x3f, 0xff, 0xff, 0xff, 0, 1]), after: "silent" },
  ],
  ["ends in the middle of a message", { change: half, after: "closed" }],
  ["stops in the middle of a message", { change: half, after: "silent" }],
];

let network: Network;
let clients: ClientPooler;

beforeAll(async () => {
  clients = await ClientPooler.start(
    {},
    {
      portOf: async (postgres) => {
        network = await Network.before(postgres.port);
        return network.port;
      },
    },
  );
}, 60_000);

afterAll(async () => {
  await clients?.[Symbol.asyncDispose]();
  await network?.[Symbol.asyncDispose]();
});

async function ask(way: "call" | "session", query: string): Promise<unknown> {
  if (way === "call") {
    using client = connect({ address: await clients.pooler.grpc() });
    return (await client.executeQuery({ query })).result?.rows.length;
  }
  const client = await clients.connect();
  try {
    return (await client.query(query)).rowCount;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Damages the next answer that has the result. */
function once(damage: Damage): Network["damage"] {
  let isDone = false;
  return (answer) => {
    if (isDone || !answer.includes(RESULT)) {
      return undefined;
    }
    isDone = true;
    return damage;
  };
}

test.each(
  DAMAGES.flatMap(([what, damage]) =>
    (["call", "session"] as const).map((way) => [way, what, damage] as const),
  ),
)(
  "a %s fails when the server %s, and the pooler goes on",
  async (way, _what, damage) => {
    await expect.poll(() => ask(way, QUERY).catch(() => 0), { timeout: 15_000 }).toBe(1);
    const process = clients.pooler.pid;
    const client = way === "session" ? await clients.connect() : undefined;
    network.damage = once(damage);
    const failed = client === undefined ? ask(way, QUERY) : client.query(QUERY);
    const error: unknown = await failed.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    if (error instanceof GrpcStatusError) {
      expect(error.diagnostic?.code).toMatch(/^08/);
    }
    await client?.end().catch(() => undefined);
    await expect.poll(() => ask(way, QUERY).catch(() => 0), { timeout: 15_000 }).toBe(1);
    expect(clients.pooler.pid).toBe(process);
    await expect
      .poll(() => network.connections, { timeout: 20_000 })
      .toBeLessThan(MOST_CONNECTIONS);
  },
  60_000,
);
