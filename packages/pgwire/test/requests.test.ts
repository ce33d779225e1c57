import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commandComplete,
  dataRow,
  errorResponse,
  header,
  message,
  readyForQuery,
  rowDescription,
} from "./backend-messages.ts";
import { ask, query } from "./ask.ts";
import { RecordingSink } from "./recording-sink.ts";
import type { Peer } from "./scripted-server.ts";
import { connectTo, serveSession } from "./scripted-session.ts";

/** The outcome of a promise as a value: `undefined`, or the error. */
function outcome(promise: Promise<void>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

const complete = (tag: string): Buffer => Buffer.concat([commandComplete(tag), readyForQuery()]);
const lost = (more: object): unknown =>
  expect.objectContaining({ code: "CONNECTION_LOST", ...more });

describe("several requests in flight", () => {
  test("are all sent before the first is answered, and answered in order", async () => {
    await using server = await serveSession(async (peer) => {
      expect([await peer.query(), await peer.query(), await peer.query()]).toEqual(["a", "b", "c"]);
      peer.write(
        complete("A"),
        errorResponse("ERROR", "42601", "no"),
        readyForQuery(),
        complete("C"),
      );
      await peer.clientEnd;
    });
    await using connection = await connectTo(server);
    const sinks = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
    const settled: string[] = [];
    const outcomes = ["a", "b", "c"].map(async (sql, index) => {
      const sink = sinks[index] ?? expect.unreachable();
      const result = await outcome(ask(connection, sql, sink));
      settled.push(sql);
      return result;
    });
    expect(connection.inFlight).toBe(3);
    expect(connection.idle).toBe(false);
    expect(await Promise.all(outcomes)).toEqual([
      undefined,
      expect.objectContaining({ code: "POSTGRES", message: "no" }),
      undefined,
    ]);
    expect(settled).toEqual(["a", "b", "c"]);
    expect(sinks.map(({ types }) => types)).toEqual([["complete"], [], ["complete"]]);
    expect(connection.idle).toBe(true);
    connection.destroy();
  });

  test("wait for a server that does not read, and count as not sent until they are", async () => {
    const { promise: over, resolve: finish } = Promise.withResolvers<void>();
    await using server = await serveSession(async (peer) => {
      peer.socket.pause();
      await over;
      peer.socket.resume();
    });
    const connection = await connectTo(server);
    const sql = "x".repeat(4_000_000);
    const outcomes = Array.from({ length: 10 }, () =>
      outcome(ask(connection, sql, new RecordingSink())),
    );
    await new Promise((resolve) => setImmediate(resolve));
    connection.destroy(new Error("enough"));
    finish();
    const sent = (await Promise.all(outcomes)).map(
      (error) => error instanceof Error && "sent" in error && error.sent,
    );
    expect(sent).toHaveLength(10);
    expect(sent[0]).toBe(true);
    expect(sent.at(-1)).toBe(false);
    expect([...sent].toSorted((a, b) => Number(b) - Number(a))).toEqual(sent);
  });

  test("that waited are sent when the server reads again", async () => {
    const { promise: reading, resolve: read } = Promise.withResolvers<void>();
    await using server = await serveSession(async (peer) => {
      peer.socket.pause();
      await reading;
      peer.socket.resume();
      for (let count = 0; count < 6; count += 1) {
        expect(await peer.query()).toHaveLength(4_000_000);
        peer.write(complete("OK"));
      }
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const sql = "x".repeat(4_000_000);
    const outcomes = Array.from({ length: 6 }, () =>
      outcome(ask(connection, sql, new RecordingSink())),
    );
    await new Promise((resolve) => setImmediate(resolve));
    read();
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 6 }));
    connection.destroy();
  });
});

describe("a request that cannot be made", () => {
  test("for a NUL character is refused, and nothing is sent", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.clientEnd;
      expect(peer.received).toHaveLength(0);
    });
    const connection = await connectTo(server);
    expect(await outcome(ask(connection, "select '\0'", new RecordingSink()))).toMatchObject({
      code: "INVALID_ARGUMENT",
      sent: false,
    });
    expect(connection.idle).toBe(true);
    connection.destroy();
  });

  test("because it was withdrawn is not sent either, and not settled", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.clientEnd;
      expect(peer.received).toHaveLength(0);
    });
    const connection = await connectTo(server);
    const { request, ended } = query("q", new RecordingSink());
    let isSettled = false;
    void ended.then(() => {
      isSettled = true;
    });
    connection.send(request);
    expect(connection.inFlight).toBe(1);
    expect([connection.withdraw(request), connection.withdraw(request)]).toEqual([true, false]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(connection.idle).toBe(true);
    connection.destroy();
    await connection.closed;
    expect(isSettled).toBe(false);
  });
});

test("a request that was sent cannot be withdrawn", async () => {
  await using server = await serveSession(async (peer) => {
    await peer.query();
    expect(connection.withdraw(request)).toBe(false);
    peer.write(complete("DONE"));
    await peer.clientEnd;
  });
  const connection = await connectTo(server);
  const sink = new RecordingSink();
  const { request, ended } = query("q", sink);
  connection.send(request);
  expect(await ended).toMatchObject({ type: "ready", error: undefined });
  expect(sink.types).toEqual(["complete"]);
  connection.destroy();
});

