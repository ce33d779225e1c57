import { createHook } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { ConnectOptions, Credential } from "../src/connection/connect-options.ts";
import { PgwireError } from "../src/error.ts";
import {
  authentication,
  backendKeyData,
  cstring,
  dataRow,
  diagnostic,
  errorResponse,
  greeting,
  header,
  int32,
  message,
  parameterStatus,
  readyForQuery,
} from "./backend-messages.ts";
import { closedPort, ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";

function options(server: Pick<ScriptedServer, "address">): ConnectOptions {
  return { address: server.address, user: "me", database: "db" };
}

/** Reads the start-up message and answers with `bytes`. */
function answer(...bytes: readonly Buffer[]): (peer: Peer) => Promise<void> {
  return async (peer) => {
    await peer.untyped();
    peer.write(...bytes);
  };
}

/** What connecting to a server that answers so fails with. */
async function failure(
  script: (peer: Peer) => Promise<void> | void,
  more: Partial<ConnectOptions> = {},
): Promise<PgwireError> {
  await using server = await ScriptedServer.start(script);
  const attempt = BackendConnection.connect({ ...options(server), ...more });
  const error: unknown = await attempt.then(
    () => "the server was taken for one",
    (reason: unknown) => reason,
  );
  if (error instanceof PgwireError) {
    return error;
  }
  throw error;
}

const secret = async (): Promise<Credential> => ({ type: "password", password: "secret" });

const sasl = (...mechanisms: readonly string[]): Buffer =>
  authentication(10, ...mechanisms.map(cstring), Buffer.from([0]));

describe("the start-up message", () => {
  test("names user, database and settings, and nothing else", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    await using server = await ScriptedServer.start(async (peer) => {
      resolve((await peer.untyped()).toString("latin1"));
      peer.write(greeting());
    });
    const parameters = { default_transaction_read_only: "on" };
    const connection = await BackendConnection.connect({ ...options(server), parameters });
    expect(await promise).toBe(
      "\0\u0003\0\0default_transaction_read_only\0on\0user\0me\0database\0db\0\0",
    );
    expect(connection.processId).toBe(4711);
    expect([...connection.parameters]).toEqual([["server_version", "17.0"]]);
    expect(connection.transactionStatus).toBe("I");
    expect([connection.state, connection.idle, connection.inFlight]).toEqual(["open", true, 0]);
    connection.destroy();
  });

  test.each([
    ["a user with a NUL character", { user: "a\0b" }],
    ["a database with a NUL character", { database: "\0" }],
    ["a setting without a name", { parameters: { "": "x" } }],
    ["a setting with a NUL character", { parameters: { search_path: "a\0b" } }],
  ])("is not sent with %s", async (_case, more) => {
    const error = await failure(async (peer) => {
      await peer.clientEnd;
      expect(peer.received).toHaveLength(0);
    }, more);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", sent: false });
  });
});

describe("where no server is", () => {
  test("a closed port is CONNECT_FAILED", async () => {
    const port = await closedPort();
    const address = { type: "tcp", host: "127.0.0.1", port } as const;
    await expect(BackendConnection.connect(options({ address }))).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining(`127.0.0.1:${port}`),
      cause: expect.objectContaining({ code: "ECONNREFUSED" }),
    });
  });

  test("a name with several addresses says why, too", async () => {
    const address = { type: "tcp", host: "localhost", port: await closedPort() } as const;
    await expect(BackendConnection.connect(options({ address }))).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("a path without a socket is CONNECT_FAILED", async () => {
    const address = { type: "socket", path: join(tmpdir(), "no-such-socket") } as const;
    await expect(BackendConnection.connect(options({ address }))).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      cause: expect.objectContaining({ code: "ENOENT" }),
    });
  });
});

