import {
  decodeCommandTag,
  decodeDiagnostic,
  decodeFields,
  decodeParameterStatus,
} from "@multipooler/query-service";
import type { Diagnostic, Field, ResultEvent, ResultSink } from "@multipooler/query-service";

/** An event with what its bytes say. */
export type DecodedEvent =
  | { readonly type: "fields"; readonly fields: readonly Field[] }
  | { readonly type: "rows"; readonly bytes: string; readonly rowCount: number }
  | { readonly type: "complete"; readonly commandTag: string }
  | { readonly type: "notice"; readonly notice: Diagnostic }
  | { readonly type: "parameterStatus"; readonly name: string; readonly value: string }
  | { readonly type: "suspended" | "empty" };

/** Keeps every event. */
export class RecordingSink implements ResultSink {
  readonly events: ResultEvent[] = [];

  write(event: ResultEvent): undefined {
    this.events.push(event);
  }

  get types(): readonly string[] {
    return this.events.map(({ type }) => type);
  }

  get rowCount(): number {
    return this.events.reduce(
      (sum, event) => sum + (event.type === "rows" ? event.rowCount : 0),
      0,
    );
  }

  /** The bytes of all rows. */
  get rowBytes(): Buffer {
    return Buffer.concat(
      this.events.flatMap((event) => (event.type === "rows" ? [event.bytes] : [])),
    );
  }

  /** The rows in text format, column by column. */
  get rows(): (string | null)[][] {
    return parseRows(this.rowBytes);
  }

  /** The events decoded, without the accident of where rows were cut: neighbours are put together. */
  get transcript(): readonly DecodedEvent[] {
    const merged: DecodedEvent[] = [];
    for (const event of this.events.map(decode)) {
      const last = merged.at(-1);
      if (event.type === "rows" && last?.type === "rows") {
        merged[merged.length - 1] = {
          type: "rows",
          bytes: last.bytes + event.bytes,
          rowCount: last.rowCount + event.rowCount,
        };
      } else {
        merged.push(event);
      }
    }
    return merged;
  }
}

function decode(event: ResultEvent): DecodedEvent {
  const { type, bytes } = event;
  switch (type) {
    case "fields":
      return { type, fields: decodeFields(bytes) };
    case "rows":
      return { type, bytes: Buffer.from(bytes).toString("latin1"), rowCount: event.rowCount };
    case "complete":
      return { type, commandTag: decodeCommandTag(bytes) };
    case "notice":
      return { type, notice: decodeDiagnostic(bytes) };
    case "parameterStatus":
      return { type, ...decodeParameterStatus(bytes) };
    case "suspended":
    case "empty":
      return { type };
  }
}

/** Splits DataRow messages into their values. */
function parseRows(block: Buffer): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let offset = 0;
  while (offset < block.length) {
    const values: (string | null)[] = [];
    const columnCount = block.readInt16BE(offset + 5);
    let position = offset + 7;
    for (let column = 0; column < columnCount; column += 1) {
      const length = block.readInt32BE(position);
      position += 4;
      values.push(length === -1 ? null : block.toString("utf8", position, position + length));
      position += Math.max(length, 0);
    }
    rows.push(values);
    offset += 1 + block.readInt32BE(offset + 1);
  }
  return rows;
}