describe("when the connection breaks", () => {
  test.each([
    [
      "between two messages",
      (peer: Peer) => {
        peer.socket.end();
      },
      "the server closed the connection",
    ],
    [
      "in the middle of a message",
      (peer: Peer) => {
        peer.socket.end(header("T", 100));
      },
      "in the middle of a message",
    ],
    [
      "in the middle of a long row",
      (peer: Peer) => {
        peer.socket.end(Buffer.concat([header("D", 9_000_000), Buffer.alloc(100)]));
      },
      "in the middle of a message",
    ],
    [
      "by a reset",
      (peer: Peer) => {
        peer.socket.resetAndDestroy();
      },
      "the connection broke",
    ],
  ])("%s, every request ends and the reason is kept", async (_case, breakOff, text) => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      breakOff(peer);
    });
    const connection = await connectTo(server);
    const outcomes = [1, 2].map(() => outcome(ask(connection, "q", new RecordingSink())));
    const expected = lost({
      sent: true,
      diagnostic: undefined,
      message: expect.stringContaining(text),
    });
    expect(await Promise.all(outcomes)).toEqual([expected, expected]);
    expect(connection.state).toBe("closed");
    expect(connection.inFlight).toBe(0);
    expect(await connection.closed).toEqual({ type: "lost", error: lost({}) });
    expect(await outcome(ask(connection, "q", new RecordingSink()))).toEqual(lost({ sent: false }));
    await connection.close();
  });

  test("what the server said of it wins over the broken socket", async () => {
    const fatal = errorResponse(
      "FATAL",
      "57P01",
      "terminating connection due to administrator command",
    );
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(errorResponse("ERROR", "22012", "division by zero"), fatal);
      peer.socket.end();
    });
    const connection = await connectTo(server);
    const outcomes = [1, 2].map(() => outcome(ask(connection, "q", new RecordingSink())));
    expect(await Promise.all(outcomes)).toEqual([
      expect.objectContaining({
        code: "POSTGRES",
        diagnostic: expect.objectContaining({ code: "22012" }),
      }),
      lost({
        sent: true,
        diagnostic: expect.objectContaining({ code: "57P01", severity: "FATAL" }),
      }),
    ]);
    expect(await connection.closed).toEqual({
      type: "lost",
      error: lost({ diagnostic: expect.objectContaining({ code: "57P01" }) }),
    });
  });

  test("an error captured before counts even if the answer never ends", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.socket.end(errorResponse("ERROR", "22012", "division by zero"));
    });
    const connection = await connectTo(server);
    expect(await outcome(ask(connection, "q", new RecordingSink()))).toMatchObject({
      code: "POSTGRES",
    });
    expect(connection.state).toBe("closed");
  });

  test("while nothing runs, the owner learns it from `closed`", async () => {
    await using server = await serveSession((peer) => {
      peer.socket.end(errorResponse("FATAL", "57P05", "idle session timeout"));
    });
    const connection = await connectTo(server);
    expect(await connection.closed).toMatchObject({
      type: "lost",
      error: { code: "CONNECTION_LOST", diagnostic: { code: "57P05" } },
    });
  });

  test("while a sink holds back the answer, what arrived before is still handed over", async () => {
    const gate = Promise.withResolvers<void>();
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.socket.end(Buffer.concat([rowDescription("a"), dataRow("1"), complete("SELECT 1")]));
    });
    const connection = await connectTo(server);
    const sink = new RecordingSink();
    const result = outcome(
      ask(connection, "q", {
        write: (event) => {
          sink.write(event);
          return event.type === "fields" ? gate.promise : undefined;
        },
      }),
    );
    while (sink.events.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    gate.resolve();
    expect(await result).toBeUndefined();
    expect(sink.types).toEqual(["fields", "rows", "complete"]);
    await connection.closed;
  });
});

describe("a server that breaks the protocol", () => {
  test.each([
    ["with an unknown message", message("?"), "'?'"],
    ["with a message of no length", header("T", 0), "'T'"],
    ["with a message beyond the limit", header("T", 100_001), "100001"],
    ["with a row beyond 1 GiB", header("D", 0x7fff_ffff), "'D'"],
  ])("%s is cut off, and the requests say why", async (_case, bytes, text) => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(bytes);
      await peer.clientEnd;
    });
    const connection = await connectTo(server, { maxMessageBytes: 100_000 });
    void outcome(ask(connection, "q", new RecordingSink()));
    void outcome(ask(connection, "q", new RecordingSink()));
    const last = await outcome(ask(connection, "q", new RecordingSink()));
    const violation: unknown = expect.objectContaining({
      code: "PROTOCOL_VIOLATION",
      message: expect.stringContaining(text),
    });
    expect(last).toEqual(lost({ sent: true, cause: violation }));
    expect(await connection.closed).toEqual({ type: "lost", error: violation });
  });

  test("with arbitrary bytes never takes the client down", async () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((all) => Buffer.from(all));
    const parts = fc.oneof(
      bytes,
      fc
        .tuple(fc.constantFrom(..."TDCIEZSNAGHWdc"), bytes)
        .map(([type, body]) => message(type, body)),
      fc.constantFrom(rowDescription("a"), dataRow("1"), readyForQuery(), commandComplete("X")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 6 }), async (stream) => {
        await using server = await serveSession((peer) => {
          peer.socket.end(Buffer.concat(stream));
        });
        const connection = await connectTo(server);
        const outcomes = [1, 2].map(() => outcome(ask(connection, "q", new RecordingSink())));
        await Promise.all(outcomes);
        expect((await connection.closed).type).toBe("lost");
      }),
      { numRuns: 60 },
    );
  });
});