describe("a peer that is not PostgreSQL", () => {
  test("but HTTP is told by what it says", async () => {
    const error = await failure(answer(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")));
    expect(error).toMatchObject({
      code: "PROTOCOL_VIOLATION",
      message:
        'the peer does not speak PostgreSQL\'s protocol: its answer begins with "HTTP/1.1 400 Bad Request...."',
    });
  });

  test("and speaks first, byte by byte, is told by it as well", async () => {
    const error = await failure(async (peer) => {
      for (const byte of Buffer.from("SSH-2.0-Open")) {
        peer.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(error.message).toContain('begins with "SSH-2');
  });

  test("but whose bytes could be a message is still told", async () => {
    const error = await failure(answer(message("J", Buffer.from("x"))));
    expect(error).toMatchObject({
      code: "PROTOCOL_VIOLATION",
      message: expect.stringMatching(/does not speak .* 'J' does not belong in start-up/),
    });
  });

  test("is not mistaken for a postmaster that cannot fork", async () => {
    const text = "Ecould not fork new process for connection: Cannot allocate memory\n\0";
    expect(await failure(answer(Buffer.from(text)))).toMatchObject({
      code: "CONNECT_FAILED",
      message:
        "the server refused the connection: could not fork new process for connection: Cannot allocate memory",
    });
  });
});

describe("a server that breaks off", () => {
  test.each([
    [
      "before it says anything",
      (peer: Peer) => {
        peer.socket.end();
      },
      "the server closed the connection",
    ],
    [
      "in the middle of a message",
      (peer: Peer) => {
        peer.socket.end(header("R", 8));
      },
      "in the middle of a message",
    ],
    [
      "after it let us in",
      (peer: Peer) => {
        peer.socket.end(authentication(0));
      },
      "the server closed the connection",
    ],
    [
      "with a reset",
      (peer: Peer) => {
        peer.socket.resetAndDestroy();
      },
      "the connection broke",
    ],
  ])("%s is CONNECTION_LOST", async (_case, breakOff, text) => {
    const error = await failure(async (peer) => {
      await peer.untyped();
      breakOff(peer);
    });
    expect(error).toMatchObject({
      code: "CONNECTION_LOST",
      sent: false,
      message: expect.stringContaining(text),
    });
  });

  test("with an error of its own is POSTGRES, what came before notwithstanding", async () => {
    const notice = diagnostic("N", { S: "NOTICE", C: "00000", M: "welcome" });
    const error = await failure(
      answer(notice, authentication(0), notice, errorResponse("FATAL", "57P03", "starting up")),
    );
    expect(error).toMatchObject({
      code: "POSTGRES",
      message: "starting up",
      sent: false,
      diagnostic: { kind: "error", severity: "FATAL", code: "57P03" },
    });
  });
});

describe("an attempt that is aborted", () => {
  test("before it begins opens no socket", async () => {
    await using server = await ScriptedServer.start(() => undefined);
    const reason = new Error("no more");
    await expect(
      BackendConnection.connect(options(server), { signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({ code: "ABORTED", cause: reason });
    expect(server.connectionCount).toBe(0);
  });

  test("while it dials leaves nothing", async () => {
    await using server = await ScriptedServer.start(() => undefined);
    const controller = new AbortController();
    const attempt = BackendConnection.connect(options(server), { signal: controller.signal });
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ code: "ABORTED" });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("while the server is silent leaves no socket and no listener", async () => {
    const controller = new AbortController();
    const reason = new DOMException("too slow", "TimeoutError");
    await using server = await ScriptedServer.start(async (peer) => {
      await peer.untyped();
      controller.abort(reason);
    });
    await expect(
      BackendConnection.connect(options(server), { signal: controller.signal }),
    ).rejects.toMatchObject({ code: "ABORTED", cause: reason, sent: false });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("while a key is derived does not wait for it", async () => {
    const controller = new AbortController();
    const derivation = createHook({
      init: (_id, type) => {
        if (type === "PBKDF2REQUEST") {
          setImmediate(() => controller.abort());
        }
      },
    }).enable();
    await using server = await ScriptedServer.start(async (peer) => {
      await peer.untyped();
      peer.write(sasl("SCRAM-SHA-256"));
      const nonce = /r=(.*)$/.exec((await peer.message()).body.toString())?.[1] ?? "";
      peer.write(authentication(11, Buffer.from(`r=${nonce}x,s=AAAA,i=1000000`)));
      await peer.clientEnd;
      expect(peer.received).toHaveLength(0);
    });
    await expect(
      BackendConnection.connect(
        { ...options(server), credential: secret },
        { signal: controller.signal },
      ),
    ).rejects.toMatchObject({ code: "ABORTED" });
    derivation.disable();
  });

  test("and a signal that stays leaves no listener after success", async () => {
    const { signal } = new AbortController();
    await using server = await ScriptedServer.start(answer(greeting()));
    const connection = await BackendConnection.connect(options(server), { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    connection.destroy();
  });
});

describe("authentication", () => {
  test.each([
    [2, "Kerberos V5"],
    [3, "cleartext password"],
    [5, "MD5 password"],
    [6, "SCM credentials"],
    [7, "GSSAPI"],
    [8, "GSSAPI (continued)"],
    [9, "SSPI"],
    [99, "method 99"],
  ])("by method %i is UNSUPPORTED and named, and no password is asked for", async (type, name) => {
    const credential = (): never => expect.unreachable("the password is not for this server");
    expect(await failure(answer(authentication(type, int32(0))), { credential })).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining(`by ${name};`),
    });
  });

  test("by channel binding alone is UNSUPPORTED", async () => {
    expect(await failure(answer(sasl("SCRAM-SHA-256-PLUS")))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("SASL with SCRAM-SHA-256-PLUS"),
    });
  });

  test.each([
    ["absent", { type: "none" } as const],
    ["empty", { type: "password", password: "" } as const],
  ])("fails when the password is %s", async (_case, credential) => {
    const error = await failure(answer(sasl("SCRAM-SHA-256")), {
      credential: async () => credential,
    });
    expect(error).toMatchObject({
      code: "AUTHENTICATION_FAILED",
      message: expect.stringContaining('"me"'),
    });
  });

  test("of a server that wants none does not ask for the credential", async () => {
    await using server = await ScriptedServer.start(answer(greeting()));
    const credential = (): never => expect.unreachable("the server trusts the client");
    const connection = await BackendConnection.connect({ ...options(server), credential });
    connection.destroy();
  });

  test("fails as CONNECT_FAILED when the credential cannot be looked up", async () => {
    const cause = new Error("the vault is sealed");
    const credential = (): Promise<Credential> => Promise.reject(cause);
    expect(await failure(answer(sasl("SCRAM-SHA-256")), { credential })).toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("the vault is sealed"),
      cause,
    });
  });

  test("does not wait for a credential longer than its signal", async () => {
    const controller = new AbortController();
    await using server = await ScriptedServer.start(answer(sasl("SCRAM-SHA-256")));
    const credential = (): Promise<Credential> => {
      controller.abort();
      return new Promise(() => undefined);
    };
    await expect(
      BackendConnection.connect({ ...options(server), credential }, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: "ABORTED" });
  });

  /** Plays SCRAM up to the client's proof, then says `last`. */
  const scram =
    (...last: readonly Buffer[]): ((peer: Peer) => Promise<void>) =>
    async (peer) => {
      await peer.untyped();
      peer.write(sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"));
      const initial = (await peer.message()).body.toString();
      const [, nonce = ""] =
        /^SCRAM-SHA-256\0....n,,n=me,r=([A-Za-z0-9+/]{32})$/s.exec(initial) ?? [];
      expect(nonce).not.toBe("");
      peer.write(authentication(11, Buffer.from(`r=${nonce}server,s=c2FsdA==,i=4096`)));
      const final = (await peer.message()).body.toString();
      expect(final).toMatch(/^c=biws,r=[^,]+server,p=[A-Za-z0-9+/]{43}=$/);
      peer.write(...last);
    };
  test("of a server with the wrong signature fails", async () => {
    const signature = Buffer.from(`v=${Buffer.alloc(32).toString("base64")}`);
    expect(
      await failure(scram(authentication(12, signature), greeting()), { credential: secret }),
    ).toMatchObject({
      code: "AUTHENTICATION_FAILED",
      message: expect.stringContaining("does not know the password"),
    });
  });

  test("of a server that skips its proof is a protocol violation", async () => {
    expect(await failure(scram(greeting()), { credential: secret })).toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });

  test("that the server refuses is POSTGRES", async () => {
    const refusal = errorResponse("FATAL", "28P01", "password authentication failed");
    expect(await failure(scram(refusal), { credential: secret })).toMatchObject({
      code: "POSTGRES",
      diagnostic: { code: "28P01" },
    });
  });

  test.each([
    ["too short", message("R", Buffer.alloc(3))],
    ["longer than it should be", authentication(0, Buffer.alloc(1))],
    ["without an end of its mechanisms", authentication(10, cstring("SCRAM-SHA-256"))],
  ])("in a message %s is a protocol violation", async (_case, bytes) => {
    expect(await failure(answer(bytes))).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  });
});

describe("after authentication", () => {
  test("an older minor version is accepted", async () => {
    const negotiation = message("v", int32(0), int32(0));
    await using server = await ScriptedServer.start(answer(negotiation, greeting()));
    const connection = await BackendConnection.connect(options(server));
    expect(connection.state).toBe("open");
    connection.destroy();
  });

  test("options that the server does not know are UNSUPPORTED", async () => {
    const negotiation = message("v", int32(0), int32(1), cstring("_pq_.magic"));
    expect(await failure(answer(negotiation))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("_pq_.magic"),
    });
  });

  test.each([
    ["readiness without a key", [authentication(0), readyForQuery()]],
    [
      "an unknown transaction status",
      [authentication(0), backendKeyData(1, 2), readyForQuery("?")],
    ],
    ["rows", [authentication(0), dataRow("1")]],
    ["COPY data", [authentication(0), message("d")]],
    ["an unknown message", [authentication(0), message("?")]],
    ["a second invitation", [authentication(0), authentication(0)]],
    ["an endless message", [authentication(0), header("S", 0x7fff_ffff)]],
    [
      "settings without end",
      [authentication(0), ...Array.from({ length: 2000 }, (_, at) => parameterStatus(`${at}`, ""))],
    ],
  ])("%s is a protocol violation", async (_case, bytes) => {
    expect(await failure(answer(...bytes))).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  });
});
