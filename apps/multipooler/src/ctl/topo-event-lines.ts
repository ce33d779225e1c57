import { tableLines } from "@multipooler/text-table";
import { jsonText } from "./output.ts";
import { shortTime } from "./short-time.ts";
import type { TopoEvent } from "./topo-event.ts";
import { recordFields, recordJson, recordName } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";
import { recordSummary } from "./topo-summary.ts";

/** Formats an event as one line of JSON, with the time at which it was seen. */
export function eventJson(event: TopoEvent, seen: Date): string {
  const line = { time: seen.toISOString(), event: event.type, ...details(event) };
  return jsonText(line, { indent: 0 });
}

function details(event: TopoEvent): object {
  switch (event.type) {
    case "found":
    case "written":
      return recordJson(event.record);
    case "deleted":
    case "ended":
      return { kind: event.kind, key: event.key };
    case "damaged":
      return { kind: event.kind, key: event.key, error: event.error.message };
    case "away":
      return { kind: event.kind, error: event.error.message };
    case "back":
      return { kind: event.kind };
  }
}

type Fields = ReadonlyMap<string, string>;

/** Formats events for people. Keeps the last version of each record to print what has changed. */
export class EventLines {
  readonly #known = new Map<string, Fields>();

  /** Formats an event that was seen at `seen`. */
  line(event: TopoEvent, seen: Date): string {
    const [line = ""] = tableLines([[shortTime(seen), ...this.#words(event)]], { widths: WIDTHS });
    return `${line}\n`;
  }

  #words(event: TopoEvent): readonly [what: string, kind: string, rest: string] {
    switch (event.type) {
      case "found":
      case "written":
        return this.#recordWords(event.type, event.record);
      case "deleted":
        this.#known.delete(event.key);
        return ["deleted", event.kind, recordName(event)];
      case "ended":
        return ["ended", event.kind, `${recordName(event)}  no process has this name any more`];
      case "damaged":
        this.#known.delete(event.key);
        return ["damaged", event.kind, `${recordName(event)}  ${event.error.message}`];
      case "away":
        return ["away", event.kind, event.error.message];
      case "back":
        return ["back", event.kind, ""];
    }
  }

  #recordWords(type: "found" | "written", record: TopoRecord): readonly [string, string, string] {
    const before = this.#known.get(record.key);
    const fields: Fields = new Map(recordFields(record));
    this.#known.set(record.key, fields);
    const name = recordName(record);
    if (before !== undefined) {
      return ["changed", record.kind, `${name}  ${changes(before, fields)}`];
    }
    const what = type === "found" ? "found" : "new";
    return [what, record.kind, `${name}  ${recordSummary(record)}`];
  }
}

/** Widths of the columns, since lines come one by one: a time, the longest event, the longest kind. */
const WIDTHS = [0, "deleted".length, "database".length];

function changes(before: Fields, after: Fields): string {
  return (
    [...new Set([...before.keys(), ...after.keys()])]
      // Changes with each status.
      .filter((path) => path !== "lifecycleStatus.updated" && before.get(path) !== after.get(path))
      .map((path) => `${path} ${before.get(path) ?? "(none)"} → ${after.get(path) ?? "(none)"}`)
      .join(", ")
  );
}
