import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { untilAborted } from "./until-aborted.ts";

test("what is awaited until an abort settles as it does, and leaves no listener", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("an abort wins at once, and what arrives later is given back", async () => {
  const abort = new AbortController();
  const late = Promise.withResolvers<string>();
  const returned: string[] = [];
  const waiting = untilAborted(late.promise, abort.signal, (value) => returned.push(value));
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  late.resolve("connection");
  await late.promise;
  expect(returned).toEqual(["connection"]);
  expect(getEventListeners(abort.signal, "abort")).toEqual([]);
});

test("with a signal that aborted before, nothing is awaited", async () => {
  const late = Promise.withResolvers<string>();
  await expect(untilAborted(late.promise, AbortSignal.abort(new Error("before")))).rejects.toThrow(
    "before",
  );
  // A late failure is nobody's: it must not surface as an unhandled rejection.
  late.reject(new Error("late"));
});

test("without a signal it settles as the promise does", async () => {
  expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error("no")), undefined)).rejects.toThrow("no");
});

test("the abort wins over what has settled too", async () => {
  const returned: number[] = [];
  const waiting = untilAborted(Promise.resolve(1), AbortSignal.abort(new Error("before")), (late) =>
    returned.push(late),
  );
  await expect(waiting).rejects.toThrow("before");
  expect(returned).toEqual([1]);
});
