import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ask, askRaw } from "../../test/ask.ts";
import {
  commandComplete,
  cstring,
  dataRow,
  errorResponse,
  header,
  int32,
  message,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "../../test/backend-messages.ts";
import { Conversation } from "../../test/conversation.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { RawUnit } from "../requests/raw-unit.ts";

const anyBody = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const anyMessage = fc.oneof(
  fc.tuple(fc.constantFrom(..."12TDCNAHGdcst"), anyBody).map(([type, body]) => message(type, body)),
  fc.constantFrom(
    dataRow("1", null),
    commandComplete("SELECT 1"),
    parameterStatus("TimeZone", "UTC"),
    errorResponse("ERROR", "22012", "division by zero"),
  ),
);
const anyAnswer = fc
  .tuple(fc.array(anyMessage, { maxLength: 8 }), fc.constantFrom("I", "T", "E"))
  .map(([messages, status]) => Buffer.concat([...messages, readyForQuery(status)]));
const anySizes = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 });

/** As a socket hands them over: each in memory of its own, which may be returned when it was read. */
function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let offset = 0;
  for (let index = 0; offset < stream.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(Buffer.from(Uint8Array.from(stream.subarray(offset, offset + size)).buffer));
    offset += size;
  }
  return chunks;
}

/** The messages of a stream of the types for which `isKept` says so. */
function filter(stream: Buffer, isKept: (type: string) => boolean): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const end = at + 1 + stream.readInt32BE(at + 1);
    if (isKept(stream.toString("latin1", at, at + 1))) {
      kept.push(stream.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(kept);
}

describe("the spans of any answers, in any fragmentation", () => {
  test("are their bytes, to the request that they answer", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyAnswer, { minLength: 1, maxLength: 4 }),
        anySizes,
        async (answers, sizes) => {
          const conversation = new Conversation();
          const asked = answers.map(() => askRaw(conversation, Buffer.from("x")));
          await conversation.hear(...cut(Buffer.concat(answers), sizes));
          const given = await Promise.all(asked);
          expect(given.map(({ bytes }) => bytes)).toEqual(answers);
          for (const [index, { end }] of given.entries()) {
            const isError = answers[index]?.includes("22012") === true;
            expect(end).toMatchObject({
              type: "ready",
              transactionStatus: answers[index]?.toString("latin1").at(-1),
              error: isError ? { diagnostic: { code: "22012" } } : undefined,
              settingsReported: answers[index]?.includes("TimeZone") === true,
            });
          }
        },
      ),
    );
  });

  test("leave out the messages that the request does not want", async () => {
    await fc.assert(
      fc.asyncProperty(anyAnswer, anySizes, async (answer, sizes) => {
        const conversation = new Conversation();
        const seen: string[] = [];
        const asked = askRaw(conversation, Buffer.from("x"), (code) => {
          const type = String.fromCharCode(code);
          seen.push(type);
          return !"12TA".includes(type);
        });
        await conversation.hear(...cut(answer, sizes));
        expect((await asked).bytes).toEqual(filter(answer, (type) => !"12TA".includes(type)));
        const offered = filter(answer, (type) => !"DdESZ".includes(type));
        expect(seen).toEqual(typesOf(offered));
      }),
    );
  });

  test("do not mix with events before and behind them", async () => {
    const rows = Buffer.concat([
      rowDescription("a"),
      dataRow("1"),
      commandComplete("SELECT 1"),
      readyForQuery(),
    ]);
    await fc.assert(
      fc.asyncProperty(anyAnswer, anySizes, async (answer, sizes) => {
        const conversation = new Conversation();
        const [before, behind] = [new RecordingSink(), new RecordingSink()];
        const first = ask(conversation, "x", before);
        const raw = askRaw(conversation, Buffer.from("x"));
        const last = ask(conversation, "x", behind);
        await conversation.hear(...cut(Buffer.concat([rows, answer, rows]), sizes));
        await Promise.all([first, last]);
        expect((await raw).bytes).toEqual(answer);
        expect([before.rows, behind.rows]).toEqual([[["1"]], [["1"]]]);
      }),
    );
  });
});

function typesOf(stream: Buffer): string[] {
  const types: string[] = [];
  filter(stream, (type) => {
    types.push(type);
    return false;
  });
  return types;
}

