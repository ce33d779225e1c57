import { describe, expect, test } from "vitest";
import type { AnswerEvent } from "../connection/answer-event.ts";
import type { RequestEnd } from "../connection/request.ts";
import {
  commandComplete,
  errorResponse,
  int16,
  message,
  readyForQuery,
} from "../../test/backend-messages.ts";
import { Conversation } from "../../test/conversation.ts";
import { CopyQuery } from "./copy-query.ts";
import type { CopyQueryOptions } from "./copy-query.ts";

/** A COPY on a connection that keeps what it is fed. */
class Copying {
  readonly conversation = new Conversation();
  readonly events: AnswerEvent[] = [];
  readonly fed: Buffer[] = [];
  readonly query: CopyQuery;
  /** Whether the server takes more. */
  hasRoom = true;
  /** What a receiver answers to an event. */
  behind: Promise<void> | undefined;
  end: RequestEnd | undefined;

  constructor(way: CopyQueryOptions["way"]) {
    this.query = new CopyQuery({
      sql: "copy t",
      way,
      receiver: {
        event: (event) => {
          this.events.push(event);
          return this.behind;
        },
        settle: (end) => (this.end = end),
      },
      connection: {
        feed: (_request, bytes) => {
          this.fed.push(Buffer.from(bytes));
          return this.hasRoom;
        },
      },
    });
    this.conversation.send(this.query);
  }

  get types(): readonly string[] {
    return this.events.map(({ type }) => type);
  }

  /** The bytes that were fed. */
  get text(): string {
    return Buffer.concat(this.fed).toString("latin1");
  }
}

const copyIn = message("G", Buffer.from([0]), int16(0));
const copyOut = message("H", Buffer.from([0]), int16(0));
const UNSUPPORTED_END = { type: "ready", error: { code: "UNSUPPORTED", sent: true } };

describe("from the client", () => {
  test("data are framed, and whatever comes too early or too late is dropped", async () => {
    const copying = new Copying("in");
    const { conversation, query } = copying;
    void query.data(Buffer.from("early"));
    query.done();
    await conversation.hear(copyIn);
    expect(query.isTaking).toBe(true);
    void query.data(Buffer.from("1\n"));
    void query.data(Buffer.alloc(0));
    query.done();
    query.done();
    query.fail("late");
    void query.data(Buffer.from("late"));
    expect(copying.text).toBe("d\0\0\0\x061\nc\0\0\0\x04");
    await conversation.hear(commandComplete("COPY 1"), readyForQuery());
    expect(copying.types).toEqual(["copyStart", "complete"]);
    expect(copying.end).toMatchObject({ type: "ready", error: undefined });
  });

  test("large data are not copied into their message", async () => {
    const copying = new Copying("in");
    await copying.conversation.hear(copyIn);
    const bytes = Buffer.alloc(100_000, "x");
    void copying.query.data(bytes);
    expect(copying.fed.map(({ length }) => length)).toEqual([5, 100_000]);
    expect(copying.fed[0]?.readInt32BE(1)).toBe(100_004);
  });

  test("while the server is behind, the wait ends with room, or with the COPY", async () => {
    const copying = new Copying("in");
    const { conversation, query } = copying;
    await conversation.hear(copyIn);
    copying.hasRoom = false;
    const first = query.data(Buffer.from("1\n"));
    expect(first).toBeInstanceOf(Promise);
    query.drained();
    await first;
    const second = query.data(Buffer.from("2\n"));
    await conversation.hear(errorResponse("ERROR", "22P02", "bad"), readyForQuery());
    await second;
    expect(query.isTaking).toBe(false);
    expect(copying.end).toMatchObject({ error: { diagnostic: { code: "22P02" } } });
  });

  test("one that is to fail before it begins fails when it does", async () => {
    const copying = new Copying("in");
    copying.query.fail("no");
    expect(copying.fed).toEqual([]);
    await copying.conversation.hear(copyIn);
    expect(copying.text).toBe("f\0\0\0\x07no\0");
    expect(copying.query.isTaking).toBe(false);
  });

  test("a second one in the same answer is failed", async () => {
    const copying = new Copying("in");
    await copying.conversation.hear(copyIn);
    copying.query.done();
    await copying.conversation.hear(commandComplete("COPY 0"), copyIn);
    expect(copying.conversation.replies.map(String)).toEqual([expect.stringMatching(/^f/)]);
    await copying.conversation.hear(errorResponse("ERROR", "57014", "failed"), readyForQuery());
    expect(copying.end).toMatchObject(UNSUPPORTED_END);
  });

  test("a server that sends data is in violation of the protocol", async () => {
    const copying = new Copying("in");
    await copying.conversation.hear(copyIn);
    await expect(copying.conversation.hear(message("d"))).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });

  test("a COPY to the client is dropped, and the request fails", async () => {
    const copying = new Copying("in");
    await copying.conversation.hear(copyOut, message("d", Buffer.from("1\n")), message("c"));
    await copying.conversation.hear(commandComplete("COPY 1"), readyForQuery());
    expect(copying.types).toEqual([]);
    expect(copying.end).toMatchObject(UNSUPPORTED_END);
  });
});

describe("to the client", () => {
  test("runs of data are handed over as they came", async () => {
    const copying = new Copying("out");
    const rows = Buffer.concat([message("d", Buffer.from("1\n")), message("d")]);
    await copying.conversation.hear(copyOut, rows, message("c"));
    await copying.conversation.hear(commandComplete("COPY 2"), readyForQuery());
    expect(copying.types).toEqual(["copyStart", "copyData", "complete"]);
    expect(Buffer.from(copying.events[1]?.bytes ?? []).equals(rows)).toBe(true);
    expect(copying.query.isTaking).toBe(false);
  });

  test("a receiver that is behind gets the rest when it has caught up, and the end last", async () => {
    const copying = new Copying("out");
    const gate = Promise.withResolvers<void>();
    copying.behind = gate.promise;
    await copying.conversation.hear(copyOut);
    await copying.conversation.hear(message("d", Buffer.from("1\n")), message("c"));
    await copying.conversation.hear(commandComplete("COPY 1"), readyForQuery());
    expect([copying.types, copying.end]).toEqual([["copyStart"], undefined]);
    copying.behind = undefined;
    gate.resolve();
    await expect.poll(() => copying.end).toBeDefined();
    expect(copying.types).toEqual(["copyStart", "copyData", "complete"]);
  });

  test("a COPY from the client is failed, and the request with it", async () => {
    const copying = new Copying("out");
    await copying.conversation.hear(copyIn);
    expect(copying.conversation.replies.map(String)).toEqual([expect.stringMatching(/^f/)]);
    await copying.conversation.hear(errorResponse("ERROR", "57014", "failed"), readyForQuery());
    expect(copying.types).toEqual([]);
    expect(copying.end).toMatchObject(UNSUPPORTED_END);
  });

  test("data that come before the start are a violation of the protocol", async () => {
    const copying = new Copying("out");
    await expect(copying.conversation.hear(message("d"))).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });
});

test("a NUL character is refused", () => {
  const receiver = { event: () => undefined, settle: () => undefined };
  const connection = { feed: () => true };
  expect(() => new CopyQuery({ sql: "copy t\0", way: "in", receiver, connection })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
