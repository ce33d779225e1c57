import { PoolerErrorCode } from "@multipooler/query-service";
import { fail } from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { DRAINED, PRIMARY, REPLICA, STOPPED } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import type { DatabaseOutage } from "./controller-factory.ts";
import { assertFails, failureOf } from "./failure.ts";

const { Cancelled, DatabaseError, DeadlineExceeded, PoolExhausted, PreExecutionUnavailable } =
  PoolerErrorCode;
const { AuthenticationFailed, ConnectionLost } = PoolerErrorCode;

/** How often a controller that has to recover is asked. */
const POLL_MS = 20;

/** What `isHealthy` says while the database is there, and while it is not. */
export function testHealth(suite: ContractSuite): void {
  suite.test("health does not look at the serving status", async (scene) => {
    for (const wanted of [STOPPED, PRIMARY, REPLICA, DRAINED]) {
      await scene.become(wanted);
      await scene.within(scene.controller.isHealthy(), `isHealthy in ${wanted.status}`);
    }
  });

  suite.test("a health check that is aborted ends", async (scene) => {
    const aborted = scene.controller.isHealthy({ signal: AbortSignal.abort() });
    await assertFails(scene.within(aborted, "isHealthy"), Cancelled, DeadlineExceeded);
  });

  const { blocked } = suite.statements;
  if (blocked !== undefined) {
    suite.test(
      "a query that takes long is no lack of health",
      async (scene) => {
        const { ended } = await scene.startBlocked(blocked);
        await scene.within(scene.controller.isHealthy(), "isHealthy");
        await scene.unblock();
        await scene.within(ended, blocked);
      },
      { from: PRIMARY },
    );
  }
  if (suite.hasOutages) {
    testOutages(suite);
  }
}

function testOutages(suite: ContractSuite): void {
  const { read } = suite.statements;

  suite.test(
    "a database that cannot be reached is told by health and by queries, until it is back",
    async (scene) => {
      const outage = outageOf(scene);
      await scene.run(read);
      await outage.begin();
      await assertUnreachable(scene.within(scene.controller.isHealthy(), "isHealthy"));
      await failureOf(scene.run(read));
      await outage.end();
      await untilHealthy(scene);
      await scene.run(read);
    },
    { from: PRIMARY },
  );

  suite.test(
    "an open that finds no database leaves nothing, and can be repeated",
    async (scene) => {
      const { controller, subject } = scene;
      const outage = outageOf(scene);
      await outage.begin();
      controller.initDBConfig(subject.database);
      await assertUnreachable(scene.within(controller.open(), "open"));
      scene.assertNothingHeld();
      await outage.end();
      await scene.within(controller.open(), "open");
      await scene.become(PRIMARY);
      await scene.run(read);
    },
    { from: "built" },
  );

  suite.test(
    "a database that is away keeps nobody from draining and closing",
    async (scene) => {
      const outage = outageOf(scene);
      await scene.run(read);
      await outage.begin();
      await scene.become(STOPPED);
      await scene.close();
      await outage.end();
    },
    { from: PRIMARY },
  );
}

async function assertUnreachable(call: Promise<unknown>): Promise<void> {
  await assertFails(
    call,
    PreExecutionUnavailable,
    ConnectionLost,
    DeadlineExceeded,
    PoolExhausted,
    DatabaseError,
    AuthenticationFailed,
  );
}

async function untilHealthy(scene: ContractScene): Promise<void> {
  const healthy = async (): Promise<void> => {
    for (;;) {
      try {
        await scene.controller.isHealthy();
        return;
      } catch {
        await delay(POLL_MS);
      }
    }
  };
  await scene.within(healthy(), "isHealthy, after the database came back");
}

function outageOf({ subject }: ContractScene): DatabaseOutage {
  if (subject.outage === undefined) {
    fail("a factory with outages has to make subjects with an outage");
  }
  return subject.outage;
}
