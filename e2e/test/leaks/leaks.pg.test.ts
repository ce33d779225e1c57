import { randomInt } from "node:crypto";
import { connect } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, test } from "vitest";
import { flagsFor } from "../flags.ts";
import { READY_LIMIT_MS } from "../serving-pooler.ts";
import { CallingClient } from "./calling-client.ts";
import { ConnectedClient } from "./connected-client.ts";
import type { LeakClient } from "./leak-client.ts";
import { LeakRun } from "./leak-run.ts";
import { seededNumbers } from "./observation.ts";
import type { SeededNumbers } from "./observation.ts";
import { leakObjects } from "./traces.ts";

const USERS = ["postgres", "alice", "bob"] as const;
const CLIENTS = 12;
/** Enough for each client and for reservations that are left behind. */
const CAPACITY = 16;
const DEFAULT_STEPS = 10_000;
const SEED_END = 2 ** 31;
/** A minute for the steps by default, and as long for each as many more. */
const MS_PER_STEP = 6;
const START_LIMIT_MS = 60_000;

const seed = numberOf("MULTIPOOLER_LEAK_SEED") ?? randomInt(SEED_END);
const steps = numberOf("MULTIPOOLER_LEAK_STEPS") ?? DEFAULT_STEPS;
const timeout = START_LIMIT_MS + steps * MS_PER_STEP;

let postgres: TestPostgres;
let pooler: PoolerProcess;
let seeded: SeededNumbers;

beforeAll(async () => {
  postgres = await startPostgres();
  const users = USERS.slice(1);
  const objects = [...users.map((user) => `create role ${user} login`), ...leakObjects(users)];
  await postgres.sql(objects.join(";\n"));
  seeded = await seededNumbers(postgres);
  pooler = startPooler({
    flags: {
      ...flagsFor(postgres),
      "connpool-global-capacity": String(CAPACITY),
      "connpool-user-reserved-inactivity-timeout": "5s",
      "pg-listen-port": "0",
      "pg-trust-loopback": "on",
    },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
}, START_LIMIT_MS);

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

test(`no call sees what another client's left, with seed ${seed}`, { timeout }, async () => {
  using client = connect({ address: await pooler.grpc() });
  await expectNoLeak(
    clientNumbers().map(
      (number) =>
        new CallingClient({ ...personOf(number), client, number, isLabelled: number % 3 === 0 }),
    ),
  );
});

test(`no session sees what another client's left, with seed ${seed}`, { timeout }, async () => {
  const [host = "", port] = (await pooler.pgwire()).split(":");
  await using clients = new AsyncDisposableStack();
  const connected: ConnectedClient[] = [];
  for (const number of clientNumbers()) {
    const { user, isSuperuser } = personOf(number);
    const address = { host, port: Number(port), user, database: "postgres" };
    connected.push(clients.use(await ConnectedClient.open({ address, number, isSuperuser })));
  }
  await expectNoLeak(connected);
});

async function expectNoLeak(clients: readonly LeakClient[]): Promise<void> {
  const run = new LeakRun({ seed, steps, clients, seeded });
  await postgres.sql("truncate ledger");
  await run.run();
  await run.checkLedger(postgres);
}

function clientNumbers(): number[] {
  return Array.from({ length: CLIENTS }, (_, index) => index + 1);
}

function personOf(number: number): { readonly user: string; readonly isSuperuser: boolean } {
  const user = USERS[Math.floor(number / 3) % USERS.length] ?? "postgres";
  return { user, isSuperuser: user === "postgres" };
}

function numberOf(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") {
    return undefined;
  }
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0 || number >= SEED_END) {
    throw new Error(`${name} must be a whole number from 0 up to ${SEED_END}, not ${text}`);
  }
  return number;
}
