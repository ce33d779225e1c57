import { MessageBody } from "@multipooler/query-service";

/** The parameters and formats of a Bind as the contract's Portal has them. */
export interface Binding {
  readonly portal: string;
  readonly statement: string;
  readonly paramFormats: readonly number[];
  readonly paramLengths: readonly bigint[];
  readonly paramValues: Buffer;
  readonly resultFormats: readonly number[];
}

/** What a client gives a name to. */
export type NamedKind = "statement" | "portal";

/** What a client says after its login. */
export type FrontendMessage =
  | { readonly type: "query"; readonly sql: string }
  | {
      readonly type: "parse";
      readonly name: string;
      readonly query: string;
      readonly paramTypes: readonly number[];
    }
  | { readonly type: "bind"; readonly binding: Binding }
  | { readonly type: "describe"; readonly of: NamedKind; readonly name: string }
  | { readonly type: "close"; readonly of: NamedKind; readonly name: string }
  | { readonly type: "execute"; readonly portal: string; readonly maxRows: number }
  | { readonly type: "copyData"; readonly data: Buffer }
  | { readonly type: "copyFail"; readonly reason: string }
  | { readonly type: "sync" | "flush" | "copyDone" | "terminate" | "unknown" };

const HEADER_BYTES = 5;

/** The messages of a run of whole ones. */
export function* messagesOf(run: Uint8Array): Generator<FrontendMessage> {
  const bytes = Buffer.from(run.buffer, run.byteOffset, run.byteLength);
  for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 1) + 1) {
    const code = String.fromCodePoint(bytes[at] ?? 0);
    const end = at + bytes.readInt32BE(at + 1) + 1;
    const body = bytes.subarray(at + HEADER_BYTES, end);
    yield messageOf(code, new MessageBody({ body, message: `the client's ${code}` }));
  }
}

function messageOf(code: string, body: MessageBody): FrontendMessage {
  switch (code) {
    case "Q":
      return { type: "query", sql: body.string() };
    case "P":
      return {
        type: "parse",
        name: body.string(),
        query: body.string(),
        paramTypes: listOf(body, () => body.uint32()),
      };
    case "B":
      return { type: "bind", binding: bindingOf(body) };
    case "D":
    case "C":
      return {
        type: code === "D" ? "describe" : "close",
        of: body.uint8() === 0x53 ? "statement" : "portal",
        name: body.string(),
      };
    case "E":
      return { type: "execute", portal: body.string(), maxRows: body.int32() };
    case "d":
      return { type: "copyData", data: body.rest() };
    case "f":
      return { type: "copyFail", reason: body.string() };
    case "S":
      return { type: "sync" };
    case "H":
      return { type: "flush" };
    case "c":
      return { type: "copyDone" };
    case "X":
      return { type: "terminate" };
    default:
      return { type: "unknown" };
  }
}

function bindingOf(body: MessageBody): Binding {
  const portal = body.string();
  const statement = body.string();
  const paramFormats = listOf(body, () => body.int16());
  const values = listOf(body, () => {
    const length = body.int32();
    const bytes = Array.from({ length: Math.max(length, 0) }, () => body.uint8());
    return { length: BigInt(length), bytes: Buffer.from(bytes) };
  });
  return {
    portal,
    statement,
    paramFormats,
    paramLengths: values.map(({ length }) => length),
    paramValues: Buffer.concat(values.map(({ bytes }) => bytes)),
    resultFormats: listOf(body, () => body.int16()),
  };
}

function listOf<Item>(body: MessageBody, item: () => Item): Item[] {
  return Array.from({ length: body.uint16() }, item);
}
