import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { IncomingMessages } from "./incoming-messages.ts";
import { ReceivingBytes } from "./receiving-bytes.ts";

const MAX_MESSAGE_BYTES = 200_000;

interface Scene {
  readonly messages: IncomingMessages;
  readonly receiving: ReceivingBytes;
  /** What was done, in order: a message as its size, an error as its code. */
  readonly events: (string | number)[];
}

function scene({ isSingle = true, limitBytes = MAX_MESSAGE_BYTES } = {}): Scene {
  const events: (string | number)[] = [];
  const receiving = new ReceivingBytes({ limitBytes, timeoutMs: 1000, clock: new ManualClock() });
  const messages = new IncomingMessages({
    stream: { pause: () => void events.push("pause"), resume: () => void events.push("resume") },
    origin: "client",
    receiving,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    isSingle,
    take: ({ bytes }) => void events.push(bytes.byteLength),
    end: () => void events.push("end"),
    fail: ({ code }) => void events.push(code),
  });
  return { messages, receiving, events };
}

function message(bytes: number, { compressed = false } = {}): Buffer {
  const framed = Buffer.alloc(5 + bytes, 0xff);
  framed.writeUInt8(compressed ? 1 : 0, 0);
  framed.writeUInt32BE(bytes, 1);
  return framed;
}

test("a single message is counted from its prefix to its end, however its bytes are cut", () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.array(fc.integer({ min: 1, max: 2000 })), (bytes, cuts) => {
      const { messages, receiving, events } = scene();
      const framed = message(bytes);
      let at = 0;
      for (const cut of [...cuts, framed.byteLength]) {
        messages.onData(framed.subarray(at, at + cut));
        at = Math.min(at + cut, framed.byteLength);
        expect(receiving.count.bytes).toBe(at < 5 ? 0 : bytes);
        expect(events).toEqual([]);
        if (at === framed.byteLength) {
          break;
        }
      }
      messages.onEnd();
      expect(events).toEqual([bytes]);
      expect(receiving.count.bytes).toBe(0);
    }),
  );
});

test("messages come out as they were sent, however their bytes are cut", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 });
  fc.assert(
    fc.property(payloads, cuts, (sent, sizes) => {
      const taken: Uint8Array[] = [];
      const stream = {
        isPaused: true,
        pause: () => void (stream.isPaused = true),
        resume: () => void (stream.isPaused = false),
      };
      const receiving = new ReceivingBytes({
        limitBytes: 1e6,
        timeoutMs: 1,
        clock: new ManualClock(),
      });
      const messages: IncomingMessages = new IncomingMessages({
        stream,
        origin: "client",
        receiving,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        isSingle: false,
        take: ({ bytes }) => void taken.push(Uint8Array.from(bytes)),
        end: () => undefined,
        fail: (error) => {
          throw error;
        },
      });
      let rest = Buffer.concat(
        sent.map((payload) => {
          const framed = message(payload.byteLength);
          framed.set(payload, 5);
          return framed;
        }),
      );
      for (let turn = 0; taken.length < sent.length; turn += 1) {
        const before = taken.length;
        messages.want();
        while (!stream.isPaused && taken.length === before) {
          const size = sizes[turn % sizes.length] ?? 1;
          messages.onData(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        expect(taken).toHaveLength(before + 1);
      }
      expect(taken).toEqual(sent);
      expect(receiving.count.bytes).toBe(0);
    }),
  );
});

test("of several messages each is counted until it is whole, and none is taken that is not wanted", () => {
  const { messages, receiving, events } = scene({ isSingle: false });
  const two = Buffer.concat([message(100), message(200)]);
  messages.want();
  messages.onData(two.subarray(0, 50));
  expect(receiving.count.bytes).toBe(100);
  messages.onData(two.subarray(50, 200));
  expect(receiving.count.bytes).toBe(0);
  expect(events).toEqual(["resume", "pause", 100]);
  messages.want();
  expect(receiving.count.bytes).toBe(200);
  messages.onData(two.subarray(200));
  expect(receiving.count.bytes).toBe(0);
  expect(events).toEqual(["resume", "pause", 100, "resume", "pause", 200]);
});

