import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { deepEqual, equal, ok } from "node:assert/strict";
import {
  DRAINED,
  PRIMARY,
  REPLICA,
  STOPPED,
  admits,
  assertTarget,
  target,
} from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails } from "./failure.ts";
import { isPending, later } from "./patience.ts";

const { Cancelled, DeadlineExceeded, NotServing } = PoolerErrorCode;

const TARGETS: readonly ServingTarget[] = Object.values(ServingStatus).flatMap((status) =>
  Object.values(PoolerRole).map((role) => target(status, role)),
);

/** From status to status: order, idempotence, failure. */
export function testTransitions(suite: ContractSuite): void {
  testTargets(suite);
  const { blocked } = suite.statements;
  if (blocked !== undefined) {
    testDrainOfQueries(suite, blocked);
    testInterruptedDrain(suite, blocked);
  }
}

function testTargets(suite: ContractSuite): void {
  const { read } = suite.statements;

  for (const from of TARGETS) {
    suite.test(
      `from ${from.status} ${from.role} every target can be reached, and is obeyed`,
      async (scene) => {
        for (const to of TARGETS) {
          await scene.become(from);
          await scene.become(to);
          if (admits(to.status)) {
            await scene.run(read);
          } else {
            await assertFails(scene.run(read), NotServing);
          }
        }
      },
    );
  }

  suite.test(
    "another reason or term is adopted, and the same target again does nothing",
    async (scene) => {
      const term = { coordinatorTerm: 7n, leaderSubterm: 2n };
      for (const change of [{}, { reason: "another one" }, { term }, { term, reason: "both" }]) {
        await scene.become({ ...PRIMARY, ...change });
        await scene.run(read);
      }
    },
    { from: PRIMARY },
  );

  suite.test("transitions that are asked for at once happen in their order", async (scene) => {
    const asked = [PRIMARY, REPLICA, DRAINED, REPLICA, PRIMARY, STOPPED, PRIMARY, PRIMARY, REPLICA];
    const reached: number[] = [];
    const transitions = asked.map(async (wanted, index) => {
      await scene.controller.setServingType(wanted);
      reached.push(index);
    });
    await scene.within(Promise.all(transitions), "transitions in a row");
    deepEqual(reached, [...asked.keys()]);
    scene.assertReached(REPLICA);
  });

  suite.test(
    "a transition that is aborted before it begins changes nothing",
    async (scene) => {
      const { controller } = scene;
      await assertFails(
        controller.setServingType(STOPPED, { signal: AbortSignal.abort() }),
        Cancelled,
      );
      const late = AbortSignal.abort(new DOMException("", "TimeoutError"));
      await assertFails(controller.setServingType(STOPPED, { signal: late }), DeadlineExceeded);
      await scene.become(PRIMARY);
      await scene.run(read);
    },
    { from: PRIMARY },
  );
}

function testDrainOfQueries(suite: ContractSuite, blocked: string): void {
  const { read } = suite.statements;

  for (const to of [REPLICA, DRAINED, STOPPED]) {
    suite.test(
      `${PRIMARY.status} is left for ${to.status} when what runs has ended, and nothing gets in`,
      async (scene) => {
        const { controller } = scene;
        const { ended } = await scene.startBlocked(blocked);
        const leaving = later(controller.setServingType(to));
        equal(controller.isServing(), false, "isServing as soon as the transition has begun");
        const { current, wanted } = controller.servingStatus();
        assertTarget(current, PRIMARY);
        assertTarget(wanted ?? current, to);
        ok(await isPending(leaving), "a drain waits for what runs");
        await assertFails(scene.run(read), NotServing);
        ok(await isPending(ended), "a drain does not cut what runs before the end of its grace");
        await scene.unblock();
        await scene.within(ended, blocked);
        await scene.within(leaving, "the drain");
        scene.assertReached(to);
      },
      { from: PRIMARY },
    );
  }

  suite.test(
    "another reason or term is adopted without a drain",
    async (scene) => {
      const { ended } = await scene.startBlocked(blocked);
      const term = { coordinatorTerm: 3n, leaderSubterm: 1n };
      await scene.become({ ...PRIMARY, term, reason: "another one" });
      ok(await isPending(ended), "what runs runs on");
      await scene.run(read);
      await scene.unblock();
      await scene.within(ended, blocked);
    },
    { from: PRIMARY },
  );

  suite.test(
    "the second of two transitions waits for the first",
    async (scene) => {
      const { controller } = scene;
      const { ended } = await scene.startBlocked(blocked);
      const order: string[] = [];
      const note = (name: string) => (): void => void order.push(name);
      const first = later(controller.setServingType(REPLICA).then(note("first")));
      const second = later(controller.setServingType(DRAINED).then(note("second")));
      const both = later(Promise.all([first, second]));
      ok(await isPending(second), "the second transition waits for the first");
      equal(controller.isServing(), false);
      await scene.unblock();
      await scene.within(both, "both transitions");
      deepEqual(order, ["first", "second"]);
      scene.assertReached(DRAINED);
      await scene.within(ended, blocked);
    },
    { from: PRIMARY },
  );

  suite.test(
    "at the end of the grace what still runs is cut, and the transition is complete",
    async (scene) => {
      const { ended } = await scene.startBlocked(blocked);
      await scene.become(STOPPED);
      await assertFails(
        scene.within(ended, blocked),
        PoolerErrorCode.DatabaseError,
        PoolerErrorCode.ConnectionLost,
        PoolerErrorCode.NotServing,
      );
      await scene.become(PRIMARY);
      await scene.run(read);
    },
    { from: PRIMARY, drainGraceMs: 50 },
  );
}

