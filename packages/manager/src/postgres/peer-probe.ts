import net from "node:net";
import type { DatabaseAddress } from "@multipooler/controller-api";
import { FrameFault } from "./frame-fault.ts";
import { FrameGuard, HEADER_BYTES } from "./frame-guard.ts";

/**
 * What listens at an address, as far as its answer to one question tells.
 *
 * | verdict    | the peer                                                         |
 * | ---------- | ---------------------------------------------------------------- |
 * | postgresql | answers as PostgreSQL does                                       |
 * | other      | answers with something that PostgreSQL never sends               |
 * | unknown    | cannot be reached, is silent, or hangs up without a word         |
 */
export type PeerVerdict = "postgresql" | "other" | "unknown";

// https://www.postgresql.org/docs/17/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const [YES, NO, ERROR_RESPONSE] = Buffer.from("SNE");

/**
 * Asks what listens at `address` for TLS, which PostgreSQL answers with a single letter, and
 * hangs up. Never rejects; gives up as unknown when the signal aborts.
 */
export function probePeer(address: DatabaseAddress, signal: AbortSignal): Promise<PeerVerdict> {
  const { promise, resolve } = Promise.withResolvers<PeerVerdict>();
  const socket =
    address.type === "socket"
      ? net.connect({ path: address.path, signal })
      : net.connect({ host: address.host, port: address.port, signal });
  socket.once("connect", () => socket.write(SSL_REQUEST));
  socket.once("data", (answer) => resolve(judge(answer)));
  socket.once("error", () => resolve("unknown"));
  socket.once("close", () => resolve("unknown"));
  return promise.finally(() => socket.destroy());
}

function judge(answer: Buffer): PeerVerdict {
  const first = answer[0];
  if (first === ERROR_RESPONSE) {
    return "postgresql";
  }
  // After its letter PostgreSQL waits; more bytes are a greeting that happens to begin like one,
  // or a message of a server that takes the question for a start-up.
  if (answer.length === 1) {
    return first === YES || first === NO ? "postgresql" : "other";
  }
  return answer.length >= HEADER_BYTES && looksLikePostgres(answer) ? "postgresql" : "other";
}

function looksLikePostgres(answer: Buffer): boolean {
  try {
    new FrameGuard().accept(answer);
    return true;
  } catch (error) {
    return error instanceof FrameFault && error.kind !== "notPostgresql";
  }
}
