import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallLifetime } from "./call-lifetime.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class FakeCall extends EventEmitter {
  readonly #deadline: number | Date;

  constructor(deadline: number | Date = Number.POSITIVE_INFINITY) {
    super();
    this.#deadline = deadline;
  }

  getPeer(): string {
    return "127.0.0.1:1";
  }

  getDeadline(): number | Date {
    return this.#deadline;
  }
}

const reason = (lifetime: CallLifetime): unknown => {
  const found: unknown = lifetime.signal.reason;
  return found instanceof DOMException ? found.name : found;
};

test("a call that goes on does not abort", () => {
  const lifetime = new CallLifetime(new FakeCall(Date.now() + 1000));
  vi.advanceTimersByTime(999);
  expect(lifetime.signal.aborted).toBe(false);
});

test("a cancelled call aborts with an AbortError", () => {
  const call = new FakeCall(Date.now() + 1000);
  const lifetime = new CallLifetime(call);
  call.emit("cancelled");
  expect(reason(lifetime)).toBe("AbortError");
});

test("a passed deadline aborts with a TimeoutError, without a word from grpc-js", () => {
  const lifetime = new CallLifetime(new FakeCall(new Date(Date.now() + 1000)));
  vi.advanceTimersByTime(1000);
  expect(reason(lifetime)).toBe("TimeoutError");
});

test("a call whose deadline has passed on its way begins aborted, without a timer", () => {
  const lifetime = new CallLifetime(new FakeCall(Date.now() - 100));
  expect(reason(lifetime)).toBe("TimeoutError");
  expect(vi.getTimerCount()).toBe(0);
});

test("a client that gives up at its own deadline, just before the server's, has timed out", () => {
  const call = new FakeCall(Date.now() + 1000);
  const lifetime = new CallLifetime(call);
  vi.advanceTimersByTime(995);
  call.emit("cancelled");
  expect(reason(lifetime)).toBe("TimeoutError");
});

test("a deadline beyond what a timer can hold does not abort", () => {
  const lifetime = new CallLifetime(new FakeCall(Date.now() + 2 ** 40));
  vi.advanceTimersByTime(10_000);
  expect(lifetime.signal.aborted).toBe(false);
  lifetime.end();
  expect(vi.getTimerCount()).toBe(0);
});

test("an answered call leaves no timer and no listener, and never aborts", () => {
  const call = new FakeCall(Date.now() + 1000);
  const lifetime = new CallLifetime(call);
  lifetime.end();
  call.emit("cancelled");
  expect(vi.getTimerCount()).toBe(0);
  expect(call.listenerCount("cancelled")).toBe(0);
  expect(lifetime.signal.aborted).toBe(false);
});
