import {
  compareConversation,
  conversations,
  KEEPING_CLIENTS,
  PREPARING_SQL,
  RESTORING_SQL,
  WireClient,
} from "@multipooler/conversations";
import type { Pair } from "@multipooler/conversations";
import type { TestPostgres, TemporaryDatabase } from "@multipooler/test-postgres";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SessionPeer } from "./session-peer.ts";
import { SessionScene } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

let postgres: TestPostgres;
let database: TemporaryDatabase;

useDatabases((started, created) => {
  postgres = started;
  database = created;
});

/** One for each client that may keep one, one that listens, and two more. */
const BACKENDS = KEEPING_CLIENTS + 3;
/** So many can look at the same time, beside one that listens. */
const FRESH_CLIENTS = 3;

type Settings = Readonly<Record<string, string>>;

/** Start-up settings of the clients. */
const SETTINGS: readonly Settings[] = [
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
        capacity: BACKENDS,
      });
      await using peers = new AsyncDisposableStack();
      const connect = async (own: Settings): Promise<Pair> => {
        const { port, user } = postgres;
        const to = { user, database: other.name, ...own };
        const direct = peers.use(await WireClient.connect(port, to));
        const pooled = new SessionPeer();
        pooled.attach(await pooler.open(pooled, own));
        // The login is the transport's part.
        await direct.transcript.loggedIn(AbortSignal.timeout(LOGIN_LIMIT_MS));
        pooled.toldAtLogin(direct.transcript.parameters);
        return { direct, pooled };
      };
      await compareConversation(conversation, {
        connect: async (client) => await connect(SETTINGS[client] ?? {}),
        connectFresh: async () => await connect({}),
        freshClients: FRESH_CLIENTS,
      });
      expect(pooler.sessions.size).toBe(0);
      expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
    }),
    // The same ones each time: new ones are sought with `e2e/test/differential.pg.test.ts`.
    { numRuns: 40, seed: 1 },
  );
}, 240_000);
