import fc from "fast-check";
import { expect, test } from "vitest";
import { PgwireError } from "../error.ts";
import { encodeMessage } from "../messages/message-writer.ts";
import { FrontendFraming } from "./frontend-framing.ts";

const MAX_MESSAGE_BYTES = 1000;

function runsOf(framing: FrontendFraming, chunk: Buffer): Buffer[] {
  framing.push(chunk);
  const runs: Buffer[] = [];
  for (let run = framing.next(); run !== undefined; run = framing.next()) {
    runs.push(run);
  }
  return runs;
}

const message = fc
  .tuple(fc.constantFrom("Q", "P", "d", "S"), fc.uint8Array({ maxLength: 200 }))
  .map(([type, body]) => encodeMessage(type, [Buffer.from(body)]));

/** Cuts bytes at any places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted(
    (left, right) => left - right,
  );
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test("whatever chunks they come in, messages leave whole, in their order", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat()), (messages, places) => {
      const framing = new FrontendFraming({ maxMessageBytes: MAX_MESSAGE_BYTES });
      const bytes = Buffer.concat(messages);
      const runs = cut(bytes, places).flatMap((chunk) => runsOf(framing, chunk));
      expect(Buffer.concat(runs)).toEqual(bytes);
      expect(framing.partialBytes).toBe(0);
      let from = 0;
      const boundaries = new Set(messages.map(({ length }) => (from += length)));
      let end = 0;
      expect(runs.every((run) => boundaries.has((end += run.length)))).toBe(true);
    }),
  );
});

test("messages of one chunk are one view of it", () => {
  const framing = new FrontendFraming({ maxMessageBytes: MAX_MESSAGE_BYTES });
  const chunk = Buffer.concat([
    encodeMessage("P", [Buffer.alloc(20)]),
    encodeMessage("S", []),
    Buffer.from("Q\0\0"),
  ]);
  const [run, ...more] = runsOf(framing, chunk);
  expect(more).toEqual([]);
  expect(run?.buffer).toBe(chunk.buffer);
  expect(run?.byteOffset).toBe(chunk.byteOffset);
  expect(run?.length).toBe(chunk.length - 3);
  expect(framing.partialBytes).toBe(3);
});

test.each([
  [0, "08P01", "invalid message length: 0 of message 'Q'"],
  [3, "08P01", "invalid message length: 3 of message 'Q'"],
  [-1, "08P01", "invalid message length: -1 of message 'Q'"],
  [0x7fff_ffff, "54000", "message 'Q' of 2147483648 bytes is longer than the 1000 that"],
  [1000, "54000", "message 'Q' of 1001 bytes is longer than the 1000 that are allowed"],
])("a length of %i is refused after what came before it", (length, code, text) => {
  const broken = Buffer.from("Q\0\0\0\0");
  broken.writeInt32BE(length, 1);
  for (const places of [[], [7], [5, 6, 8]]) {
    const framing = new FrontendFraming({ maxMessageBytes: MAX_MESSAGE_BYTES });
    const runs: Buffer[] = [];
    let failure: unknown;
    try {
      for (const chunk of cut(Buffer.concat([encodeMessage("S", []), broken]), places)) {
        framing.push(chunk);
        for (let run = framing.next(); run !== undefined; run = framing.next()) {
          runs.push(run);
        }
      }
    } catch (error) {
      failure = error;
    }
    expect(Buffer.concat(runs)).toEqual(encodeMessage("S", []));
    expect(failure).toBeInstanceOf(PgwireError);
    expect(failure).toMatchObject({ diagnostic: { severity: "FATAL", code } });
    expect(String(failure)).toContain(text);
  }
});

test("the longest message passes", () => {
  const framing = new FrontendFraming({ maxMessageBytes: MAX_MESSAGE_BYTES });
  const longest = encodeMessage("Q", [Buffer.alloc(MAX_MESSAGE_BYTES - 5)]);
  expect(Buffer.concat(runsOf(framing, longest))).toEqual(longest);
});
