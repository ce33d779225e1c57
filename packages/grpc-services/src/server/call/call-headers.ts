import type { IncomingHttpHeaders } from "node:http2";
import { Code } from "@multipooler/proto/mtrpc";
import { plainStatus } from "../../errors/rpc-status.ts";
import type { RpcStatus } from "../../errors/rpc-status.ts";

/** What the headers of a request say of its call. */
export type CallHeaders =
  | {
      readonly type: "call";
      /** "/service/Method". */
      readonly path: string;
      /** `undefined`: the client waits for ever. */
      readonly timeoutMs: number | undefined;
      /** How those of its messages are compressed that are. */
      readonly encoding: string;
    }
  | { readonly type: "refused"; readonly status: RpcStatus }
  /** A request of HTTP that is none of gRPC. */
  | { readonly type: "foreign" };

const CONTENT_TYPE = "application/grpc";
const MAX_TIMEOUT_DIGITS = 8;
const ZERO = 0x30;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests */
export function readCallHeaders(headers: IncomingHttpHeaders): CallHeaders {
  if (headers["content-type"]?.startsWith(CONTENT_TYPE) !== true) {
    return { type: "foreign" };
  }
  const timeout = headers["grpc-timeout"];
  const timeoutMs = timeout === undefined ? undefined : toMs(String(timeout));
  if (Number.isNaN(timeoutMs)) {
    const text = `invalid grpc-timeout ${JSON.stringify(timeout)}`;
    return { type: "refused", status: plainStatus(Code.INTERNAL, text) };
  }
  return {
    type: "call",
    path: headers[":path"] ?? "",
    timeoutMs,
    encoding: String(headers["grpc-encoding"] ?? "identity"),
  };
}

/** NaN for what is no timeout. Every call has one, so that it is read without a regular expression. */
function toMs(text: string): number {
  const unitAt = text.length - 1;
  let value = 0;
  let digits = 0;
  for (; digits < unitAt; digits += 1) {
    const digit = text.charCodeAt(digits) - ZERO;
    if (digit < 0 || digit > 9) {
      break;
    }
    value = value * 10 + digit;
  }
  const isWhole = digits > 0 && digits <= MAX_TIMEOUT_DIGITS && isBlank(text, digits, unitAt);
  return isWhole ? value * (UNIT_MS[text.charAt(unitAt)] ?? Number.NaN) : Number.NaN;
}

function isBlank(text: string, start: number, end: number): boolean {
  return start === end || text.slice(start, end).trim() === "";
}
