import type { BackendConnection, RequestEnd } from "@multipooler/pgwire";
import { SimpleQuery } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import { MessageBody } from "@multipooler/query-service";
import { malformed } from "./error.ts";

/** A row of text; `undefined` for null. */
export type TextRow = readonly (string | undefined)[];

const HEADER_BYTES = 5;
/** No command of the replication protocol answers with more. */
const MAX_ROW_BYTES = 1_048_576;

/** Runs a command that answers with rows. Rejects as the connection does, or with MALFORMED. */
export async function queryRows(
  connection: BackendConnection,
  command: string,
): Promise<readonly TextRow[]> {
  const rows: TextRow[] = [];
  const ended = Promise.withResolvers<RequestEnd>();
  connection.send(
    new SimpleQuery({
      sql: command,
      receiver: {
        event(event: ResultEvent) {
          if (event.type === "rows") {
            rows.push(...decodeRows(event));
          }
          return undefined;
        },
        settle: ended.resolve,
      },
    }),
  );
  const end = await ended.promise;
  if (end.type === "sinkFailed") {
    throw end.cause;
  }
  if (end.error !== undefined) {
    throw end.error;
  }
  return rows;
}

/** The rows of a run of DataRow messages. @throws MALFORMED */
export function decodeRows(event: Extract<ResultEvent, { type: "rows" }>): TextRow[] {
  if (event.inProgress || event.bytes.length > MAX_ROW_BYTES) {
    throw malformed("a row is too long");
  }
  const { bytes } = event;
  const run = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows: TextRow[] = [];
  let at = 0;
  while (at < run.length) {
    const end = at + 1 + run.readInt32BE(at + 1);
    const body = new MessageBody({ body: run.subarray(at + HEADER_BYTES, end), message: "a row" });
    rows.push(decodeRow(body));
    at = end;
  }
  return rows;
}

function decodeRow(body: MessageBody): TextRow {
  const columns = body.uint16();
  return Array.from({ length: columns }, () => {
    const length = body.int32();
    return length < 0 ? undefined : textOf(body, length);
  });
}

function textOf(body: MessageBody, length: number): string {
  const bytes = Buffer.from(Array.from({ length }, () => body.uint8()));
  return bytes.toString("utf8");
}
