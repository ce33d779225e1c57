import { expect, test } from "vitest";
import { SessionWorld } from "../../../test/session-world.ts";
import { settled } from "../../../test/settled.ts";

/** So long an interrupted statement has before its server process is ended. */
const GRACE_MS = 2000;

test("a backend whose process is about to be ended is nobody else's, though its statement is over", async () => {
  const world = new SessionWorld();
  await world.open();
  const ended = Promise.withResolvers<void>();
  const asked: number[] = [];
  world.terminate = async (processId) => {
    asked.push(processId);
    await ended.promise;
  };
  const [leaving, staying] = world.clients;
  world.send(0, ["alone"], false);
  await settled();
  const [doomed] = world.backends;
  if (doomed === undefined || leaving === undefined || staying === undefined) {
    throw new Error("there is no backend, or no client");
  }
  doomed.heedsCancel = false;
  const gone = leaving.session.end("now");
  await settled();
  world.clock.step(GRACE_MS);
  await settled();
  expect(asked).toEqual([doomed.processId]);

  doomed.answer();
  await settled();
  world.send(1, ["alone"], false);
  await world.finish();
  expect(doomed.received).toHaveLength(1);
  expect(doomed.hasEnded).toBe(false);

  ended.resolve();
  await gone;
  await world.finish();
  expect(doomed.hasEnded).toBe(true);
  world.check();
  expect(staying.messages.filter((words) => words.startsWith("Z"))).toEqual(["Z I"]);
  const closed = world.sessions.close();
  await world.finish();
  await closed;
  await world.gate.close();
  await world.scheduler.close();
  expect(world.backends.every(({ hasEnded }) => hasEnded)).toBe(true);
});
