import type { PoolerOwner, RecordEntry, RecordEvent, TopoError } from "@multipooler/topo";
import type { TopoKind, TopoRecord } from "./topo-record.ts";

/** A change in the topology. Records that exist at the start come as `found`. */
export type TopoEvent =
  | { readonly type: "found" | "written"; readonly record: TopoRecord }
  | { readonly type: "deleted"; readonly kind: TopoKind; readonly key: string }
  /** No process has the pooler's name any more; its record may say otherwise. */
  | { readonly type: "ended"; readonly kind: "pooler"; readonly key: string }
  | {
      readonly type: "damaged";
      readonly kind: TopoKind;
      readonly key: string;
      readonly error: TopoError;
    }
  | { readonly type: "away"; readonly kind: TopoKind; readonly error: TopoError }
  | { readonly type: "back"; readonly kind: TopoKind };

/** A watch on the records of one kind. */
export interface EventSource<T> {
  readonly kind: TopoKind;
  readonly watch: AsyncIterable<RecordEvent<T>>;
  readonly recordOf: (entry: RecordEntry<T>) => TopoRecord;
  /** Fails instead of waiting if the topology is unreachable at the start. */
  readonly mustAnswer: boolean;
}

/** Converts the events of a watch. */
export async function* topoEvents<T>(source: EventSource<T>): AsyncGenerator<TopoEvent, void> {
  const { kind, watch, recordOf, mustAnswer } = source;
  let answered = !mustAnswer;
  for await (const event of watch) {
    switch (event.type) {
      case "snapshot":
        answered = true;
        for (const entry of event.entries) {
          yield { type: "found", record: recordOf(entry) };
        }
        break;
      case "put":
        yield { type: "written", record: recordOf(event) };
        break;
      case "delete":
        yield { type: "deleted", kind, key: event.key };
        break;
      case "invalid":
        yield { type: "damaged", kind, key: event.key, error: event.error };
        break;
      case "interrupted":
        if (!answered) {
          throw event.error;
        }
        yield { type: "away", kind, error: event.error };
        break;
      case "resumed":
        yield { type: "back", kind };
        break;
    }
  }
}

/** Tells where poolers end, from a watch on who has their names. */
export async function* endsOfPoolers(
  watch: AsyncIterable<RecordEvent<PoolerOwner>>,
): AsyncGenerator<TopoEvent, void> {
  for await (const event of watch) {
    if (event.type === "delete") {
      yield { type: "ended", kind: "pooler", key: event.key };
    }
  }
}
