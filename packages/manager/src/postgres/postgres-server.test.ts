import { PoolerErrorCode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { RecordingLogger } from "../../test/recording-logger.ts";
import { resolveDatabaseConfig } from "./database-config.ts";
import { HandleError } from "./handle-error.ts";
import { PostgresServer } from "./postgres-server.ts";

test("a handle whose server was let go suspects nothing any more", async () => {
  let suspicions = 0;
  const server = new PostgresServer({
    config: {
      ...resolveDatabaseConfig({
        address: { type: "tcp", host: "127.0.0.1", port: 5432 },
        database: "postgres",
        user: "postgres",
        password: () => undefined,
      }),
      place: "PostgreSQL at 127.0.0.1:5432",
      applicationName: "multipooler zone1_a",
    },
    clock: new ManualClock(),
    logger: new RecordingLogger(),
    onConnectionLost: () => undefined,
    onSuspicion: () => (suspicions += 1),
  });
  const cause = new HandleError(PoolerErrorCode.ConnectionLost, "a connection was lost");
  server.handle.suspect(cause);
  expect(suspicions).toBe(1);
  await server.close();
  server.handle.suspect(cause);
  expect(suspicions).toBe(1);
  expect(server.handle.share.tryTake()).toBeUndefined();
});
