import type { Transcript } from "./transcript.ts";

/** One side of a comparison: a client of PostgreSQL itself, or of the pooler. */
export interface Peer {
  readonly transcript: Transcript;
  /** Sends bytes in these pieces. After the end they are dropped. */
  send(pieces: readonly Buffer[]): Promise<void>;
  /** Has what it runs cancelled. Resolves when the request has been taken. */
  cancel(): Promise<void>;
  /** Goes away without a word. */
  vanish(): Promise<void>;
}

/** The same client twice. */
export interface Pair {
  readonly direct: Peer;
  readonly pooled: Peer;
}
