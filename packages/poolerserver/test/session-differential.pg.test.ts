import {
  Comparison,
  conversations,
  KEEPING_CLIENTS,
  PREPARING_SQL,
  RESTORING_SQL,
  WireClient,
} from "@multipooler/conversations";
import type { EmbeddedPostgres, TemporaryDatabase } from "@multipooler/embedded-postgres";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SessionPeer } from "./session-peer.ts";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

let postgres: EmbeddedPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

/** Start-up settings of the clients. */
const SETTINGS: readonly Readonly<Record<string, string>>[] = [
  {},
  { work_mem: "65kB" },
  { DateStyle: "German", search_path: "other" },
  {},
  {},
];

const LOGIN_LIMIT_MS = 20_000;

test("sessions of few connections answer as PostgreSQL does, and leave nothing", async () => {
  await using other = await postgres.createDatabase();
  for (const { name } of [database, other]) {
    await postgres.sql(PREPARING_SQL, { database: name });
  }
  await fc.assert(
    fc.asyncProperty(conversations(), async (conversation) => {
      for (const { name } of [database, other]) {
        await postgres.sql(RESTORING_SQL, { database: name });
      }
      await using pooler = await SessionScene.open({
        postgres,
        database: database.name,
        capacity: KEEPING_CLIENTS + 2,
      });
      await using stack = new AsyncDisposableStack();
      const pairs = await Promise.all(
        SETTINGS.map(async (own) => {
          const { port, user } = postgres;
          const to = { user, database: other.name, ...own };
          const direct = stack.use(await WireClient.connect(port, to));
          await direct.transcript.ready(AbortSignal.timeout(LOGIN_LIMIT_MS));
          const pooled = new SessionPeer();
          pooled.attach(await pooler.open(pooled, own));
          // The first values are told by the transport, at the login.
          for (const [name, value] of direct.transcript.parameters) {
            pooled.transcript.parameters.set(name, value);
          }
          return { direct, pooled };
        }),
      );
      await new Comparison(pairs).play(conversation);
      for (const { pooled } of pairs) {
        await pooled.end();
      }
      expect(pooler.sessions.size).toBe(0);
      expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
    }),
    // The same ones each time: new ones are sought with `e2e/test/differential.pg.test.ts`.
    { numRuns: 40, seed: 1 },
  );
}, 240_000);
