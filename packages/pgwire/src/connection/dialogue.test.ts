import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commandComplete,
  cstring,
  dataRow,
  diagnostic,
  errorResponse,
  header,
  int16,
  int32,
  message,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "../../test/backend-messages.ts";
import { Conversation } from "../../test/conversation.ts";
import { RecordingSink } from "../../test/recording-sink.ts";
import { PgwireError } from "../error.ts";

const notice = diagnostic("N", { S: "NOTICE", V: "NOTICE", C: "00000", M: "by the way" });

describe("an answer", () => {
  test("yields its events in the order of the server", async () => {
    const conversation = new Conversation();
    const sink = new RecordingSink();
    const outcome = conversation.ask(sink);
    await conversation.hear(
      rowDescription("a"),
      dataRow("1"),
      notice,
      dataRow("2"),
      dataRow(null),
      commandComplete("SELECT 3"),
      parameterStatus("TimeZone", "UTC"),
      commandComplete("SET"),
      message("I"),
      message("A", int32(1), cstring("channel"), cstring("payload")),
      rowDescription(),
      dataRow(),
      commandComplete("SELECT 1"),
      readyForQuery("T"),
    );
    expect(await outcome).toBeUndefined();
    expect(sink.types.join(" ")).toBe(
      "fields rows notice rows rows complete parameterStatus complete empty fields rows complete",
    );
    expect(sink.rows).toEqual([["1"], ["2"], [null], []]);
    expect(conversation.dialogue.transactionStatus).toBe("T");
    expect(conversation.dialogue.parameters.get("TimeZone")).toBe("UTC");
  });

  test("is the same however the stream is cut", async () => {
    const stream = Buffer.concat([
      rowDescription("a", "b"),
      dataRow("1", "x".repeat(30)),
      dataRow("2", null),
      notice,
      dataRow("3", ""),
      commandComplete("SELECT 3"),
      parameterStatus("TimeZone", "UTC"),
      errorResponse("ERROR", "22012", "division by zero"),
      readyForQuery("E"),
    ]);
    const run = async (chunks: readonly Buffer[]): Promise<unknown> => {
      const conversation = new Conversation();
      const sink = new RecordingSink();
      const outcome = conversation.ask(sink);
      await conversation.hear(...chunks);
      return { error: String(await outcome), transcript: sink.transcript };
    };
    const whole = await run([stream]);
    for (let at = 1; at < stream.length; at += 1) {
      expect(await run([stream.subarray(0, at), stream.subarray(at)])).toEqual(whole);
    }
  });

  test("goes to the request that is next, errors included", async () => {
    const conversation = new Conversation();
    const sinks = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
    const outcomes = sinks.map((sink) => conversation.ask(sink));
    await conversation.hear(
      Buffer.concat([commandComplete("ONE"), readyForQuery()]),
      Buffer.concat([errorResponse("ERROR", "42601", "two"), readyForQuery()]),
      Buffer.concat([commandComplete("THREE"), readyForQuery()]),
    );
    expect(await Promise.all(outcomes)).toEqual([
      undefined,
      expect.objectContaining({
        code: "POSTGRES",
        message: "two",
        sent: true,
        diagnostic: expect.objectContaining({ code: "42601", kind: "error" }),
      }),
      undefined,
    ]);
    expect(sinks.map(({ types }) => types)).toEqual([["complete"], [], ["complete"]]);
  });

  test("fails with its first error", async () => {
    const conversation = new Conversation();
    const outcome = conversation.ask(new RecordingSink());
    await conversation.hear(
      errorResponse("ERROR", "22012", "first"),
      errorResponse("ERROR", "XX000", "second"),
      readyForQuery(),
    );
    expect(await outcome).toMatchObject({ message: "first" });
  });
});

describe("a sink that fails", () => {
  test.each([
    [
      "by throwing",
      (error: Error): never => {
        throw error;
      },
    ],
    ["by rejecting", (error: Error): Promise<void> => Promise.reject(error)],
  ])("%s ends its request with that error, and no other", async (_how, fail) => {
    const conversation = new Conversation();
    const error = new Error("the client is gone");
    let writes = 0;
    const outcome = conversation.ask({
      write: () => {
        writes += 1;
        return fail(error);
      },
    });
    const next = new RecordingSink();
    const nextOutcome = conversation.ask(next);
    await conversation.hear(
      rowDescription("a"),
      dataRow("1"),
      errorResponse("ERROR", "57014", "canceling statement due to user request"),
      readyForQuery(),
      commandComplete("NEXT"),
      readyForQuery(),
    );
    expect(await outcome).toBe(error);
    expect(writes).toBe(1);
    expect(await nextOutcome).toBeUndefined();
    expect(next.types).toEqual(["complete"]);
  });
});

