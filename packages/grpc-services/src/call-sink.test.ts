import { expect, test } from "vitest";
import { CallSink } from "./call-sink.ts";

const MIB = 1_048_576;

class FakeCall {
  readonly written: number[] = [];
  readonly #sent: (() => void)[] = [];

  write(message: Uint8Array, onSent: () => void): boolean {
    this.written.push(message.byteLength);
    this.#sent.push(onSent);
    return true;
  }

  /** The oldest message leaves. */
  send(): void {
    this.#sent.shift()?.();
  }
}

function sinkOf(call: FakeCall): { sink: CallSink; abort: AbortController } {
  const abort = new AbortController();
  return {
    sink: new CallSink({ call, signal: abort.signal, maxMessageBytes: 4 * MIB }),
    abort,
  };
}

/** Whether a promise is settled by now. */
async function isSettled(promise: Promise<void> | undefined): Promise<boolean> {
  return Promise.race([
    (promise ?? Promise.resolve()).then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

test("small messages do not wait, and a client counts as behind from a mebibyte on", async () => {
  const call = new FakeCall();
  const { sink } = sinkOf(call);
  expect(sink.write(Buffer.alloc(MIB - 1))).toBeUndefined();
  const behind = sink.write(Buffer.alloc(1));
  expect(await isSettled(behind)).toBe(false);
  call.send();
  expect(await isSettled(behind)).toBe(true);
  expect(sink.write(Buffer.alloc(10))).toBeUndefined();
});

test("all who wrote while the client was behind go on at the same time", async () => {
  const call = new FakeCall();
  const { sink } = sinkOf(call);
  const first = sink.write(Buffer.alloc(2 * MIB));
  const second = sink.write(Buffer.alloc(MIB));
  call.send();
  expect(await isSettled(first)).toBe(false);
  call.send();
  expect(await isSettled(first)).toBe(true);
  expect(await isSettled(second)).toBe(true);
});

test("nobody waits for a call that has ended, and what is written to it is dropped", async () => {
  const call = new FakeCall();
  const { sink, abort } = sinkOf(call);
  const behind = sink.write(Buffer.alloc(MIB));
  abort.abort();
  expect(await isSettled(behind)).toBe(true);
  expect(sink.write(Buffer.alloc(MIB))).toBeUndefined();
  expect(call.written).toEqual([MIB]);
});

test("a message above the limit is refused and not written", () => {
  const call = new FakeCall();
  const { sink } = sinkOf(call);
  expect(() => sink.write(Buffer.alloc(4 * MIB + 1))).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
  );
  expect(call.written).toEqual([]);
});
