import { expect, test } from "vitest";
import { failureOf, settled } from "../../test/settled.ts";
import { changeOf, RecordingSubscriber } from "../../test/subscriber.ts";
import { ListenerScene, last, send } from "../../test/listener-scene.ts";

test("a change is confirmed when the server has answered, and counts from that moment", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  let isConfirmed = false;
  const confirmed = one.subscribe("a", 'b"c').then(() => (isConfirmed = true));
  const backend = await scene.accept();
  expect(last(backend).sql).toBe('LISTEN "a"; LISTEN "b""c"');
  send(backend, "a", "early");
  await settled();
  expect(isConfirmed).toBe(false);
  // Both in one turn, as they come in one chunk of the socket.
  last(backend).succeed();
  send(backend, "a", "at once");
  await confirmed;
  expect(one.payloads).toEqual(["at once"]);
});

test("changes that come while the server answers go together, and each channel is told once", async () => {
  await using scene = new ListenerScene();
  const [, backend] = await scene.subscribed("a");
  const all = Array.from({ length: 4 }, () => new RecordingSubscriber(scene.listener));
  const confirmed = all.map((one, index) => one.subscribe("a", "b", `own${index % 2}`));
  expect(last(backend).sql).toBe('LISTEN "b"; LISTEN "own0"');
  last(backend).succeed();
  await confirmed[0];
  expect(last(backend).sql).toBe('LISTEN "own1"');
  last(backend).succeed();
  await Promise.all(confirmed);
  expect(backend.requests).toHaveLength(3);
});

test("the server leaves a channel after its last subscriber, and not if another comes before", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a", "b");
  const [other] = await scene.subscribed("b");
  one.subscription.end();
  expect(last(backend).sql).toBe('UNLISTEN "a"');
  const back = other.subscribe("a");
  last(backend).succeed();
  await settled();
  expect(last(backend).sql).toBe('LISTEN "a"');
  last(backend).succeed();
  await back;
  const left = other.unsubscribe("a");
  expect(last(backend).sql).toBe("");
  const returned = other.subscribe("a");
  last(backend).succeed();
  await left;
  expect(last(backend).sql).toBe("");
  last(backend).succeed();
  await returned;
  send(backend, "a", "x");
  expect(other.payloads).toEqual(["x"]);
});

test("a channel that is left gets what was sent before the server has answered", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  const left = one.unsubscribe("a");
  send(backend, "a", "before");
  last(backend).succeed();
  send(backend, "a", "after");
  await left;
  expect(one.payloads).toEqual(["before"]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
  last(backend).succeed();
});

test("the connection is closed some time after nobody listens, and opened again", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  one.subscription.end();
  last(backend).succeed();
  await scene.clock.advance(9000);
  last(backend).succeed();
  expect(backend.hasEnded).toBe(false);
  await scene.clock.advance(1000);
  expect(backend.hasEnded).toBe(true);
  await settled();
  expect(scene.share.used).toBe(0);
  const [, next] = await scene.subscribed("a");
  expect(next).not.toBe(backend);
  expect(last(next).sql).toBe('LISTEN "a"');
});

test("leaving channels needs no connection where there is none", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  await one.unsubscribe("a");
  await one.subscription.change(changeOf({ unsubscribeAll: true }));
  expect(scene.server.dials).toEqual([]);
});

test("how many listen is counted, and for how long nobody did after a loss", async () => {
  await using scene = new ListenerScene();
  const [, backend] = await scene.subscribed("a", "b");
  expect(scene.listener.report()).toEqual({ channels: 2, subscribers: 1 });
  backend.lose();
  await settled();
  expect(scene.listener.report()).toEqual({ channels: 0, subscribers: 0 });
  scene.clock.step(700);
  const again = scene.subscribed("a");
  await again;
  expect(scene.events).toEqual([
    { type: "listenerLost" },
    { type: "listenerRestored", gapMs: 700 },
  ]);
});

test("a subscriber may end itself and others while it is told something", async () => {
  await using scene = new ListenerScene();
  const [one, backend] = await scene.subscribed("a");
  const [two] = await scene.subscribed("a");
  const write = one.write.bind(one);
  one.write = (message) => {
    one.subscription.end();
    two.subscription.end();
    return write(message);
  };
  send(backend, "a");
  send(backend, "a");
  expect(one.received).toHaveLength(1);
  expect(two.received).toEqual([]);
  expect(last(backend).sql).toBe('UNLISTEN "a"');
});

test("a subscription that is ended while a change waits refuses it", async () => {
  await using scene = new ListenerScene();
  const one = new RecordingSubscriber(scene.listener);
  const refused = failureOf(one.subscribe("a"));
  one.subscription.end();
  expect(await refused).toMatchObject({ code: "CANCELLED" });
  await settled();
  expect(scene.server.dials).toEqual([]);
});

test("a subscription has so many channels, and not more", async () => {
  await using scene = new ListenerScene();
  const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `c${n}`);
  const [one, backend] = await scene.subscribed(...names(10_000));
  expect(await failureOf(one.subscribe("one more"))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "a subscription has at most 10000 channels, and these would be 10001",
  });
  const same = one.subscribe(...names(10_000));
  last(backend).succeed();
  await same;
});

test.each([
  ["LATIN1", "é".repeat(40), /longer than 63 bytes.* LATIN1/],
  ["EUC_JP", "x".repeat(64), /EUC_JP/],
])("where a long name is cut off in %s is not guessed", async (encoding, name, message) => {
  await using scene = new ListenerScene();
  scene.encoding = encoding;
  const one = new RecordingSubscriber(scene.listener);
  expect(await failureOf(one.subscribe(name))).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
});
