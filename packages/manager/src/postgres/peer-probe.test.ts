import type net from "node:net";
import { expect, test } from "vitest";
import { listenAsPeer } from "../../test/peer.ts";
import type { Peer } from "../../test/peer.ts";
import { probePeer } from "./peer-probe.ts";
import type { PeerVerdict } from "./peer-probe.ts";

const probe = (peer: Peer, signal: AbortSignal = new AbortController().signal) =>
  probePeer({ type: "tcp", host: "127.0.0.1", port: peer.port }, signal);

const answer = (text: string) => (socket: net.Socket) => {
  socket.once("data", () => socket.write(text));
};

test.each<[string, (socket: net.Socket) => void, PeerVerdict]>([
  ["agrees to TLS", answer("S"), "postgresql"],
  ["declines TLS", answer("N"), "postgresql"],
  ["answers with an ErrorResponse", answer("E\0\0\0\x04"), "postgresql"],
  ["greets like SSH", (socket) => socket.write("SSH-2.0-x\r\n"), "other"],
  ["greets like a mail server", (socket) => socket.write("220 hello\r\n"), "other"],
  ["answers like HTTP", answer("HTTP/1.1 400 Bad Request\r\n\r\n"), "other"],
  ["asks for a login", answer("R\0\0\0\x08\0\0\0\x07"), "postgresql"],
  ["answers too little", answer("hm"), "other"],
  ["hangs up", (socket) => socket.end(), "unknown"],
  ["resets", (socket) => socket.resetAndDestroy(), "unknown"],
])("a peer that %s", async (_, behave, verdict) => {
  await using peer = await listenAsPeer(behave);
  expect(await probe(peer)).toBe(verdict);
  await peer.left();
});

test("a silent peer is unknown when the signal aborts, and is left", async () => {
  await using peer = await listenAsPeer(() => undefined);
  const abort = new AbortController();
  const verdict = probe(peer, abort.signal);
  await peer.visited();
  abort.abort();
  expect(await verdict).toBe("unknown");
  await peer.left();
});

test("where nobody listens it is unknown", async () => {
  const peer = await listenAsPeer(() => undefined);
  await peer[Symbol.asyncDispose]();
  expect(await probe(peer)).toBe("unknown");
});
