import { once } from "node:events";
import type { Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { Authority } from "@multipooler/tls-identities";
import { expect, test } from "vitest";
import { openEncrypted } from "../src/open-encrypted.ts";
import type { TlsSettings } from "../src/tls-settings.ts";
import { ScriptedServer } from "./scripted-server.ts";

const AUTHORITY = new Authority();
const CONTEXT = createSecureContext(AUTHORITY.issue());

/** Answers the request for TLS with these bytes. */
const answering =
  (bytes: string | Uint8Array) =>
  (socket: Socket): void => {
    socket.once("data", () => socket.write(bytes));
  };

function open(
  server: ScriptedServer,
  tls: TlsSettings,
  signal: AbortSignal = AbortSignal.timeout(10_000),
): Promise<Socket> {
  return openEncrypted({ dial: server.dial, host: "127.0.0.1", tls, signal });
}

test.each([
  ["unencrypted bytes after it agreed", "S\0\u0001", "PROTOCOL_VIOLATION", "unencrypted bytes"],
  ["the greeting of another protocol", "SSH-2.0-x\r\n", "PROTOCOL_VIOLATION", '"SSH-2.0-x.."'],
  ["HTTP", "HTTP/1.1 400 Bad Request\r\n", "PROTOCOL_VIOLATION", '"HTTP/1.1 400 Bad Request'],
  ["bytes after it declined", "NR", "PROTOCOL_VIOLATION", '"NR"'],
  ["an error", "E\0\0\0\u0008Snope", "REFUSED", "with an error"],
  ["no", "N", "REFUSED", 'offers no TLS, and sslmode is "require"'],
  ["garbage in TLS", "S", "HANDSHAKE_FAILED", 'failed (sslmode "require")'],
])("a server that answers with %s is refused", async (_case, bytes, code, words) => {
  await using server = await ScriptedServer.start((socket) => {
    socket.once("data", () => {
      socket.write(bytes);
      socket.once("data", () => socket.write("this is not TLS"));
    });
  });
  const failure: unknown = await open(server, { mode: "require" }).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    name: "TlsError",
    code,
    message: expect.stringContaining(words),
  });
  await expect.poll(() => server.open).toBe(0);
});

test("prefer goes on without TLS on the same connection where the server declines", async () => {
  await using server = await ScriptedServer.start(answering("N"));
  const socket = await open(server, { mode: "prefer" });
  expect(socket).not.toBeInstanceOf(TLSSocket);
  expect(server.accepted).toBe(1);
  socket.destroy();
});

test("prefer dials again without TLS where that fails", async () => {
  await using server = await ScriptedServer.start((socket) => {
    socket.once("data", () => {
      socket.write("S");
      socket.once("data", () => socket.destroy());
    });
  });
  const socket = await open(server, { mode: "prefer" });
  expect(socket).not.toBeInstanceOf(TLSSocket);
  expect(server.accepted).toBe(2);
  socket.destroy();
});

test("prefer does not go on with a peer that sends bytes ahead of TLS", async () => {
  await using server = await ScriptedServer.start(answering("S\0\0"));
  await expect(open(server, { mode: "prefer" })).rejects.toMatchObject({
    code: "PROTOCOL_VIOLATION",
  });
  expect(server.accepted).toBe(1);
});

test.each([
  ["the answer", (socket: Socket) => void socket.resume()],
  ["the handshake", answering("S")],
])("an abort ends the wait for %s, and leaves no socket", async (_case, serve) => {
  await using server = await ScriptedServer.start(serve);
  const abort = new AbortController();
  const opening = open(server, { mode: "require" }, abort.signal);
  await expect.poll(() => server.open).toBe(1);
  abort.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
  await expect.poll(() => server.open).toBe(0);
});

test("a server that hangs up says so", async () => {
  await using server = await ScriptedServer.start((socket) => {
    socket.once("data", () => socket.destroy());
  });
  await expect(open(server, { mode: "require" })).rejects.toMatchObject({
    code: "HANDSHAKE_FAILED",
    message: expect.stringContaining("before the server had answered the request for TLS"),
  });
});

test("direct TLS asks nothing, and refuses a server that does not name the protocol", async () => {
  const first: Buffer[] = [];
  await using server = await ScriptedServer.start((socket) => {
    socket.once("data", (chunk: Buffer) => {
      first.push(chunk);
      socket.pause();
      socket.unshift(chunk);
      const secure = new TLSSocket(socket, { isServer: true, secureContext: CONTEXT });
      secure.on("error", () => undefined);
      secure.resume();
    });
  });
  const tls = { mode: "require", negotiation: "direct" } as const;
  await expect(open(server, tls)).rejects.toMatchObject({
    code: "HANDSHAKE_FAILED",
    message: expect.stringContaining("ALPN"),
  });
  expect(first[0]?.[0]).toBe(0x16);
});

test("what is written goes through TLS, in both directions", async () => {
  await using server = await ScriptedServer.start((socket) => {
    socket.once("data", () => {
      socket.pause();
      socket.write("S");
      const secure = new TLSSocket(socket, { isServer: true, secureContext: CONTEXT });
      secure.on("error", () => undefined);
      secure.pipe(secure);
    });
  });
  const tls = { mode: "verify-full", ca: AUTHORITY.cert, serverName: "localhost" } as const;
  const socket = await open(server, tls);
  expect(socket).toBeInstanceOf(TLSSocket);
  socket.write("hello");
  const [echo] = await once(socket, "data");
  expect(String(echo)).toBe("hello");
  socket.destroy();
});
