import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { unreachable } from "../../test/fake-server.ts";
import { failureOf, settled } from "../../test/settled.ts";
import { RecordingSubscriber } from "../../test/subscriber.ts";
import { MultiPoolerError } from "../error.ts";
import { ListenerScene, last, send } from "../../test/listener-scene.ts";

test("a dial that fails is repeated while somebody waits, with what the server says as the reason", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  const confirmed = one.subscribe("a");
  await settled();
  scene.server.dials[0]?.refuse(unreachable());
  await scene.clock.advance(100);
  const backend = await scene.accept();
  last(backend).succeed();
  await confirmed;
  const other = new RecordingSubscriber(scene.listener);
  backend.lose();
  await settled();
  const refused = failureOf(other.subscribe("a"));
  await settled();
  scene.server.dials[0]?.refuse(unreachable());
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    message: "nobody listens",
  });
  // Nobody waits any more.
  expect(scene.server.dials).toEqual([]);
});

test("what would not change is told at once", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  const left = one.unsubscribe("b");
  await settled();
  const wrong = new MultiPoolerError(PoolerErrorCode.AuthenticationFailed, "the password is wrong");
  scene.server.dials[0]?.refuse(wrong);
  expect(await refused).toBe(wrong);
  await left;
  expect(one.ends).toEqual([]);
  await scene.subscribed("a");
});

test.each([
  ["the share", (scene: ListenerScene) => (scene.share.limit = 0)],
  ["statements", (scene: ListenerScene) => (scene.hasRoom = false)],
])("a place that %s does not have is waited for, within the limit", async (_, take) => {
  await using scene = new ListenerScene();
  take(scene);
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  await settled();
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({ code: "POOL_EXHAUSTED" });
  const waiting = one.subscribe("a");
  await settled();
  scene.hasRoom = true;
  scene.share.limit = 1;
  await scene.clock.advance(100);
  last(await scene.accept()).succeed();
  await waiting;
});

test("a server that does not answer a change lets it down, and it is not made later", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  const backend = await scene.accept();
  await scene.clock.advance(8000);
  expect(await refused).toMatchObject({
    code: "PRE_EXECUTION_UNAVAILABLE",
    message: "the database did not confirm the channels within 8000 ms",
  });
  last(backend).succeed();
  send(backend, "a");
  expect(one.received).toEqual([]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
});

test("what PostgreSQL refuses is the error of the change, and nothing else ends", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  const refused = failureOf(one.subscribe("b"));
  last(backend).fail(
    new PgwireError(PgwireErrorCode.Postgres, "cannot execute LISTEN during recovery", {
      diagnostic: {
        kind: "error",
        severity: "ERROR",
        code: "25006",
        message: "cannot execute LISTEN during recovery",
      },
    }),
  );
  expect(await refused).toMatchObject({ code: "READ_ONLY", diagnostic: { code: "25006" } });
  send(backend, "a", "still");
  expect(one.payloads).toEqual(["still"]);
});

test("a quiet server is asked for an answer, and only when it is quiet", async () => {
  await using scene = new ListenerScene();
  const [, backend] = await scene.subscribed("a");
  backend.bytesReceived += 1;
  await scene.clock.advance(5000);
  expect(backend.requests).toHaveLength(1);
  await scene.clock.advance(5000);
  expect(last(backend).sql).toBe("");
  last(backend).succeed();
  await scene.clock.advance(4000);
  expect(backend.requests).toHaveLength(2);
});

test("a connection over which nothing comes any more is given up, and its process is ended", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  scene.activity = { processId: 4711, idleMs: 60_000 };
  await scene.clock.advance(8000);
  expect(await one.end).toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringMatching(/silent: its server process has nothing to do/),
  });
  expect(backend.hasEnded).toBe(true);
  expect(scene.ended).toEqual([4711]);
  expect(scene.suspicions).toHaveLength(1);
});

test("a server that is slow to answer is waited for", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  await scene.clock.advance(60_000);
  expect(one.ends).toEqual([]);
  expect(backend.requests).toHaveLength(2);
  last(backend).succeed();
});

test("a notification that cannot be read ends the connection", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  backend.onUnasked?.(Buffer.from("41000000050000", "hex"));
  expect(await one.end).toMatchObject({ code: "CONNECTION_LOST" });
  expect(backend.hasEnded).toBe(true);
});

test("a connection that breaks while it is asked refuses the change and ends what listens", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  const other = new RecordingSubscriber(scene.listener);
  const refused = failureOf(other.subscribe("b"));
  backend.lose();
  expect(await refused).toMatchObject({ code: "CONNECTION_LOST" });
  expect(await one.end).toMatchObject({ code: "CONNECTION_LOST" });
  expect(other.ends).toEqual([]);
});
