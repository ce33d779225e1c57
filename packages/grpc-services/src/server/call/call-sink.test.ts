import { expect, test } from "vitest";
import { CallSink } from "./call-sink.ts";
import { UnsentBytes } from "./unsent-bytes.ts";

const MIB = 1_048_576;
/** What each message counts besides its bytes. */
const OVERHEAD = 512;

class FakeCall {
  readonly written: number[] = [];
  readonly #sent: (() => void)[] = [];

  write(message: Uint8Array, onSent: () => void): void {
    this.written.push(message.byteLength);
    this.#sent.push(onSent);
  }

  /** The oldest message leaves. */
  send(): void {
    this.#sent.shift()?.();
  }
}

function sinkOf(call: FakeCall, unsent: UnsentBytes = new UnsentBytes(64 * MIB)): CallSink {
  const ignore = (): void => undefined;
  const watched = { onBehind: ignore, onCaughtUp: ignore };
  return new CallSink({ call, maxMessageBytes: 4 * MIB, unsent, ...watched });
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
  const sink = sinkOf(call);
  expect(sink.write(Buffer.alloc(MIB - 1 - 2 * OVERHEAD))).toBeUndefined();
  const behind = sink.write(Buffer.alloc(1));
  expect(await isSettled(behind)).toBe(false);
  call.send();
  expect(await isSettled(behind)).toBe(true);
  expect(sink.write(Buffer.alloc(10))).toBeUndefined();
});

test("many messages of hardly a byte count for what they take in memory", () => {
  const sink = sinkOf(new FakeCall());
  let count = 0;
  while (sink.write(Buffer.alloc(8)) === undefined) {
    count += 1;
  }
  expect(count).toBeLessThan(2100);
});

test("all who wrote while the client was behind go on at the same time", async () => {
  const call = new FakeCall();
  const sink = sinkOf(call);
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
  const sink = sinkOf(call);
  const behind = sink.write(Buffer.alloc(MIB));
  sink.stop();
  expect(await isSettled(behind)).toBe(true);
  expect(sink.write(Buffer.alloc(MIB))).toBeUndefined();
  expect(call.written).toEqual([MIB]);
});

test("a message above the limit is refused and not written", () => {
  const call = new FakeCall();
  const sink = sinkOf(call);
  expect(() => sink.write(Buffer.alloc(4 * MIB + 1))).toThrow(
    expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
  );
  expect(call.written).toEqual([]);
});

test("while the calls together have too much unsent, less of each is taken", async () => {
  const unsent = new UnsentBytes(MIB);
  const [hog, small, large] = [new FakeCall(), new FakeCall(), new FakeCall()];
  const hogging = sinkOf(hog, unsent).write(Buffer.alloc(MIB));
  expect(sinkOf(small, unsent).write(Buffer.alloc(1000))).toBeUndefined();
  const held = sinkOf(large, unsent).write(Buffer.alloc(100_000));
  expect(await isSettled(held)).toBe(false);
  hog.send();
  expect(await isSettled(held)).toBe(true);
  expect(await isSettled(hogging)).toBe(true);
});

test("a call that ends takes what it never sent out of the sum, once", async () => {
  const unsent = new UnsentBytes(MIB);
  const [gone, other] = [new FakeCall(), new FakeCall()];
  const sink = sinkOf(gone, unsent);
  void sink.write(Buffer.alloc(2 * MIB));
  void sink.write(Buffer.alloc(2 * MIB));
  const held = sinkOf(other, unsent).write(Buffer.alloc(100_000));
  sink.close();
  expect(await isSettled(held)).toBe(true);
  gone.send();
  gone.send();
  expect(unsent.isAboveLimit).toBe(false);
  unsent.add(MIB - 100_000 - OVERHEAD);
  expect(unsent.isAboveLimit).toBe(false);
  unsent.add(1);
  expect(unsent.isAboveLimit).toBe(true);
});
