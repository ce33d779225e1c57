import { PoolerErrorCode, ReservationReason } from "@multipooler/query-service";
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { IdleClient } from "./idle-client.ts";
import { CALLER, PRIMARY } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, assertThrows } from "./failure.ts";
import { RecordingSink } from "./recording-sink.ts";

const { Cancelled, DeadlineExceeded, DatabaseError, ReservationLost, Unimplemented, WrongTarget } =
  PoolerErrorCode;

/** Single queries: what they yield, how they fail, how they are given up; and what is not offered. */
export function testCalls(suite: ContractSuite): void {
  testAnswers(suite);
  testAborts(suite);
  testRefusals(suite);
}

function testAnswers(suite: ContractSuite): void {
  const { read, failing } = suite.statements;

  suite.test(
    "a read yields its fields, its rows and its end, and leaves no reservation",
    async (scene) => {
      const { sink, reservation } = await scene.run(read);
      const important = sink.types.filter(
        (type) => type !== "notice" && type !== "parameterStatus",
      );
      equal(important.at(0), "fields");
      equal(important.at(-1), "complete");
      deepEqual(new Set(important.slice(1, -1)), new Set(["rows"]));
      ok(sink.rowCount > 0, "the read yields a row");
      match(sink.tags.join(), /^[A-Z]/);
      equal(reservation, undefined);
    },
    { from: PRIMARY },
  );

  suite.test(
    "many queries at once are all answered",
    async (scene) => {
      const runs = Array.from({ length: 50 }, () => scene.run(read));
      for (const { sink } of await Promise.all(runs)) {
        equal(sink.tags.length, 1);
      }
    },
    { from: PRIMARY },
  );

  if (failing !== undefined) {
    suite.test(
      "what the database refuses is told with its diagnostic, and harms nobody else",
      async (scene) => {
        const error = await assertFails(scene.run(failing), DatabaseError);
        ok(error.diagnostic !== undefined, "DATABASE_ERROR has a diagnostic");
        equal(error.diagnostic.kind, "error");
        equal(error.reservation, undefined);
        await scene.run(read);
      },
      { from: PRIMARY },
    );
  }
}

function testAborts(suite: ContractSuite): void {
  const { read, blocked } = suite.statements;

  suite.test(
    "a call that is aborted before it begins runs nothing",
    async (scene) => {
      const sink = new RecordingSink();
      await assertFails(scene.run(read, { sink, signal: AbortSignal.abort() }), Cancelled);
      const late = AbortSignal.abort(new DOMException("", "TimeoutError"));
      await assertFails(scene.run(read, { sink, signal: late }), DeadlineExceeded);
      deepEqual(sink.types, []);
    },
    { from: PRIMARY },
  );

  if (blocked === undefined) {
    return;
  }
  for (const [name, reason, code] of [
    ["a cancel", new DOMException("", "AbortError"), Cancelled],
    ["a deadline", new DOMException("", "TimeoutError"), DeadlineExceeded],
  ] as const) {
    suite.test(
      `${name} ends what runs`,
      async (scene) => {
        const abort = new AbortController();
        const { ended } = await scene.startBlocked(blocked, { signal: abort.signal });
        abort.abort(reason);
        await assertFails(scene.within(ended, `the end after ${name}`), code);
        await scene.run(read);
      },
      { from: PRIMARY },
    );
  }
}

function testRefusals(suite: ContractSuite): void {
  const { offers, statements, served } = suite;
  const { read } = statements;

  suite.test(
    "an id of no reservation is RESERVATION_LOST, and no error to release",
    async (scene) => {
      const executor = scene.controller.getExecutor();
      const about = { caller: CALLER, id: 987_654_321n };
      const conclude = { ...about, conclusion: "commit", chain: false, releases: [] } as const;
      const sink = new RecordingSink();
      await assertFails(executor.concludeTransaction(conclude, sink), ReservationLost);
      await assertFails(executor.discardTempTables(about, sink), ReservationLost);
      equal((await scene.release(about.id)).reservation, undefined);
      const place = { type: "reserved", id: about.id } as const;
      const codes = offers.reservations ? [ReservationLost] : [ReservationLost, Unimplemented];
      await assertFails(scene.run(read, { place }), ...codes);
      deepEqual(sink.types, []);
    },
    { from: PRIMARY },
  );

  suite.test(
    "what is not offered is UNIMPLEMENTED",
    async (scene) => {
      const executor = scene.controller.getExecutor();
      const caller = { ...CALLER, database: "" };
      const place = { type: "any" } as const;
      const refused: Promise<unknown>[] = [];
      if (!offers.reservations) {
        const reasons = ReservationReason.Transaction;
        refused.push(scene.run(read, { place: { type: "reserve", reasons } }));
      }
      if (!offers.sessions) {
        refused.push(executor.openSession(caller, new IdleClient()));
      }
      if (!offers.describe) {
        const statement = { sql: read, parameterTypes: [] };
        refused.push(executor.describe({ caller, place, statement }));
      }
      if (!offers.credentials) {
        refused.push(executor.getCredentials({ database: "", user: "nobody" }));
      }
      if (!offers.copy) {
        const copy = { caller, place, sql: "COPY t FROM STDIN" };
        const source = { next: async () => ({ type: "done" }) as const };
        const sink = { write: () => undefined };
        refused.push(executor.copyIn(copy, source, sink), executor.copyOut(copy, sink));
      }
      await Promise.all(refused.map((call) => assertFails(call, Unimplemented)));
      if (!offers.notifications) {
        const sink = { write: () => undefined, ended: () => undefined };
        assertThrows(() => executor.subscribe(sink), Unimplemented);
      }
      await scene.run(read);
    },
    { from: PRIMARY },
  );

  if (served !== undefined) {
    suite.test(
      "a query for another table group or shard is WRONG_TARGET",
      async (scene) => {
        const elsewhere = "somewhere-else";
        await scene.run(read, { target: served });
        for (const change of [{ tableGroup: elsewhere }, { shard: elsewhere }]) {
          await assertFails(scene.run(read, { target: { ...served, ...change } }), WrongTarget);
        }
      },
      { from: PRIMARY },
    );
  }
}
