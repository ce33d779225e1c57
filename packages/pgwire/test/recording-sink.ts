import type { ResponseEvent, ResponseSink } from "../src/response.ts";

/** An answer without the accident of where its bytes were cut. */
export type Transcript = readonly (
  | Exclude<ResponseEvent, { type: "rows" }>
  | { readonly type: "rows"; readonly bytes: string; readonly rowCount: number }
)[];

/** Keeps every event. */
export class RecordingSink implements ResponseSink {
  readonly events: ResponseEvent[] = [];

  write(event: ResponseEvent): undefined {
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
      this.events.flatMap((event) => (event.type === "rows" ? [event.block] : [])),
    );
  }

  /** The rows in text format, column by column. */
  get rows(): (string | null)[][] {
    return parseRows(this.rowBytes);
  }

  /** The events with neighbouring row blocks put together. */
  get transcript(): Transcript {
    const merged: Transcript[number][] = [];
    for (const event of this.events) {
      const last = merged.at(-1);
      if (event.type !== "rows") {
        merged.push(event);
      } else if (last?.type === "rows") {
        const bytes = last.bytes + Buffer.from(event.block).toString("latin1");
        merged[merged.length - 1] = {
          type: "rows",
          bytes,
          rowCount: last.rowCount + event.rowCount,
        };
      } else {
        const bytes = Buffer.from(event.block).toString("latin1");
        merged.push({ type: "rows", bytes, rowCount: event.rowCount });
      }
    }
    return merged;
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
