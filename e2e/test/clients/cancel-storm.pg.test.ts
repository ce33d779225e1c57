import { extended, query, WireClient } from "@multipooler/conversations";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "../client-pooler.ts";

/** `MULTIPOOLER_STORM_SECONDS=60 npm test -- --project @multipooler/e2e cancel-storm` is the long run. */
const STORM_MS = Number(process.env["MULTIPOOLER_STORM_SECONDS"] ?? 3) * 1000;
const LIMIT = 100;
const STORMING = 50;
const CAPACITY = 4;
const LIMIT_MS = 30_000;
const PATIENCE = { timeout: LIMIT_MS } as const;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start(
    {
      "connpool-global-capacity": String(CAPACITY),
      "pg-max-clients": String(LIMIT),
      "pg-trust-loopback": "on",
    },
    { server: { auth: "trust" } },
  );
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

/** A client that is logged in. */
async function connect(): Promise<WireClient> {
  const { port, user, database } = pooler.address;
  const client = await WireClient.connect(port, { user, database });
  const lines = await client.transcript.login(AbortSignal.timeout(LIMIT_MS));
  expect(lines.at(-1)).toMatch(/^Z/);
  return client;
}

/** The answer to one Query or group, as the first letters of its messages. */
async function answer(client: WireClient, messages: Buffer): Promise<string> {
  await client.send([messages]);
  const lines = await client.transcript.login(AbortSignal.timeout(LIMIT_MS));
  return lines.map((line) => line.slice(0, 1)).join("");
}

test.for([
  ["Query", query, "TDCZ"],
  ["group", extended, "12DCZ"],
] as const)("C4: a cancel that comes late leaves no stray answer, %s", async ([, of, letters]) => {
  await using client = await connect();
  for (let round = 0; round < 50; round += 1) {
    expect(await answer(client, of("select 1"))).toBe(letters);
    await client.cancel();
    expect(await answer(client, of("select 2"))).toBe(letters);
  }
});

/** Starts a statement and cancels it, again and again; each answer is whole, and the next one too. */
async function storm(client: WireClient, until: number): Promise<number> {
  let cancelled = 0;
  while (Date.now() < until) {
    const answered = answer(client, query("select pg_sleep(0.05)"));
    await client.cancel();
    const letters = await answered;
    expect(letters).toMatch(/^(?:TDC|T?E)Z$/);
    cancelled += letters.includes("E") ? 1 : 0;
    expect(await answer(client, query("select 2"))).toBe("TDCZ");
  }
  return cancelled;
}

test(
  "C5: a storm of cancels leaves nothing behind, and a wrong key changes nothing",
  async () => {
    const clients = await Promise.all(Array.from({ length: STORMING }, connect));
    const until = Date.now() + STORM_MS;
    const cancelled = await Promise.all(clients.map((client) => storm(client, until)));
    expect(cancelled.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);

    // Everybody else finds a place: none is taken by a cancel request.
    const others = await Promise.all(Array.from({ length: LIMIT - STORMING }, connect));
    const full = { clients: LIMIT, connections: LIMIT, refused: 0 };
    await expect.poll(() => pooler.clients(), PATIENCE).toMatchObject(full);
    // No request is turned away where all of them cancel at once, with every place taken.
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([...clients, ...others].map((client) => client.cancel()));
    }
    await expect.poll(() => pooler.clients(), PATIENCE).toMatchObject(full);

    const [victim] = clients;
    const [impostor] = others;
    if (victim === undefined || impostor === undefined) {
      throw new Error("there are no clients");
    }
    const wrong = Buffer.from(victim.transcript.key);
    wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1);
    const running = answer(victim, query("select pg_sleep(0.5)"));
    impostor.transcript.key = wrong;
    await impostor.cancel();
    expect(await running).toBe("TDCZ");
    await Promise.all([...clients, ...others].map((client) => client.vanish()));
    await expect.poll(() => pooler.clients(), PATIENCE).toMatchObject({ connections: 0 });
  },
  STORM_MS + 90_000,
);
