import type { ServerResponse } from "node:http";
import { printableJson } from "@multipooler/text-table";

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Why a request was refused, for programs. Closed. */
export type HttpErrorCode =
  | "UNKNOWN_PATH"
  | "METHOD_NOT_ALLOWED"
  | "CERTIFICATE_REQUIRED"
  | "BAD_LAG"
  | "METRICS_FAILED"
  | "TOO_MANY_SUBSCRIBERS"
  | "INTERNAL";

/** What probes tell, a page of any origin may read. */
export const FOR_ALL_ORIGINS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
};

export function jsonAnswer(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = FOR_ALL_ORIGINS,
): HttpAnswer {
  const type = "application/json; charset=utf-8";
  return {
    status,
    body: `${printableJson(JSON.stringify(body))}\n`,
    headers: { "content-type": type, ...headers },
  };
}

/** `error` is for people, `code` for programs. */
export function errorAnswer(
  status: number,
  error: { readonly code: HttpErrorCode; readonly error: string } & Readonly<
    Record<string, unknown>
  >,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return jsonAnswer(status, error, { ...FOR_ALL_ORIGINS, ...headers });
}

const BODILESS: ReadonlySet<string> = new Set(["HEAD", "OPTIONS"]);

/** Sends it; without its body where the method wants none. */
export function sendAnswer(response: ServerResponse, { status, body, headers }: HttpAnswer): void {
  response.writeHead(status, { "cache-control": "no-store", ...headers });
  const { method = "" } = response.req;
  response.end(BODILESS.has(method) ? undefined : body);
}
