import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import type { ReservedPlace } from "@multipooler/query-service";
import { deepEqual, equal, ok } from "node:assert/strict";
import { DRAINED, PRIMARY, REPLICA, STOPPED } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, failureOf } from "./failure.ts";
import { isPending, later } from "./patience.ts";

const { InvalidArgument, NotServing, ReservationLost } = PoolerErrorCode;
/** What a client has to see so that it begins its transaction again. */
const TERMINATED = "40001";

/** Reservations: transactions, and what a drain and a close do to them. */
export function testReservations(suite: ContractSuite): void {
  testTransactions(suite);
  testDrainOfReservations(suite);
  testEndOfReservations(suite);
}

function testTransactions(suite: ContractSuite): void {
  const { read, failing } = suite.statements;

  for (const [conclusion, tag] of [
    ["commit", "COMMIT"],
    ["rollback", "ROLLBACK"],
  ] as const) {
    suite.test(
      `a transaction ends with its ${conclusion}, and its id means nothing afterwards`,
      async (scene) => {
        const { id } = await scene.reserve(read);
        const inside = await scene.run(read, { place: within(id) });
        equal(inside.reservation?.id, id);
        const ended = await scene.conclude(id, conclusion);
        deepEqual(ended.sink.tags, [tag]);
        equal(ended.reservation, undefined);
        await assertFails(scene.run(read, { place: within(id) }), ReservationLost);
        await assertFails(scene.conclude(id, conclusion), ReservationLost);
      },
      { from: PRIMARY },
    );
  }

  suite.test(
    "a chained transaction keeps its reservation",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const chained = await scene.conclude(id, "commit", { chain: true });
      equal(chained.reservation?.id, id);
      equal(chained.reservation?.reasons, ReservationReason.Transaction);
      await scene.release(id);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a reservation that is given up is gone; two have two ids",
    async (scene) => {
      const [one, other] = [await scene.reserve(read), await scene.reserve(read)];
      ok(one.id !== other.id, "each reservation has an id of its own");
      equal((await scene.release(one.id)).reservation, undefined);
      equal((await scene.release(one.id)).reservation, undefined);
      await assertFails(scene.run(read, { place: within(one.id) }), ReservationLost);
      await scene.run(read, { place: within(other.id) });
      await scene.conclude(other.id, "rollback");
    },
    { from: PRIMARY },
  );

  suite.test(
    "a reservation without a reason is refused",
    async (scene) => {
      const refused = scene.run(read, { place: { type: "reserve", reasons: 0 } });
      await assertFails(refused, InvalidArgument);
    },
    { from: PRIMARY },
  );

  if (failing !== undefined) {
    suite.test(
      "a statement that fails leaves its transaction, and says so",
      async (scene) => {
        const { id } = await scene.reserve(read);
        const error = await failureOf(scene.run(failing, { place: within(id) }));
        equal(error.reservation?.id, id);
        equal((await scene.conclude(id, "rollback")).reservation, undefined);
      },
      { from: PRIMARY },
    );
  }
}

function testDrainOfReservations(suite: ContractSuite): void {
  const { read } = suite.statements;

  for (const to of [REPLICA, DRAINED, STOPPED]) {
    suite.test(
      `a drain to ${to.status} waits for a transaction, which goes on and commits`,
      async (scene) => {
        const { controller } = scene;
        const { id } = await scene.reserve(read);
        const leaving = later(controller.setServingType(to));
        equal(controller.isServing(), false);
        ok(await isPending(leaving), "the drain waits for the transaction");
        await scene.run(read, { place: within(id) });
        await assertFails(scene.reserve(read), NotServing);
        const { sink } = await scene.conclude(id, "commit");
        deepEqual(sink.tags, ["COMMIT"]);
        await scene.within(leaving, "the drain");
        scene.assertReached(to);
      },
      { from: PRIMARY },
    );
  }

  suite.test(
    "a drain is reversed by its abort and the target that was left: a transaction goes on",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const abort = new AbortController();
      const leaving = later(scene.controller.setServingType(STOPPED, { signal: abort.signal }));
      abort.abort();
      await failureOf(scene.within(leaving, "the aborted drain"));
      await scene.become(PRIMARY);
      await scene.run(read, { place: within(id) });
      const other = await scene.reserve(read);
      await scene.conclude(other.id, "commit");
      deepEqual((await scene.conclude(id, "commit")).sink.tags, ["COMMIT"]);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a transaction that outlasts the grace is ended, and told as terminated",
    async (scene) => {
      const { id } = await scene.reserve(read);
      await scene.become(STOPPED);
      const inside = (): Promise<unknown> => scene.run(read, { place: within(id) });
      for (const late of [inside, () => scene.conclude(id, "commit")]) {
        const error = await assertFails(late(), ReservationLost);
        equal(error.diagnostic?.code, TERMINATED);
        equal(error.reservation, undefined);
      }
    },
    { from: PRIMARY, drainGraceMs: 50 },
  );
}

function testEndOfReservations(suite: ContractSuite): void {
  const { read, blocked } = suite.statements;

  suite.test(
    "close ends a transaction, and an id of before means nothing after it",
    async (scene) => {
      const { id } = await scene.reserve(read);
      await scene.close();
      await scene.open();
      await scene.become(PRIMARY);
      await assertFails(scene.run(read, { place: within(id) }), ReservationLost);
      const { id: next } = await scene.reserve(read);
      ok(next !== id, "ids are not used again");
      await scene.conclude(next, "rollback");
    },
    { from: PRIMARY },
  );

  if (blocked === undefined) {
    return;
  }
  suite.test(
    "a statement of a transaction that outlasts the grace ends with it, to be repeated",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const { ended } = await scene.startBlocked(blocked, { place: within(id) });
      await scene.become(STOPPED);
      const error = await failureOf(scene.within(ended, blocked));
      equal(error.diagnostic?.code, TERMINATED);
      equal(error.reservation, undefined);
    },
    { from: PRIMARY, drainGraceMs: 50 },
  );

  suite.test(
    "to give up a reservation ends what runs in it",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const { ended } = await scene.startBlocked(blocked, { place: within(id) });
      equal((await scene.release(id)).reservation, undefined);
      equal((await failureOf(scene.within(ended, blocked))).reservation, undefined);
      await scene.run(read);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a drain waits for a transaction first and for single queries then",
    async (scene) => {
      const { id } = await scene.reserve(read);
      const { ended } = await scene.startBlocked(blocked);
      const leaving = later(scene.controller.setServingType(DRAINED));
      await scene.run(read);
      await scene.conclude(id, "commit");
      ok(await isPending(leaving), "the drain waits for the single query");
      await assertFails(scene.run(read), NotServing);
      await scene.unblock();
      await scene.within(Promise.all([ended, leaving]), "the drain");
    },
    { from: PRIMARY },
  );
}

function within(id: bigint): ReservedPlace {
  return { type: "reserved", id };
}