function testInterruptedDrain(suite: ContractSuite, blocked: string): void {
  testAbortedDrain(suite, blocked);
  testReversedDrain(suite, blocked);
}

function testAbortedDrain(suite: ContractSuite, blocked: string): void {
  const { read } = suite.statements;

  suite.test(
    "a drain that is aborted admits no more than before, and can be repeated",
    async (scene) => {
      const { controller } = scene;
      const { ended } = await scene.startBlocked(blocked);
      const abort = new AbortController();
      const leaving = later(controller.setServingType(STOPPED, { signal: abort.signal }));
      abort.abort();
      await assertFails(scene.within(leaving, "the aborted drain"), Cancelled);
      equal(controller.servingStatus().wanted, undefined);
      equal(controller.servingStatus().current.role, PRIMARY.role, "the old role");
      if (!controller.isServing()) {
        await assertFails(scene.run(read), NotServing);
      }
      const again = later(controller.setServingType(STOPPED));
      ok(await isPending(again), "what runs is still waited for");
      await scene.unblock();
      await scene.within(Promise.all([ended, again]), "the drain");
      scene.assertReached(STOPPED);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a transition that is aborted while it waits for another one does not happen",
    async (scene) => {
      const { controller } = scene;
      const { ended } = await scene.startBlocked(blocked);
      const first = later(controller.setServingType(STOPPED));
      const abort = new AbortController();
      const second = later(controller.setServingType(REPLICA, { signal: abort.signal }));
      const third = later(controller.setServingType(DRAINED));
      abort.abort();
      await assertFails(scene.within(second, "the aborted transition"), Cancelled);
      ok(await isPending(third), "the third transition still waits for the first");
      await scene.unblock();
      await scene.within(Promise.all([ended, first, third]), "the other transitions");
      scene.assertReached(DRAINED);
    },
    { from: PRIMARY },
  );
}

function testReversedDrain(suite: ContractSuite, blocked: string): void {
  const { read } = suite.statements;

  for (const to of [REPLICA, DRAINED, STOPPED]) {
    suite.test(
      `a drain to ${to.status} is reversed by the target that is being left, at once`,
      async (scene) => {
        const { controller } = scene;
        const { ended } = await scene.startBlocked(blocked);
        const leaving = later(controller.setServingType(to));
        const back = { ...PRIMARY, reason: "never mind" };
        const reversed = later(controller.setServingType(back));
        ok(controller.isServing(), "it serves when the call has returned");
        assertTarget(controller.servingStatus().current, back);
        equal(controller.servingStatus().wanted, undefined);
        await scene.within(reversed, "the reversal");
        await assertFails(scene.within(leaving, "the drain that was reversed"), Cancelled);
        scene.assertReached(back);
        await scene.run(read);
        ok(await isPending(ended), "what runs is not cut by a drain that was reversed");
        await scene.unblock();
        await scene.within(ended, blocked);
        await scene.become(to);
        scene.assertReached(to);
      },
      { from: PRIMARY },
    );
  }

  suite.test(
    "what is being left waits its turn where another transition waits already",
    async (scene) => {
      const { controller } = scene;
      const { ended } = await scene.startBlocked(blocked);
      const first = later(controller.setServingType(STOPPED));
      const second = later(controller.setServingType(REPLICA));
      const third = later(controller.setServingType(PRIMARY));
      ok(await isPending(third), "the third transition waits for the others");
      equal(controller.isServing(), false);
      await scene.unblock();
      await scene.within(Promise.all([ended, first, second, third]), "three transitions");
      scene.assertReached(PRIMARY);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a drain is reversed by its abort and the target that was left: what runs runs on",
    async (scene) => {
      const { controller } = scene;
      const { ended } = await scene.startBlocked(blocked);
      const abort = new AbortController();
      const leaving = later(controller.setServingType(DRAINED, { signal: abort.signal }));
      abort.abort();
      await assertFails(scene.within(leaving, "the aborted drain"), Cancelled);
      await scene.become(PRIMARY);
      ok(await isPending(ended), "what runs is not cut by a drain that was reversed");
      await scene.run(read);
      await scene.unblock();
      await scene.within(ended, blocked);
    },
    { from: PRIMARY },
  );
}
