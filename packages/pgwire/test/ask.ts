import type { ResultEvent, ResultSink } from "@multipooler/query-service";
import type { EventRequest, RequestEnd, SpanRequest } from "../src/connection/request.ts";
import { RawUnit } from "../src/requests/raw-unit.ts";
import { SimpleQuery } from "../src/requests/simple-query.ts";
import { message } from "./backend-messages.ts";

/** What requests are sent on. */
export interface Sender {
  send(request: EventRequest | SpanRequest): void;
}

/** A query that was made, and its end. */
export interface Asked {
  readonly request: SimpleQuery;
  readonly ended: Promise<RequestEnd>;
}

/** A query whose events go to `sink`; it is not sent yet. */
export function query(sql: string, sink: ResultSink): Asked {
  const { promise, resolve, reject } = Promise.withResolvers<RequestEnd>();
  let isSettled = false;
  const receiver = {
    event: (event: ResultEvent): Promise<void> | undefined => sink.write(event),
    settle: (end: RequestEnd): void => {
      if (isSettled) {
        reject(new Error("settled twice"));
      }
      isSettled = true;
      // Behind everything that a second settling could come from.
      setImmediate(() => resolve(end));
    },
  };
  return { request: new SimpleQuery({ sql, receiver }), ended: promise };
}

/** Sends a query. Rejects with the error of the server, of the sink or of the connection. */
export async function ask(connection: Sender, sql: string, sink: ResultSink): Promise<void> {
  const { request, ended } = query(sql, sink);
  connection.send(request);
  assertReady(await ended);
}

/** Throws what a request failed with. */
export function assertReady(end: RequestEnd): void {
  if (end.type === "sinkFailed") {
    throw end.cause;
  }
  if (end.error !== undefined) {
    throw end.error;
  }
}

/** What came back of a request that reads spans. */
export interface RawAnswer {
  readonly spans: readonly Uint8Array[];
  readonly bytes: Buffer;
  readonly end: RequestEnd;
}

/** A query string as bytes. */
export function queryMessage(sql: string): Buffer {
  return message("Q", Buffer.from(`${sql}\0`));
}

/** Sends bytes and keeps the spans of the answer. */
export function askRaw(
  connection: Sender,
  bytes: Uint8Array,
  onMessage?: (code: number) => boolean,
): Promise<RawAnswer> {
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const spans: Uint8Array[] = [];
  const receiver = {
    span: (span: Uint8Array): boolean => {
      spans.push(span);
      return true;
    },
    ...(onMessage && { message: onMessage }),
    settle: (end: RequestEnd): void => resolve({ spans, bytes: Buffer.concat(spans), end }),
  };
  connection.send(new RawUnit({ bytes, receiver }));
  return promise;
}
