import type {
  TestPostgres,
  StartPostgresOptions,
  TemporaryDatabase,
} from "@multipooler/test-postgres";
import { SessionScene } from "./session-scene.ts";
import type { SessionSceneOptions } from "./session-scene.ts";
import { useDatabases } from "./test-server.ts";

/** One server for the tests of a file, and a database of its own for each test. */
export interface SessionStage {
  readonly postgres: TestPostgres;
  readonly database: TemporaryDatabase;
  /** Runs a statement in the test's database, past the pooler. */
  readonly sql: (text: string) => Promise<Record<string, unknown>[]>;
  /** The sessions of a pooler on the test's database. */
  readonly scene: (options?: Partial<SessionSceneOptions>) => Promise<SessionScene>;
}

/** @param defaults what each scene has that does not ask for something else */
export function useSessionStage(
  defaults: Partial<SessionSceneOptions> = {},
  server: StartPostgresOptions = {},
): SessionStage {
  let postgres: TestPostgres;
  let database: TemporaryDatabase;
  useDatabases((started, created) => {
    postgres = started;
    database = created;
  }, server);
  return {
    get postgres(): TestPostgres {
      return postgres;
    },
    get database(): TemporaryDatabase {
      return database;
    },
    sql: async (text) => await postgres.sql(text, { database: database.name }),
    scene: async (options = {}) =>
      await SessionScene.open({ postgres, database: database.name, ...defaults, ...options }),
  };
}
