import { MessageBody } from "@multipooler/query-service";
import { encodeMessage } from "../messages/message-writer.ts";
import { clientFault } from "./client-fault.ts";
import type { ClientProtocol, ClientStartup } from "./startup-packet.ts";

const VERSIONS: Readonly<Record<ClientProtocol, number>> = {
  "3.0": 0x0003_0000,
  "3.2": 0x0003_0002,
};

const PASSWORD_MESSAGE = 0x70;

/** AuthenticationOk. */
export const AUTHENTICATION_OK: Buffer = authentication(0);

/** AuthenticationSASL. */
export function encodeSaslMechanisms(names: readonly string[]): Buffer {
  return authentication(10, Buffer.from(`${names.map((name) => `${name}\0`).join("")}\0`));
}

/** AuthenticationSASLContinue. */
export function encodeSaslContinue(message: string): Buffer {
  return authentication(11, Buffer.from(message));
}

/** AuthenticationSASLFinal. */
export function encodeSaslFinal(message: string): Buffer {
  return authentication(12, Buffer.from(message));
}

/** NegotiateProtocolVersion, for a client that did not get all it asked for. */
export function encodeNegotiateProtocolVersion(
  startup: Pick<ClientStartup, "protocol">,
  unknownOptions: readonly string[],
): Buffer {
  const names = unknownOptions.map((name) => Buffer.from(`${name}\0`));
  return encodeMessage("v", [int32(VERSIONS[startup.protocol]), int32(names.length), ...names]);
}

/** BackendKeyData. */
export function encodeBackendKeyData(processId: number, secretKey: Buffer): Buffer {
  return encodeMessage("K", [int32(processId), secretKey]);
}

/** What a client answers to AuthenticationSASL. */
export interface SaslInitialResponse {
  readonly mechanism: string;
  readonly response: string;
}

/**
 * Checks that a message before the login carries a part of it. PostgreSQL's words.
 *
 * @throws PROTOCOL_VIOLATION
 */
export function assertPasswordMessage(code: number): void {
  if (code !== PASSWORD_MESSAGE) {
    throw clientFault("08P01", `expected SASL response, got message type ${code}`);
  }
}

/** @throws `MalformedMessageError` */
export function parseSaslInitialResponse(content: Buffer): SaslInitialResponse {
  const body = new MessageBody({ body: content, message: "SASLInitialResponse" });
  const mechanism = body.string();
  const length = body.int32();
  // -1 says that there is no response.
  if (Math.max(length, 0) !== body.remaining || length < -1) {
    throw clientFault("08P01", "invalid message format");
  }
  return { mechanism, response: body.rest().toString() };
}

function authentication(code: number, content: Buffer = Buffer.alloc(0)): Buffer {
  return encodeMessage("R", [int32(code), content]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