test("an answer of one chunk is one span that is a view of it", async () => {
  const conversation = new Conversation();
  const asked = [askRaw(conversation, Buffer.from("x")), askRaw(conversation, Buffer.from("x"))];
  const answer = Buffer.concat([
    rowDescription("a"),
    dataRow("1"),
    commandComplete("S"),
    readyForQuery(),
  ]);
  const chunk = Buffer.concat([answer, answer]);
  await conversation.hear(chunk);
  for (const { spans } of await Promise.all(asked)) {
    expect(spans).toHaveLength(1);
    expect(spans[0]?.buffer).toBe(chunk.buffer);
  }
});

test("a long row is passed on as it comes", async () => {
  const conversation = new Conversation();
  const received: number[] = [];
  const receiver = {
    span: (bytes: Uint8Array): boolean => {
      received.push(bytes.length);
      return true;
    },
    settle: (): void => undefined,
  };
  conversation.send(new RawUnit({ bytes: Buffer.from("x"), receiver }));
  await conversation.hear(header("D", 500_000_000), Buffer.alloc(1000), Buffer.alloc(1000));
  expect(received).toEqual([5, 1000, 1000]);
});

test("an error beyond 64 KiB is passed on whole, and known by its beginning", async () => {
  const conversation = new Conversation();
  const answer = Buffer.concat([
    errorResponse("ERROR", "P0001", "x".repeat(200_000)),
    readyForQuery(),
  ]);
  for (const sizes of [[answer.length], [65_536], [1, 100_000]]) {
    const asked = askRaw(conversation, Buffer.from("x"));
    await conversation.hear(...cut(answer, sizes));
    const { bytes, end } = await asked;
    expect(bytes.equals(answer)).toBe(true);
    expect(end).toMatchObject({ error: { code: "POSTGRES", diagnostic: { code: "P0001" } } });
  }
});

test("the error that ends the session is not passed on, however it is cut", async () => {
  const fatal = errorResponse("FATAL", "57P01", "terminating");
  const stream = Buffer.concat([dataRow("1"), fatal]);
  for (let at = 1; at < stream.length; at += 1) {
    const conversation = new Conversation();
    const received: Uint8Array[] = [];
    const receiver = {
      span: (bytes: Uint8Array): boolean => received.push(bytes) > 0,
      settle: (): void => undefined,
    };
    conversation.send(new RawUnit({ bytes: Buffer.from("x"), receiver }));
    await expect(
      conversation.hear(stream.subarray(0, at), stream.subarray(at)),
    ).rejects.toMatchObject({ code: "CONNECTION_LOST", diagnostic: { code: "57P01" } });
    expect(Buffer.concat(received)).toEqual(dataRow("1"));
  }
});

test("a receiver that throws gets no more of this answer, and settles with the cause", async () => {
  const conversation = new Conversation();
  const fault = new Error("the client is gone");
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let calls = 0;
  const receiver = {
    span: (): boolean => {
      calls += 1;
      throw fault;
    },
    settle: resolve,
  };
  conversation.send(new RawUnit({ bytes: Buffer.from("x"), receiver }));
  const next = askRaw(conversation, Buffer.from("x"));
  const answer = Buffer.concat([
    dataRow("1"),
    errorResponse("ERROR", "57014", "no"),
    readyForQuery(),
  ]);
  await conversation.hear(dataRow("1"), answer, answer);
  expect(await promise).toMatchObject({
    type: "sinkFailed",
    cause: fault,
    transactionStatus: "I",
    error: { diagnostic: { code: "57014" } },
  });
  expect(calls).toBe(1);
  expect((await next).bytes).toEqual(answer);
});

test("what began to arrive before the request is passed on whole", async () => {
  const notice = message("A", int32(1), cstring("channel"), cstring(""));
  for (let at = 0; at <= notice.length; at += 1) {
    const conversation = new Conversation();
    await conversation.hear(notice.subarray(0, at));
    const asked = askRaw(conversation, Buffer.from("x"));
    await conversation.hear(notice.subarray(at), readyForQuery());
    const isWhole = at < notice.length;
    expect((await asked).bytes).toEqual(
      Buffer.concat(isWhole ? [notice, readyForQuery()] : [readyForQuery()]),
    );
  }
});
