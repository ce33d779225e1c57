import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { IncomingRequest } from "./incoming-request.ts";
import type { ReceivingCall } from "./incoming-request.ts";
import { ReceivingBytes } from "./receiving-bytes.ts";

const MAX_MESSAGE_BYTES = 200_000;

interface Scene {
  readonly request: IncomingRequest;
  readonly receiving: ReceivingBytes;
  readonly events: string[];
}

function scene({ requestStream = false, limitBytes = MAX_MESSAGE_BYTES } = {}): Scene {
  const events: string[] = [];
  const receiving = new ReceivingBytes({ limitBytes, timeoutMs: 1000, clock: new ManualClock() });
  const call: ReceivingCall = {
    requestStream,
    getPeer: () => "client",
    pause: () => void events.push("pause"),
    resume: () => void events.push("resume"),
    read: () => void events.push("read"),
    forget: () => void events.push("forget"),
    fail: ({ code }) => void events.push(code),
  };
  const request = new IncomingRequest({ call, receiving, maxMessageBytes: MAX_MESSAGE_BYTES });
  return { request, receiving, events };
}

function message(bytes: number, { compressed = false } = {}): Buffer {
  const framed = Buffer.alloc(5 + bytes, 0xff);
  framed.writeUInt8(compressed ? 1 : 0, 0);
  framed.writeUInt32BE(bytes, 1);
  return framed;
}

test("a message is counted from its prefix on, however its bytes are cut", () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.array(fc.integer({ min: 1, max: 2000 })), (bytes, cuts) => {
      const { request, receiving, events } = scene();
      const framed = message(bytes);
      let at = 0;
      for (const cut of [...cuts, framed.byteLength]) {
        request.onData(framed.subarray(at, at + cut));
        at = Math.min(at + cut, framed.byteLength);
        expect(receiving.count.bytes).toBe(at < 5 ? 0 : bytes);
        expect(events).toEqual(at === framed.byteLength ? ["forget"] : []);
        if (at === framed.byteLength) {
          break;
        }
      }
      request.onEnd();
      expect(receiving.count.bytes).toBe(0);
    }),
  );
});

test("a method that takes several messages has each counted until it is whole", () => {
  const { request, receiving, events } = scene({ requestStream: true });
  const two = Buffer.concat([message(100), message(200)]);
  expect(request.onRead()).toBe(true);
  request.onData(two.subarray(0, 50));
  expect(receiving.count.bytes).toBe(100);
  request.onData(two.subarray(50, 200));
  expect(receiving.count.bytes).toBe(0);
  expect(events).toEqual([]);
  expect(request.onRead()).toBe(true);
  expect(receiving.count.bytes).toBe(200);
  request.onData(two.subarray(200));
  expect(receiving.count.bytes).toBe(0);
  expect(events).toEqual(["forget"]);
});

test("a message that has begun before the handler wants it waits in its turn, and is read then", () => {
  const { request, receiving, events } = scene({ requestStream: true });
  const other = { origin: "other", proceed: () => {}, expire: () => {} };
  receiving.admit(other, MAX_MESSAGE_BYTES);
  request.onRead();
  request.onData(Buffer.concat([message(100), message(100_000).subarray(0, 100)]));
  expect(receiving.count.waiting).toBe(0);
  expect(request.onRead()).toBe(false);
  expect(receiving.count.waiting).toBe(1);
  receiving.release(other);
  expect(events).toEqual(["read"]);
  expect(receiving.count).toEqual({ bytes: 100_000, waiting: 0, refused: 0 });
});

test("messages that came along with the one before are there without being admitted", () => {
  const { request, receiving, events } = scene({ requestStream: true });
  request.onRead();
  request.onData(
    Buffer.concat([message(10), message(20), message(30), message(40).subarray(0, 9)]),
  );
  expect(receiving.count.bytes).toBe(0);
  for (const bytes of [0, 0, 40]) {
    expect(request.onRead()).toBe(true);
    expect(receiving.count.bytes).toBe(bytes);
  }
  expect(events).toEqual([]);
});

test("a compressed message counts as the largest one: its size shows when it is there", () => {
  const { request, receiving } = scene();
  request.onData(message(100, { compressed: true }));
  expect(receiving.count.bytes).toBe(MAX_MESSAGE_BYTES);
});

test("a message that grpc-js refuses for its size is not counted", () => {
  const { request, receiving, events } = scene();
  request.onData(message(MAX_MESSAGE_BYTES + 1));
  expect(receiving.count.bytes).toBe(0);
  expect(events).toEqual([]);
});

test("a call that was closed while it waited is not resumed", () => {
  const { request, receiving, events } = scene();
  const first = { origin: "other", proceed: () => {}, expire: () => {} };
  receiving.admit(first, MAX_MESSAGE_BYTES);
  request.onData(message(100_000).subarray(0, 100));
  expect(events).toEqual(["pause"]);
  request.onClose();
  receiving.release(first);
  request.onData(message(100));
  expect(events).toEqual(["pause"]);
  expect(receiving.count).toEqual({ bytes: 0, waiting: 0, refused: 0 });
});