test("a message that has begun before the handler wants it waits in its turn, and is read then", () => {
  const { messages, receiving, events } = scene({ isSingle: false });
  const other = { origin: "other", proceed: () => {}, expire: () => {} };
  receiving.admit(other, MAX_MESSAGE_BYTES);
  messages.want();
  messages.onData(Buffer.concat([message(100), message(100_000).subarray(0, 100)]));
  expect(receiving.count.waiting).toBe(0);
  messages.want();
  expect(receiving.count.waiting).toBe(1);
  expect(events).toEqual(["resume", "pause", 100, "pause"]);
  receiving.release(other);
  expect(events).toEqual(["resume", "pause", 100, "pause", "resume"]);
  expect(receiving.count).toEqual({ bytes: 100_000, waiting: 0, refused: 0 });
});

test("messages that came along with the one before are there without being admitted", () => {
  const { messages, receiving, events } = scene({ isSingle: false });
  messages.want();
  messages.onData(
    Buffer.concat([message(10), message(20), message(30), message(40).subarray(0, 9)]),
  );
  expect(receiving.count.bytes).toBe(0);
  for (const bytes of [0, 0, 40]) {
    messages.want();
    expect(receiving.count.bytes).toBe(bytes);
  }
  expect(events.filter((event) => typeof event === "number")).toEqual([10, 20, 30]);
});

test("a compressed message counts as the largest one: its size shows when it is there", () => {
  const { messages, receiving } = scene();
  messages.onData(message(100, { compressed: true }));
  expect(receiving.count.bytes).toBe(MAX_MESSAGE_BYTES);
});

test("a message above the limit is refused before it is there, and not counted", () => {
  const { messages, receiving, events } = scene();
  messages.onData(message(MAX_MESSAGE_BYTES + 1).subarray(0, 5));
  expect(events).toEqual(["REQUEST_TOO_LARGE"]);
  expect(receiving.count.bytes).toBe(0);
});

test("a call that was closed while it waited is not resumed", () => {
  const { messages, receiving, events } = scene();
  const first = { origin: "other", proceed: () => {}, expire: () => {} };
  receiving.admit(first, MAX_MESSAGE_BYTES);
  messages.onData(message(100_000).subarray(0, 100));
  expect(events).toEqual(["pause"]);
  messages.close();
  receiving.release(first);
  messages.onData(message(100));
  expect(events).toEqual(["pause"]);
  expect(receiving.count).toEqual({ bytes: 0, waiting: 0, refused: 0 });
});

test.each([
  ["nothing", [], "UNIMPLEMENTED"],
  ["half a prefix", [Buffer.alloc(3)], "MALFORMED_REQUEST"],
  ["half a message", [message(10).subarray(0, 8)], "MALFORMED_REQUEST"],
  ["two messages", [message(10), message(10)], "UNIMPLEMENTED"],
  ["two messages at once", [Buffer.concat([message(10), message(10)])], "UNIMPLEMENTED"],
])("a client that sends %s where one message is expected fails", (_what, chunks, code) => {
  const { messages, receiving, events } = scene();
  for (const chunk of chunks) {
    messages.onData(chunk);
  }
  messages.onEnd();
  expect(events).toEqual([code]);
  expect(receiving.count.bytes).toBe(0);
});

test("the end of several messages is told to those who want one, also later", () => {
  const early = scene({ isSingle: false });
  early.messages.want();
  early.messages.onEnd();
  expect(early.events).toEqual(["resume", "end"]);
  const late = scene({ isSingle: false });
  late.messages.onEnd();
  late.messages.want();
  expect(late.events).toEqual(["end"]);
  const cut = scene({ isSingle: false });
  cut.messages.want();
  cut.messages.onData(message(10).subarray(0, 8));
  cut.messages.onEnd();
  expect(cut.events).toEqual(["resume", "MALFORMED_REQUEST"]);
});
