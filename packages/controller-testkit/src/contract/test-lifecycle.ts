import { ControllerService } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { deepEqual, equal, ok } from "node:assert/strict";
import { PRIMARY, STOPPED } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, assertThrows, failureOf, poolerErrorOf } from "./failure.ts";
import { later } from "./patience.ts";

const { NotInitialized, NotOpen, NotServing, InvalidArgument, Cancelled, DeadlineExceeded } =
  PoolerErrorCode;

/** The orders of register, initDBConfig, open and close, and their misuse. */
export function testLifecycle(suite: ContractSuite): void {
  testBuilt(suite);
  testOpen(suite);
  testClose(suite);
}

function testBuilt(suite: ContractSuite): void {
  suite.test(
    "a controller without a database can be asked, but not used",
    async (scene) => {
      assertBuilt(scene);
      await assertFails(scene.controller.open(), NotInitialized);
      await assertFails(scene.controller.isHealthy(), NotInitialized);
      await assertFails(scene.controller.setServingType(PRIMARY), NotOpen);
      await scene.become(STOPPED);
    },
    { from: "built" },
  );

  suite.test(
    "register announces services of the registrar, and sessions only where they are offered",
    async ({ controller }) => {
      const offered: string[] = [];
      controller.register({ offer: (service) => void offered.push(service) });
      const known: readonly string[] = Object.values(ControllerService);
      deepEqual(
        offered.filter((service) => !known.includes(service)),
        [],
      );
      ok(offered.includes(ControllerService.Query), "a controller offers query");
      equal(offered.includes(ControllerService.Session), suite.offers.sessions);
    },
    { from: "built" },
  );

  suite.test(
    "no database is refused, and so is a second one",
    async ({ controller, subject }) => {
      assertThrows(() => controller.initDBConfig(null), InvalidArgument);
      const initialise = (database: never): void => controller.initDBConfig(database);
      // What the types forbid, and JavaScript callers do.
      assertThrows(() => void Reflect.apply(initialise, undefined, [undefined]), InvalidArgument);
      controller.initDBConfig(subject.database);
      assertThrows(() => controller.initDBConfig(subject.database), InvalidArgument);
    },
    { from: "built" },
  );

  suite.test(
    "a database is not enough to serve",
    async ({ controller, subject }) => {
      controller.initDBConfig(subject.database);
      assertThrows(() => controller.getExecutor(), NotOpen);
      await assertFails(controller.isHealthy(), NotOpen);
      await assertFails(controller.setServingType(PRIMARY), NotOpen);
    },
    { from: "built" },
  );
}

function testOpen(suite: ContractSuite): void {
  const { read } = suite.statements;

  suite.test("open does not serve yet, and again does nothing", async (scene) => {
    const { controller, subject } = scene;
    await scene.within(Promise.all([controller.open(), controller.open()]), "open");
    scene.assertReached(controller.servingStatus().current);
    equal(controller.isServing(), false);
    await assertFails(scene.run(read), NotServing);
    assertThrows(() => controller.initDBConfig(subject.database), InvalidArgument);
  });

  suite.test(
    "concurrent calls of open share one attempt",
    async (scene) => {
      scene.controller.initDBConfig(scene.subject.database);
      const opens = Array.from({ length: 5 }, () => scene.controller.open());
      await scene.within(Promise.all(opens), "open");
      await scene.become(PRIMARY);
      await scene.run(read);
    },
    { from: "built" },
  );

  suite.test(
    "an open that was aborted leaves nothing, and can be repeated",
    async (scene) => {
      const { controller, subject } = scene;
      controller.initDBConfig(subject.database);
      const aborted = controller.open({ signal: AbortSignal.abort() });
      await assertFails(aborted, Cancelled);
      const late = new DOMException("", "TimeoutError");
      await assertFails(controller.open({ signal: AbortSignal.abort(late) }), DeadlineExceeded);
      scene.assertNothingHeld();

      const abort = new AbortController();
      const given = later(controller.open({ signal: abort.signal }));
      const kept = later(controller.open());
      abort.abort();
      await Promise.all([given.catch(() => undefined), scene.within(kept, "open")]);
      await scene.within(controller.isHealthy(), "isHealthy");
    },
    { from: "built" },
  );

  suite.test(
    "close during open ends both",
    async (scene) => {
      const { controller, subject } = scene;
      controller.initDBConfig(subject.database);
      const opening = later(controller.open());
      const closing = later(scene.close());
      await Promise.all([closing, mayFail(scene.within(opening, "open"))]);
      assertBuilt(scene);
    },
    { from: "built" },
  );
}

function testClose(suite: ContractSuite): void {
  const { read } = suite.statements;

  suite.test(
    "close of what is not open does nothing",
    async (scene) => {
      await scene.close();
      assertBuilt(scene);
      scene.controller.initDBConfig(scene.subject.database);
      await scene.close();
      assertBuilt(scene);
    },
    { from: "built" },
  );

  suite.test(
    "double close is one close, and everything works again afterwards",
    async (scene) => {
      const { controller } = scene;
      const stale = controller.getExecutor();
      await Promise.all([scene.close(), scene.close()]);
      await scene.close();
      assertBuilt(scene);
      const target = { database: "", tableGroup: "", shard: "", mode: "UNSPECIFIED" } as const;
      const late = stale.streamExecute(
        {
          target,
          caller: { user: "", settings: new Map(), origin: "" },
          place: { type: "any" },
          statement: { type: "simple", sql: read },
        },
        { write: () => undefined },
      );
      await assertFails(scene.within(late, read), NotOpen, NotInitialized, NotServing);

      await scene.open();
      equal(controller.isServing(), false);
      await scene.become(PRIMARY);
      await scene.run(read);
    },
    { from: PRIMARY },
  );

  const { blocked } = suite.statements;
  if (blocked === undefined) {
    return;
  }
  suite.test(
    "close ends what runs",
    async (scene) => {
      const { ended } = await scene.startBlocked(blocked);
      await scene.close();
      await failureOf(scene.within(ended, blocked));
      assertBuilt(scene);
    },
    { from: PRIMARY },
  );

  suite.test(
    "close overtakes a drain",
    async (scene) => {
      const { ended } = await scene.startBlocked(blocked);
      const leaving = later(scene.controller.setServingType(STOPPED));
      const left = later(mayFail(scene.within(leaving, "setServingType")));
      await scene.close();
      await Promise.all([left, failureOf(scene.within(ended, blocked))]);
      assertBuilt(scene);
    },
    { from: PRIMARY },
  );
}

/** What a controller is before its start and after its end. */
function assertBuilt({ controller }: ContractScene): void {
  const { current, wanted } = controller.servingStatus();
  equal(current.status, "NOT_SERVING");
  equal(wanted, undefined);
  equal(controller.isServing(), false);
  assertThrows(() => controller.getExecutor(), NotInitialized);
}

/** Waits for a call that another one may have ended: if it fails, then as the contract says. */
async function mayFail(call: Promise<void>): Promise<void> {
  const succeeded = Symbol("succeeded");
  const outcome = await call.then(
    () => succeeded,
    (error: unknown) => error,
  );
  if (outcome !== succeeded) {
    poolerErrorOf(outcome);
  }
}
