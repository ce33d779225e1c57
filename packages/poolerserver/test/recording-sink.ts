import { decodeCommandTag } from "@multipooler/query-service";
import type { ResultEvent, ResultSink } from "@multipooler/query-service";

/** Keeps every event. */
export class RecordingSink implements ResultSink {
  readonly events: ResultEvent[] = [];

  write(event: ResultEvent): undefined {
    this.events.push(event);
  }

  /** The command tags, in their order. */
  get tags(): string[] {
    return this.events.flatMap((event) =>
      event.type === "complete" ? [decodeCommandTag(event.bytes)] : [],
    );
  }

  get rowCount(): number {
    return this.events.reduce(
      (sum, event) => sum + (event.type === "rows" ? event.rowCount : 0),
      0,
    );
  }

  /** The first column of each row, as text; `null` for NULL. */
  get values(): (string | null)[] {
    return this.events.flatMap((event) =>
      event.type === "rows" ? firstValues(Buffer.from(event.bytes)) : [],
    );
  }
}

function firstValues(block: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  for (let at = 0; at < block.length; at += 1 + block.readInt32BE(at + 1)) {
    const length = block.readInt16BE(at + 5) === 0 ? -1 : block.readInt32BE(at + 7);
    values.push(length < 0 ? null : block.toString("utf8", at + 11, at + 11 + length));
  }
  return values;
}