describe("COPY", () => {
  const copyResponse = (type: string): Buffer => message(type, Buffer.from([0]), int16(0));
  const unsupported: unknown = expect.objectContaining({ code: "UNSUPPORTED", sent: true });

  test("from the client is failed, so that the server goes on", async () => {
    const conversation = new Conversation();
    const sink = new RecordingSink();
    const outcome = conversation.ask(sink);
    await conversation.hear(copyResponse("G"));
    expect(conversation.replies.map((reply) => reply.toString("latin1", 0, 1))).toEqual(["f"]);
    await conversation.hear(
      errorResponse("ERROR", "57014", "COPY from stdin failed"),
      readyForQuery(),
    );
    expect(await outcome).toEqual(unsupported);
    expect(sink.events).toEqual([]);
  });

  test("to the client is read and dropped, however much it is", async () => {
    const conversation = new Conversation();
    const sink = new RecordingSink();
    const outcome = conversation.ask(sink);
    await conversation.hear(commandComplete("BEFORE"), copyResponse("H"));
    const row = message("d", Buffer.alloc(200_000));
    await conversation.hear(
      row.subarray(0, 3),
      row.subarray(3, 90_000),
      row.subarray(90_000),
      message("c"),
    );
    await conversation.hear(commandComplete("COPY 1"), commandComplete("AFTER"), readyForQuery());
    expect(await outcome).toEqual(unsupported);
    expect(sink.transcript).toEqual([{ type: "complete", commandTag: "BEFORE" }]);
    expect(conversation.replies).toEqual([]);
  });

  test("in both directions is ended", async () => {
    const conversation = new Conversation();
    const outcome = conversation.ask(new RecordingSink());
    await conversation.hear(copyResponse("W"), message("d", Buffer.alloc(9)), message("c"));
    await conversation.hear(commandComplete("COPY"), readyForQuery());
    expect(await outcome).toEqual(unsupported);
    expect(conversation.replies.map((reply) => reply.toString("latin1", 0, 1))).toEqual(["c"]);
  });

  test.each([["d"], ["c"]])(
    "data that belongs to none (%s) is a protocol violation",
    async (type) => {
      const conversation = new Conversation();
      void conversation.ask(new RecordingSink());
      await expect(conversation.hear(message(type))).rejects.toMatchObject({
        code: "PROTOCOL_VIOLATION",
      });
    },
  );
});

describe("without a request", () => {
  test("notices, notifications and settings may come, and are handed over whole", async () => {
    const conversation = new Conversation();
    const notification = message("A", int32(1), cstring("channel"), cstring(""));
    const unasked = [notice, parameterStatus("a", "b"), notification];
    await conversation.hear(notice, parameterStatus("a", "b"));
    await conversation.hear(notification.subarray(0, 7), notification.subarray(7));
    expect(conversation.unasked).toEqual(unasked);
    expect(conversation.dialogue.parameters.get("a")).toBe("b");
  });

  test.each([
    ["rows", dataRow("1"), "'D'"],
    ["COPY data", message("d"), "'d'"],
    ["a tag", commandComplete("SELECT"), "'C'"],
    ["ReadyForQuery", readyForQuery(), "ReadyForQuery"],
    ["what nobody knows", message("\u0001"), "0x01"],
  ])("%s is a protocol violation that is named", async (_what, bytes, name) => {
    await expect(new Conversation().hear(bytes)).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
      message: expect.stringContaining(name),
    });
  });

  test("an error is the end of the session", async () => {
    const bytes = errorResponse("FATAL", "57P01", "terminating connection");
    await expect(new Conversation().hear(bytes)).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      diagnostic: { code: "57P01" },
    });
  });
});

test("an error that ends the session does so while a request runs, too", async () => {
  const conversation = new Conversation();
  void conversation.ask(new RecordingSink());
  const bytes = diagnostic("E", { S: "FATALE", V: "FATAL", C: "57P01", M: "terminating" });
  await expect(conversation.hear(bytes)).rejects.toMatchObject({
    code: "CONNECTION_LOST",
    diagnostic: { severity: "FATAL", localizedSeverity: "FATALE", code: "57P01" },
  });
});

test.each([
  ["an unknown status", message("Z", Buffer.from("X"))],
  ["no status", message("Z")],
  ["an unknown message", message("?")],
  ["a message of start-up", message("K", int32(1), int32(2))],
  ["a tag without an end", message("C", Buffer.from("SELECT"))],
])("%s in an answer is a protocol violation", async (_what, bytes) => {
  const conversation = new Conversation();
  void conversation.ask(new RecordingSink());
  await expect(conversation.hear(bytes)).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION" });
});

test("a server that makes up settings without end is stopped", async () => {
  const conversation = new Conversation();
  const flood = Array.from({ length: 2000 }, (_, index) => parameterStatus(`p${index}`, ""));
  await expect(conversation.hear(...flood)).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION" });
});

test("arbitrary bytes are events or an error of this package", async () => {
  const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  const likely = fc.oneof(
    anyBytes,
    fc
      .tuple(fc.constantFrom(..."TDCIEZSNAGHWdcKR"), anyBytes)
      .map(([type, body]) => message(type, body)),
    fc
      .tuple(fc.constantFrom(..."TDCZ"), fc.integer())
      .map(([type, length]) => header(type, length)),
    fc.constantFrom(rowDescription("a"), dataRow("1"), commandComplete("X"), readyForQuery()),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(likely, { maxLength: 12 }), async (parts) => {
      const conversation = new Conversation();
      void conversation.ask(new RecordingSink());
      void conversation.ask(new RecordingSink());
      const outcome = await conversation.hear(...parts).catch((error: unknown) => error);
      expect(outcome === undefined || outcome instanceof PgwireError).toBe(true);
    }),
  );
});
