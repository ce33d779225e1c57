import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { onAbort } from "./on-abort.ts";

test("the listener runs once, with the signal, when it aborts", () => {
  const controller = new AbortController();
  const listener = vi.fn<(signal: AbortSignal) => void>();
  onAbort(controller.signal, listener);
  expect(listener).not.toHaveBeenCalled();
  controller.abort();
  expect(listener.mock.calls).toEqual([[controller.signal]]);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test("the listener runs at once for a signal that has aborted", () => {
  const signal = AbortSignal.abort();
  const listener = vi.fn<(signal: AbortSignal) => void>();
  onAbort(signal, listener);
  expect(listener.mock.calls).toEqual([[signal]]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("what it returns takes the listener off the signal", () => {
  const controller = new AbortController();
  const listener = vi.fn<(signal: AbortSignal) => void>();
  const release = onAbort(controller.signal, listener);
  release();
  release();
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  controller.abort();
  expect(listener).not.toHaveBeenCalled();
});

test("without a signal nothing happens", () => {
  const listener = vi.fn<(signal: AbortSignal) => void>();
  onAbort(undefined, listener)();
  expect(listener).not.toHaveBeenCalled();
});
