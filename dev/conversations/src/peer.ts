import type { Transcript } from "./transcript.ts";

/** One side of a comparison: a client of PostgreSQL itself, or of the pooler. */
export interface Peer {
  readonly transcript: Transcript;
  /** Sends bytes in these pieces. After the end they are dropped. */
  send(pieces: readonly Buffer[]): Promise<void>;
}
