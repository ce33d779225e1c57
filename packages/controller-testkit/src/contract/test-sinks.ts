import { PoolerErrorCode } from "@multipooler/query-service";
import { deepEqual, equal, ok } from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { PRIMARY } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, failureOf } from "./failure.ts";
import { isPending, later } from "./patience.ts";
import { RecordingSink } from "./recording-sink.ts";

const { Cancelled } = PoolerErrorCode;

/** Receivers of results that are slow, that fail, or that never answer. */
export function testSinks(suite: ContractSuite): void {
  const { read } = suite.statements;

  suite.test(
    "a sink that is behind is not called until its promise resolves",
    async (scene) => {
      const sink = new RecordingSink(async () => {
        await setImmediate();
      });
      await scene.run(read, { sink });
      equal(sink.types.at(-1), "complete");
    },
    { from: PRIMARY },
  );

  suite.test(
    "a statement ends only when its last event was taken",
    async (scene) => {
      const taken = Promise.withResolvers<void>();
      const sink = new RecordingSink(({ type }) =>
        type === "complete" ? taken.promise : undefined,
      );
      const running = later(scene.run(read, { sink }));
      ok(await isPending(running), "the sink has not taken the last event");
      taken.resolve();
      await running;
    },
    { from: PRIMARY },
  );

  for (const [name, fail] of [
    [
      "throws",
      () => {
        throw new Error("the receiver is gone");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the receiver is gone"))],
  ] as const) {
    suite.test(
      `a sink that ${name} ends its statement, and is not called again`,
      async (scene) => {
        const sink = new RecordingSink(fail);
        await assertFails(scene.run(read, { sink }), Cancelled);
        equal(sink.events.length, 1);
        sink.assertWellUsed();
        await scene.run(read);
      },
      { from: PRIMARY },
    );
  }

  testSilentSinks(suite, read);
}

function testSilentSinks(suite: ContractSuite, read: string): void {
  const never = (): Promise<void> => Promise.withResolvers<void>().promise;

  suite.test(
    "a statement whose sink never answers ends with its signal",
    async (scene) => {
      const { sink, called } = silentSink(never);
      const abort = new AbortController();
      const running = later(scene.run(read, { sink, signal: abort.signal }));
      await scene.within(called, "the first event");
      abort.abort();
      await assertFails(running, Cancelled);
      deepEqual(sink.events.length, 1);
      await scene.run(read);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a sink that never answers holds up no close",
    async (scene) => {
      const { sink, called } = silentSink(never);
      const failed = later(failureOf(scene.run(read, { sink })));
      await scene.within(called, "the first event");
      await scene.close();
      await failed;
      equal(sink.events.length, 1);
    },
    { from: PRIMARY },
  );

  suite.test(
    "a sink that never answers holds up no drain beyond its grace",
    async (scene) => {
      const { sink, called } = silentSink(never);
      const failed = later(failureOf(scene.run(read, { sink })));
      await scene.within(called, "the first event");
      await scene.become({ ...PRIMARY, status: "DRAINED" });
      await failed;
    },
    { from: PRIMARY, drainGraceMs: 50 },
  );
}

/** A sink that never takes its first event, and when that came. */
function silentSink(never: () => Promise<void>): {
  readonly sink: RecordingSink;
  readonly called: Promise<void>;
} {
  const { promise: called, resolve } = Promise.withResolvers<void>();
  const sink = new RecordingSink(() => {
    resolve();
    return never();
  });
  return { sink, called };
}
