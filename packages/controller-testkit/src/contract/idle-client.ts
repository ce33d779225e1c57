import type { PoolerError, SessionClient } from "@multipooler/query-service";

/** A client of a session that says nothing and takes everything. */
export class IdleClient implements SessionClient {
  write(): boolean {
    return true;
  }

  resume(): void {
    // It has nothing to write.
  }

  ended(_reason: PoolerError | undefined): void {
    // It is not surprised.
  }
}
