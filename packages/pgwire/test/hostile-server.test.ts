import { describe, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { Credential } from "../src/connection/connect-options.ts";
import { PgwireError } from "../src/error.ts";
import { ask, askRaw, queryMessage } from "./ask.ts";
import {
  authentication,
  backendKeyData,
  commandComplete,
  cstring,
  dataRow,
  diagnostic,
  errorResponse,
  greeting,
  header,
  int16,
  int32,
  message,
  parameterStatus,
  readyForQuery,
  rowDescription,
} from "./backend-messages.ts";
import { RecordingSink } from "./recording-sink.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";
import { connectTo, serveSession } from "./scripted-session.ts";

const credential = async (): Promise<Credential> => ({ type: "password", password: "secret" });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const MIB = 1_048_576;

/** What connecting to a server that plays `script` fails with; the server waits for the client's end. */
async function refusal(script: (peer: Peer) => Promise<void> | void): Promise<PgwireError> {
  await using server = await ScriptedServer.start(async (peer) => {
    await peer.untyped();
    await script(peer);
    await peer.clientEnd;
  });
  const attempt = BackendConnection.connect({
    address: server.address,
    user: "me",
    database: "db",
    credential,
  });
  const error: unknown = await attempt.then(
    () => "connected",
    (reason: unknown) => reason,
  );
  if (error instanceof PgwireError) {
    return error;
  }
  throw error;
}

/** Writes until the client breaks off. Returns how much that was. */
async function flood(peer: Peer, bytes: Buffer, limit: number): Promise<number> {
  let written = 0;
  while (!peer.hasEnded && written < limit) {
    written += bytes.length;
    if (!peer.socket.write(bytes)) {
      const drained = new Promise((resolve) => peer.socket.once("drain", resolve));
      await Promise.race([drained, peer.clientEnd]);
    }
    await turn();
  }
  return written;
}

describe("at start-up", () => {
  test.each([
    [2, "Kerberos V5"],
    [6, "SCM credentials"],
    [7, "GSSAPI"],
    [8, "GSSAPI (continued)"],
    [9, "SSPI"],
    [99, "method 99"],
    [-1, "method -1"],
  ])("authentication request %i is UNSUPPORTED and named", async (type, name) => {
    expect(await refusal((peer) => peer.write(authentication(type)))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining(`by ${name};`),
    });
  });

  test.each([
    ["an error that is cut short", Buffer.from("450000000A53464154414C", "hex")],
    ["an error without its end", message("E", cstring("SFATAL"))],
    ["an empty error", message("E")],
    ["a notice of 0x3FFFFFFF bytes", header("N", 0x3fff_ffff)],
    ["an error of 0x3FFFFFFF bytes", header("E", 0x3fff_ffff)],
    ["a length of 0", header("R", 0)],
    ["a length of 3", header("R", 3)],
    ["a length of -5", header("R", -5)],
    ["a length of 0x7FFFFFFF", header("R", 0x7fff_ffff)],
    ["a ParameterStatus without an end", [authentication(0), message("S", Buffer.from("a\0b"))]],
    ["a ParameterStatus without a value", [authentication(0), message("S", cstring("a"))]],
    ["a key of 0 bytes", [authentication(0), message("K", int32(1))]],
    ["a key of 3 bytes", [authentication(0), message("K", int32(1), Buffer.alloc(3))]],
    ["a key of 257 bytes", [authentication(0), message("K", int32(1), Buffer.alloc(257))]],
    ["half a process id", [authentication(0), message("K", int16(1))]],
    ["a huge count of options", message("v", int32(0x3_0000), int32(0x7fff_ffff))],
    ["a negative count of options", message("v", int32(0x3_0000), int32(-1))],
    ["an option without an end", message("v", int32(0x3_0000), int32(1), Buffer.from("_pq_"))],
    ["a second negotiation", [message("v", int32(0), int32(0)), message("v", int32(0), int32(0))]],
    ["a bare ReadyForQuery", readyForQuery()],
    ["a notification before it is ready", [authentication(0), message("A", int32(1))]],
    ["ReadyForQuery of two bytes", [authentication(0), backendKeyData(1, 2), readyForQuery("II")]],
    ["ReadyForQuery of no byte", [authentication(0), backendKeyData(1, 2), readyForQuery("")]],
    ["a challenge that was not asked for", authentication(11, Buffer.from("r=x,s=AAAA,i=1"))],
    ["a list of mechanisms without an end", authentication(10, cstring("SCRAM-SHA-256"))],
  ])("%s is a protocol violation", async (_what, bytes) => {
    const parts = Array.isArray(bytes) ? bytes : [bytes];
    const error = await refusal((peer) => peer.write(...parts));
    expect(error.code).toBe("PROTOCOL_VIOLATION");
  });

  test("an empty list of mechanisms is UNSUPPORTED", async () => {
    const error = await refusal((peer) => peer.write(authentication(10, Buffer.alloc(1))));
    expect(error.code).toBe("UNSUPPORTED");
  });

  test("an error without SQLSTATE and severity is an error of PostgreSQL", async () => {
    const error = await refusal((peer) => peer.write(diagnostic("E", { M: "no" })));
    expect(error).toMatchObject({
      code: "POSTGRES",
      message: "no",
      diagnostic: { code: "XX000", severity: "ERROR" },
    });
  });

  test.each([
    ["2,000,000,000 rounds", "i=2000000000", "1 to 1000000 are allowed"],
    ["4096 rounds and a half", "i=4096.5", "1 to 1000000 are allowed"],
    ["a round count of 100,000 digits", `i=${"9".repeat(100_000)}`, "1 to 1000000 are allowed"],
    ["no rounds", "x=1", 'lacks its attribute "i"'],
  ])("SCRAM with %s is refused by the limit, at once", async (_what, rounds, problem) => {
    const error = await refusal(async (peer) => {
      peer.write(authentication(10, cstring("SCRAM-SHA-256"), Buffer.alloc(1)));
      const nonce = /r=(.*)$/.exec((await peer.message()).body.toString())?.[1] ?? "";
      peer.write(authentication(11, Buffer.from(`r=${nonce}x,s=AAAA,${rounds}`)));
    });
    expect(error).toMatchObject({
      code: "AUTHENTICATION_FAILED",
      message: expect.stringContaining(problem),
    });
    expect(error.message.length).toBeLessThan(1000);
  });

  test.each([
    ["notices", diagnostic("N", { S: "NOTICE", C: "00000", M: "x".repeat(1000) })],
    ["settings", parameterStatus("a", "x".repeat(1000))],
    ["keys", backendKeyData(1, 2)],
  ])("endless %s are cut off, whatever their number", async (_what, bytes) => {
    let written = 0;
    const error = await refusal(async (peer) => {
      const many = Buffer.concat(Array.from({ length: 60 }, () => bytes));
      peer.write(authentication(0));
      written = await flood(peer, many, 100 * MIB);
    });
    expect(error).toMatchObject({
      code: "PROTOCOL_VIOLATION",
      message: expect.stringContaining("more than 1048576 bytes before it was ready"),
    });
    expect(written).toBeLessThan(50 * MIB);
  });

  test("a server that trickles is waited for, and the deadline is the only wait", async () => {
    await using server = await ScriptedServer.start(async (peer) => {
      await peer.untyped();
      for (const byte of greeting()) {
        peer.write(Buffer.from([byte]));
        await turn();
      }
    });
    const connection = await connectTo(server);
    expect(connection.processId).toBe(4711);
    connection.destroy();
  });

  test("a key of 256 bytes is taken, and repeated in a cancel", async () => {
    const key = Buffer.alloc(256, 7);
    await using server = await ScriptedServer.start(async (peer) => {
      const opening = await peer.untyped();
      if (opening.length === 264) {
        expect(opening.subarray(8)).toEqual(key);
        peer.socket.end();
        return;
      }
      peer.write(authentication(0), message("K", int32(9), key), readyForQuery());
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const end = askRaw(connection, queryMessage("q"));
    await turn();
    const { running } = connection;
    await connection.cancel(running ?? expect.unreachable());
    connection.destroy();
    expect((await end).end).toMatchObject({ type: "lost" });
  });
});

describe("while a request runs", () => {
  const cases: readonly (readonly [string, Buffer])[] = [
    ["an error that is cut short", Buffer.from("450000000A534641544121", "hex")],
    ["a length of 0", header("C", 0)],
    ["a length of 3", header("Z", 3)],
    ["a length of -5", header("T", -5)],
    ["a length of 0x7FFFFFFF", header("D", 0x7fff_ffff)],
    ["a ParameterStatus without an end", message("S", Buffer.from("a"))],
    ["an unknown status", readyForQuery("X")],
    ["a status of two bytes", readyForQuery("II")],
    ["settings without number", Buffer.concat(settings(1001, ""))],
    ["settings of 2 MiB", Buffer.concat(settings(30, "x".repeat(70_000)))],
  ];

  test.each(cases)("%s ends a request that reads events", async (_what, bytes) => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(bytes);
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const asked = ask(connection, "q", new RecordingSink());
    await expect(asked).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      cause: { code: "PROTOCOL_VIOLATION" },
    });
    await connection.closed;
  });

  test.each(cases)("%s ends a request that reads spans", async (_what, bytes) => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(bytes);
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const { end } = await askRaw(connection, queryMessage("q"));
    expect(end).toMatchObject({
      type: "lost",
      error: { code: "CONNECTION_LOST", cause: { code: "PROTOCOL_VIOLATION" } },
    });
    await connection.closed;
  });

  test("a notice of 0x3FFFFFFF bytes that never ends takes no memory that was not sent", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(header("N", 0x3fff_ffff), Buffer.alloc(200_000, "x"));
      sent.resolve();
      await peer.clientEnd;
    });
    const sent = Promise.withResolvers<void>();
    const before = process.memoryUsage().arrayBuffers;
    const connection = await connectTo(server);
    const asked = ask(connection, "q", new RecordingSink());
    await sent.promise;
    await turn();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB);
    connection.destroy();
    await expect(asked).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  });

  test.each(["K", "R", "v", "p", "?"])(
    "a message of another time ('%s') ends a request that reads events",
    async (type) => {
      await using server = await serveSession(async (peer) => {
        await peer.query();
        peer.write(message(type, int32(0), int32(0)));
        await peer.clientEnd;
      });
      const connection = await connectTo(server);
      await expect(ask(connection, "q", new RecordingSink())).rejects.toMatchObject({
        cause: { code: "PROTOCOL_VIOLATION" },
      });
    },
  );

  test("a server that trickles its answer is understood in both modes", async () => {
    const answer = Buffer.concat([
      rowDescription("a"),
      dataRow("1"),
      errorResponse("ERROR", "22012", "division by zero"),
      readyForQuery(),
    ]);
    await using server = await serveSession(async (peer) => {
      for (let count = 0; count < 2; count += 1) {
        await peer.query();
        for (const byte of answer) {
          peer.write(Buffer.from([byte]));
          await turn();
        }
      }
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const sink = new RecordingSink();
    await expect(ask(connection, "q", sink)).rejects.toMatchObject({ code: "POSTGRES" });
    expect(sink.types).toEqual(["fields", "rows"]);
    const { bytes, end } = await askRaw(connection, queryMessage("q"));
    expect(bytes).toEqual(answer);
    expect(end).toMatchObject({ type: "ready", error: { diagnostic: { code: "22012" } } });
    connection.destroy();
  });

  test("more tags after the last statement are one answer until ReadyForQuery", async () => {
    await using server = await serveSession(async (peer) => {
      await peer.query();
      peer.write(...Array.from({ length: 5000 }, () => commandComplete("X")), readyForQuery());
      await peer.clientEnd;
    });
    const connection = await connectTo(server);
    const sink = new RecordingSink();
    await ask(connection, "q", sink);
    expect(sink.events).toHaveLength(5000);
    connection.destroy();
  });
});

function settings(count: number, value: string): Buffer[] {
  return Array.from({ length: count }, (_, index) => parameterStatus(`setting ${index}`, value));
}
