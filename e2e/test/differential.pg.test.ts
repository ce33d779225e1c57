import {
  compareConversation,
  conversations,
  KEEPING_CLIENTS,
  PREPARING_SQL,
  Protocol,
  RESTORING_SQL,
  WireClient,
} from "@multipooler/conversations";
import type { Pair, Step } from "@multipooler/conversations";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servingPooler } from "./serving-pooler.ts";

/** How many, e.g. 20000 outside CI. */
const WANTED = Number(process.env["MULTIPOOLER_DIFFERENTIAL_CONVERSATIONS"] ?? 250);
/** `SEED`, or `SEED/PATH` for the smallest conversation that was found, as a failure prints them. */
const [SEED, PATH] = (process.env["MULTIPOOLER_DIFFERENTIAL_SEED"] ?? "1").split("/");
const MAX_STEPS = 8;

/** One for each client that may keep one, one that listens, and two more. */
const BACKENDS = KEEPING_CLIENTS + 3;
/** So many can look at the same time, beside one that listens. */
const FRESH_CLIENTS = 3;

type Settings = Readonly<Record<string, string>>;

/** Start-up parameters of the clients. */
const SETTINGS: readonly Settings[] = [
  {},
  { work_mem: "65kB", application_name: "second", datestyle: "SQL, MDY" },
  { options: "-c DateStyle=German -c search_path=other" },
  {},
  { timezone: "Europe/Berlin", "app.x": "of the start" },
];

const POOLED = "postgres";
const DIRECT = "direct";

let postgres: TestPostgres;
let pooler: PoolerProcess;
let pooledPort: number;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql(`create database ${DIRECT}`);
  for (const database of [POOLED, DIRECT]) {
    await postgres.sql(PREPARING_SQL, { database });
  }
  pooler = await servingPooler(postgres, {
    "connpool-global-capacity": String(BACKENDS),
    "pg-listen-port": "0",
    "pg-trust-loopback": "on",
  });
  pooledPort = Number((await pooler.pgwire()).split(":").at(-1));
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

async function play(conversation: readonly Step[]): Promise<void> {
  for (const database of [POOLED, DIRECT]) {
    await postgres.sql(RESTORING_SQL, { database });
  }
  await using peers = new AsyncDisposableStack();
  const connect = async (own: Settings, protocol: Protocol): Promise<Pair> => {
    const to = { user: postgres.user, ...own };
    const pooled = { ...to, database: POOLED };
    return {
      direct: peers.use(await WireClient.connect(postgres.port, { ...to, database: DIRECT })),
      pooled: peers.use(await WireClient.connect(pooledPort, pooled, protocol)),
    };
  };
  await compareConversation(conversation, {
    connect: async (client) => await connect(SETTINGS[client] ?? {}, protocolOf(client)),
    connectFresh: async () => await connect({}, Protocol.V3_0),
    freshClients: FRESH_CLIENTS,
  });
}

/** PostgreSQL answers the same in 3.2 where it knows that. */
function protocolOf(client: number): Protocol {
  return client % 2 === 0 ? Protocol.V3_0 : Protocol.V3_2;
}

test("clients of few connections are answered as PostgreSQL answers them", async () => {
  const { failed, numRuns, seed, counterexamplePath, errorInstance } = await fc.check(
    fc.asyncProperty(conversations({ maxSteps: MAX_STEPS }), play),
    {
      numRuns: PATH === undefined ? WANTED : 1,
      seed: Number(SEED),
      ...(PATH === undefined ? {} : { path: PATH }),
    },
  );
  console.log(`${numRuns} conversations of seed ${seed} were compared`);
  const replay = `MULTIPOOLER_DIFFERENTIAL_SEED=${seed}/${counterexamplePath}`;
  expect(failed ? `${String(errorInstance)}\n${replay}` : "").toBe("");
}, 7_200_000);
