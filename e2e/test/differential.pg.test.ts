import {
  CLIENTS,
  Comparison,
  conversations,
  KEEPING_CLIENTS,
  PREPARING_SQL,
  RESTORING_SQL,
  WireClient,
} from "@multipooler/conversations";
import type { Step } from "@multipooler/conversations";
import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import type { PoolerProcess } from "@multipooler/pooler-process";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servingPooler } from "./serving-pooler.ts";

/** How many, e.g. 20000 outside CI. */
const WANTED = Number(process.env["MULTIPOOLER_DIFFERENTIAL_CONVERSATIONS"] ?? 250);
/** `SEED`, or `SEED/PATH` for the smallest conversation that was found, as a failure prints them. */
const [SEED, PATH] = (process.env["MULTIPOOLER_DIFFERENTIAL_SEED"] ?? "1").split("/");
const MAX_STEPS = 8;

/** Start-up parameters of the clients. */
const SETTINGS: readonly Readonly<Record<string, string>>[] = [
  {},
  { work_mem: "65kB", application_name: "second" },
  { options: "-c DateStyle=German -c search_path=other" },
  {},
  {},
];

const POOLED = "postgres";
const DIRECT = "direct";

let postgres: EmbeddedPostgres;
let pooler: PoolerProcess;
let pooledPort: number;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql(`create database ${DIRECT}`);
  for (const database of [POOLED, DIRECT]) {
    await postgres.sql(PREPARING_SQL, { database });
  }
  pooler = await servingPooler(postgres, {
    "connpool-global-capacity": String(KEEPING_CLIENTS + 2),
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
  await using clients = new AsyncDisposableStack();
  const pairs = await Promise.all(
    SETTINGS.slice(0, CLIENTS).map(async (own) => {
      const { user } = postgres;
      const to = { user, ...own };
      return {
        direct: clients.use(await WireClient.connect(postgres.port, { ...to, database: DIRECT })),
        pooled: clients.use(await WireClient.connect(pooledPort, { ...to, database: POOLED })),
      };
    }),
  );
  const comparison = new Comparison(pairs);
  await comparison.logins();
  await comparison.play(conversation);
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
