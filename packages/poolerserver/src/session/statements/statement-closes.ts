import { targetBytes, writeClose, writeSync } from "@multipooler/pgwire";
import type { EventRequest, RequestEnd } from "@multipooler/pgwire";
import type { HeldStatements } from "../../statements/held-statements.ts";

/** Type byte and length of a Sync. */
const SYNC_BYTES = 5;

/**
 * Closes statements ahead of a unit that is a Query. In one request with that they would have no Sync,
 * which the server waits for when what goes ahead of both fails.
 */
export class StatementCloses implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly #names: readonly string[];
  readonly #held: HeldStatements;
  /** Told how it ended. */
  onSettled: ((end: RequestEnd) => void) | undefined;

  constructor(names: readonly string[], held: HeldStatements) {
    this.#names = names;
    this.#held = held;
    let bytes = SYNC_BYTES;
    for (const name of names) {
      bytes += targetBytes(Buffer.byteLength(name));
    }
    this.byteLength = bytes;
  }

  writeTo(target: Buffer, start: number): number {
    let at = start;
    for (const name of this.#names) {
      at = writeClose(target, at, "S", name);
    }
    return writeSync(target, at);
  }

  event(): undefined {
    return undefined;
  }

  settle(end: RequestEnd): void {
    if (end.type !== "ready" || end.error !== undefined) {
      this.#held.owe(this.#names);
    }
    this.onSettled?.(end);
  }
}
