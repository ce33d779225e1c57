import { MessageBody } from "@multipooler/query-service";
import { Refusal } from "../login/refusal.ts";
import type { Format } from "./result-encoding.ts";

/** What a Describe or a Close is about. */
export type Named =
  | { readonly type: "statement"; readonly name: string }
  | { readonly type: "portal"; readonly name: string };

/** One message of a client, as far as the console has to do with it. */
export type ConsoleMessage =
  | { readonly type: "query"; readonly sql: string }
  | { readonly type: "parse"; readonly name: string; readonly sql: string }
  | {
      readonly type: "bind";
      readonly portal: string;
      readonly statement: string;
      /** How many there are; no command takes any. */
      readonly parameters: number;
      readonly formats: readonly Format[];
    }
  | { readonly type: "describe"; readonly what: Named }
  | { readonly type: "execute"; readonly portal: string; readonly maxRows: number }
  | { readonly type: "close"; readonly what: Named }
  | { readonly type: "sync" }
  | { readonly type: "flush" }
  | { readonly type: "terminate" }
  /** The rest of a COPY, which PostgreSQL ignores too. */
  | { readonly type: "copy" };

const HEADER_BYTES = 5;
const SHORTEST_LENGTH = 4;

/**
 * Reads the first of `messages`, and tells where the next one begins.
 *
 * @throws a `Refusal` or a `MalformedMessageError` for what is no message of a client
 */
export function readMessage(messages: Buffer): { message: ConsoleMessage; end: number } {
  const length = messages.length < HEADER_BYTES ? 0 : messages.readInt32BE(1);
  const end = 1 + length;
  if (length < SHORTEST_LENGTH || end > messages.length) {
    throw new Refusal("08P01", "invalid message length");
  }
  const type = messages.toString("latin1", 0, 1);
  const body = new MessageBody({ body: messages.subarray(HEADER_BYTES, end), message: type });
  return { message: messageOf(type, body), end };
}

function messageOf(type: string, body: MessageBody): ConsoleMessage {
  switch (type) {
    case "Q":
      return { type: "query", sql: body.string() };
    case "P":
      return { type: "parse", name: body.string(), sql: body.string() };
    case "B":
      return readBind(body);
    case "D":
      return { type: "describe", what: readNamed(body) };
    case "E":
      return { type: "execute", portal: body.string(), maxRows: body.int32() };
    case "C":
      return { type: "close", what: readNamed(body) };
    case "S":
      return { type: "sync" };
    case "H":
      return { type: "flush" };
    case "X":
      return { type: "terminate" };
    case "c":
    case "d":
    case "f":
      return { type: "copy" };
    default:
      throw new Refusal("08P01", `the admin console does not take a message of type "${type}"`);
  }
}

function readBind(body: MessageBody): ConsoleMessage {
  const portal = body.string();
  const statement = body.string();
  const parameterFormats = body.int16();
  for (let index = 0; index < parameterFormats; index += 1) {
    body.int16();
  }
  const parameters = body.int16();
  const formats: Format[] = [];
  if (parameters !== 0) {
    return { type: "bind", portal, statement, parameters, formats };
  }
  const count = body.int16();
  for (let index = 0; index < count; index += 1) {
    formats.push(body.int16() === 1 ? 1 : 0);
  }
  return { type: "bind", portal, statement, parameters, formats };
}

function readNamed(body: MessageBody): Named {
  const kind = body.uint8();
  return { type: kind === "P".charCodeAt(0) ? "portal" : "statement", name: body.string() };
}
