import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { PoolerType as RecordType } from "@multipooler/topo";
import { PoolerErrorCode } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import type { ManagerStatus } from "../src/manager-status.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { listenAsPeer, passOn } from "./peer.ts";
import { PATIENCE } from "./patience.ts";
import { PoolController } from "./pool-controller.ts";
import { configFor, managerConnections } from "./server.ts";

const isDrained = ({ serving }: ManagerStatus): boolean =>
  serving.current.status === "DRAINED" && serving.wanted === undefined;

function sendSigterm({ pid }: TestPostgres): void {
  if (pid === undefined) {
    throw new Error("no server");
  }
  process.kill(pid, "SIGTERM");
}

test("after a smart shutdown an idle pooler lets go, PostgreSQL exits, and is served when it is back", async () => {
  await using postgres = await startPostgres();
  const controller = new PoolController();
  await using fixture = new ManagerFixture({ database: configFor(postgres), controller });
  await fixture.open();
  await fixture.untilReady();
  expect(await managerConnections(postgres, "postgres")).toBeGreaterThan(3);

  sendSigterm(postgres);
  const leaving = await fixture.until(({ ready }) => !ready);
  expect(leaving.notReadyCode).toBe("DATABASE_LEAVING");
  expect(leaving.notReadyReason).toBe(
    `PostgreSQL at 127.0.0.1:${postgres.port} refuses the connection: ` +
      "the database system is shutting down (SQLSTATE 57P03)",
  );
  // It was told when it was found out, and once.
  expect(fixture.logger.messages("warn")).toEqual([leaving.notReadyReason]);
  expect(await postgres.ended).toEqual({ code: 0, signal: null });
  await fixture.until(({ database }) => database.lastError?.includes("ECONNREFUSED") === true);

  await postgres.start();
  await fixture.untilReady();
});

test("a suspicion of the controller makes the manager dial at once", async () => {
  await using postgres = await startPostgres();
  await using peer = await listenAsPeer(passOn(postgres.port));
  // Nothing is due before the clock is moved.
  const clock = new ManualClock();
  await using fixture = new ManagerFixture({
    database: {
      ...configFor(postgres),
      address: { type: "tcp", host: "127.0.0.1", port: peer.port },
    },
    manager: { clock },
  });
  await fixture.open();
  await fixture.untilReady();
  await clock.advance(300);
  const before = peer.accepted();
  fixture.controller.database?.suspect(
    Object.assign(new Error("a dial was refused"), {
      name: "PoolerError" as const,
      code: PoolerErrorCode.PreExecutionUnavailable,
      diagnostic: undefined,
      reservation: undefined,
    }),
  );
  await expect.poll(() => peer.accepted(), PATIENCE).toBeGreaterThan(before);
});

test("a drained pooler stands in nobody's way: rename, copy, drop and smart shutdown work", async () => {
  await using postgres = await startPostgres();
  await postgres.sql("CREATE DATABASE d");
  await using fixture = new ManagerFixture({
    database: configFor(postgres, "d"),
    controller: new PoolController(),
  });
  await fixture.open();
  await fixture.untilReady();
  await expect(postgres.sql("ALTER DATABASE d RENAME TO e")).rejects.toMatchObject({
    code: "55006",
  });

  // oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
  await fixture.setType(RecordType.DRAINED);
  await fixture.until(isDrained);
  await postgres.sql("CREATE DATABASE c TEMPLATE d");
  await postgres.sql("ALTER DATABASE d RENAME TO e");
  // It is held, and goes on to look at the database.
  const renamed = await fixture.until(({ database }) => !database.reachable);
  expect(renamed.database.lastError).toBe(
    `PostgreSQL at 127.0.0.1:${postgres.port} has no database "d"`,
  );
  expect(renamed).toMatchObject({ notReadyReason: "the topology says DRAINED" });
  await postgres.sql("ALTER DATABASE e RENAME TO d");
  await fixture.until(({ database }) => database.reachable);
  await postgres.sql("DROP DATABASE d");
  await postgres.sql("ALTER DATABASE c RENAME TO d");

  await fixture.setType(RecordType.PRIMARY);
  await fixture.untilReady();
  // oxlint-disable-next-line typescript/no-deprecated -- As above.
  await fixture.setType(RecordType.DRAINED);
  await fixture.until(isDrained);
  sendSigterm(postgres);
  expect(await postgres.ended).toEqual({ code: 0, signal: null });
});
