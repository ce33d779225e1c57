import { onAbort } from "@multipooler/timing";
import type { TopoError } from "./error.ts";
import { compareKeys } from "./keys.ts";
import type { KeyEvent, KeyValue } from "./key-value.ts";

/**
 * What lies between a backend, which tells what happens to the keys of one watch, and the reader
 * of that watch. Changes of a key that the reader has not taken yet are merged into the latest, and
 * what the reader knows already is not told again, so that a backend may replay or tell the
 * complete state at any time.
 */
export class WatchFeed {
  /** The keys as the reader has been told of them. */
  readonly #told = new Map<string, KeyValue>();
  /** What it is still to be told; `undefined` stands for a deletion. */
  readonly #waiting = new Map<string, KeyValue | undefined>();
  #snapshot: "unknown" | "waiting" | "told" = "unknown";
  #interruption: TopoError | undefined;
  #interruptionTold = false;
  #failure: TopoError | undefined;
  #wake: (() => void) | undefined;

  /** The complete state: everything that is not in `entries` is gone. Ends an interruption. */
  reset(entries: readonly KeyValue[]): void {
    const gone = new Set([...this.#told.keys(), ...this.#waiting.keys()]);
    for (const entry of entries) {
      this.put(entry);
      gone.delete(entry.key);
    }
    for (const key of gone) {
      this.remove(key);
    }
    if (this.#snapshot === "unknown") {
      this.#snapshot = "waiting";
    }
    this.resume();
  }

  /** A key has been written. */
  put(entry: KeyValue): void {
    if (isSame(this.#told.get(entry.key), entry)) {
      this.#waiting.delete(entry.key);
    } else {
      this.#waiting.set(entry.key, entry);
    }
    this.#changed();
  }

  /** A key has been deleted. */
  remove(key: string): void {
    if (this.#told.has(key)) {
      this.#waiting.set(key, undefined);
    } else {
      this.#waiting.delete(key);
    }
    this.#changed();
  }

  /** From now on changes may be missing, until the backend resumes or tells the complete state. */
  interrupt(error: TopoError): void {
    this.#interruption ??= error;
    this.#changed();
  }

  /** Nothing is missing any more that the backend will not tell next. */
  resume(): void {
    this.#interruption = undefined;
    this.#changed();
  }

  /** Ends the watch with an error, once the reader has taken what waits. */
  fail(error: TopoError): void {
    this.#failure ??= error;
    this.#changed();
  }

  /** What the reader reads, until the signal aborts. */
  async *events(signal: AbortSignal | undefined): AsyncGenerator<KeyEvent, void, undefined> {
    const stopListening = onAbort(signal, () => this.#changed());
    try {
      for (;;) {
        if (signal?.aborted === true) {
          return;
        }
        const event = this.#take();
        if (event !== undefined) {
          yield event;
        } else if (this.#failure !== undefined) {
          throw this.#failure;
        } else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
        }
      }
    } finally {
      stopListening();
    }
  }

  #take(): KeyEvent | undefined {
    if (this.#interruption !== undefined && !this.#interruptionTold) {
      this.#interruptionTold = true;
      return { type: "interrupted", error: this.#interruption };
    }
    if (this.#interruption === undefined && this.#interruptionTold) {
      this.#interruptionTold = false;
      return { type: "resumed" };
    }
    switch (this.#snapshot) {
      case "unknown":
        return undefined;
      case "waiting":
        return this.#takeSnapshot();
      case "told":
        return this.#takeChange();
    }
  }

  #takeSnapshot(): KeyEvent {
    const entries = [...this.#waiting.values()].filter((entry) => entry !== undefined);
    entries.sort((a, b) => compareKeys(a.key, b.key));
    this.#waiting.clear();
    for (const entry of entries) {
      this.#told.set(entry.key, entry);
    }
    this.#snapshot = "told";
    return { type: "snapshot", entries };
  }

  #takeChange(): KeyEvent | undefined {
    const next = this.#waiting.entries().next();
    if (next.done === true) {
      return undefined;
    }
    const [key, entry] = next.value;
    this.#waiting.delete(key);
    if (entry === undefined) {
      this.#told.delete(key);
      return { type: "delete", key };
    }
    this.#told.set(key, entry);
    return { type: "put", entry };
  }

  #changed(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** A server that lost its data counts its revisions again, so that they alone do not tell. */
function isSame(told: KeyValue | undefined, { version, createVersion, value }: KeyValue): boolean {
  return (
    told?.version === version &&
    told.createVersion === createVersion &&
    Buffer.compare(told.value, value) === 0
  );
}
