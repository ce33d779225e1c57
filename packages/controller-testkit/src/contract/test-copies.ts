import { PoolerErrorCode } from "@multipooler/query-service";
import type { CopyEvent, CopyInput, CopySource } from "@multipooler/query-service";
import { equal, fail, ok } from "node:assert/strict";
import { CALLER, PRIMARY, STOPPED } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, failureOf } from "./failure.ts";
import { isPending, later } from "./patience.ts";

const LINE = Buffer.from("1\n");

/** COPY in both directions, and its failures. */
export function testCopies(suite: ContractSuite): void {
  const { copy } = suite.statements;
  if (copy === undefined) {
    throw new TypeError("a factory that offers COPY has to have statements.copy");
  }

  suite.test(
    "a COPY takes what its source has, and yields what is there",
    async (scene) => {
      const events: string[] = [];
      await copyIn(scene, copy.in, { source: sourceOf([LINE, LINE]), events });
      equal(events.at(0), "started");
      equal(events.at(-1), "complete");
      const yielded: string[] = [];
      await copyOut(scene, copy.out, yielded);
      equal(yielded.at(0), "started");
      ok(yielded.includes("data"), "the COPY yields data");
      equal(yielded.at(-1), "complete");
    },
    { from: PRIMARY },
  );

  suite.test(
    "a source that fails is CANCELLED, and one that has its COPY fail is the database's error",
    async (scene) => {
      const broken: CopySource = { next: () => Promise.reject(new Error("the client is gone")) };
      await assertFails(copyIn(scene, copy.in, { source: broken }), PoolerErrorCode.Cancelled);
      const failing: CopySource = { next: async () => ({ type: "fail", reason: "no more" }) };
      await assertFails(copyIn(scene, copy.in, { source: failing }), PoolerErrorCode.DatabaseError);
      await copyIn(scene, copy.in, { source: sourceOf([]) });
    },
    { from: PRIMARY },
  );

  suite.test(
    "a COPY is drained as a reservation is, and refused where nothing is served",
    async (scene) => {
      const gate = Promise.withResolvers<CopyInput>();
      const asked = Promise.withResolvers<void>();
      const source: CopySource = {
        next: () => {
          asked.resolve();
          return gate.promise;
        },
      };
      const running = later(copyIn(scene, copy.in, { source }));
      await scene.within(asked.promise, "the source is asked");
      const leaving = later(scene.controller.setServingType(STOPPED));
      ok(await isPending(leaving), "the drain waits for the COPY");
      gate.resolve({ type: "done" });
      await running;
      await scene.within(leaving, "the drain");
      const refused = copyIn(scene, copy.in, { source: sourceOf([]) });
      await assertFails(refused, PoolerErrorCode.NotServing);
      await assertFails(copyOut(scene, copy.out, []), PoolerErrorCode.NotServing);
    },
    { from: PRIMARY },
  );

  suite.test(
    "close ends a COPY whose source never answers",
    async (scene) => {
      const asked = Promise.withResolvers<void>();
      const source: CopySource = {
        next: () => {
          asked.resolve();
          return Promise.withResolvers<CopyInput>().promise;
        },
      };
      const failed = later(failureOf(copyIn(scene, copy.in, { source })));
      await scene.within(asked.promise, "the source is asked");
      await scene.close();
      await failed;
    },
    { from: PRIMARY },
  );
}

async function copyIn(
  scene: ContractScene,
  sql: string,
  { source, events = [] }: { readonly source: CopySource; readonly events?: string[] },
): Promise<void> {
  const request = { caller: CALLER, place: { type: "any" }, sql } as const;
  const copied = scene.controller.getExecutor().copyIn(request, source, noting(events));
  const { reservation } = await scene.within(copied, sql);
  equal(reservation, undefined, "a COPY of no reservation leaves none");
}

async function copyOut(scene: ContractScene, sql: string, events: string[]): Promise<void> {
  const request = { caller: CALLER, place: { type: "any" }, sql } as const;
  await scene.within(scene.controller.getExecutor().copyOut(request, noting(events)), sql);
}

function noting(events: string[]): { write(event: CopyEvent): undefined } {
  return {
    write: ({ type }) => {
      events.push(type);
    },
  };
}

/** A source of these pieces of data. */
function sourceOf(pieces: readonly Uint8Array[]): CopySource {
  const left = [...pieces];
  let isDone = false;
  return {
    next: async () => {
      if (isDone) {
        fail("the source was asked after its end");
      }
      const bytes = left.shift();
      isDone = bytes === undefined;
      return bytes === undefined ? { type: "done" } : { type: "data", bytes };
    },
  };
}
