import type { CallOptions, DatabaseHandle, PoolerController } from "@multipooler/controller-api";
import type { ManagerOptions, OpenOptions } from "./manager-options.ts";
import type { ManagerStatus } from "./manager-status.ts";
import { ManagerError, ManagerErrorCode } from "./manager-error.ts";

/**
 * The one entry point of a pooler: it connects to the database, drives the controller, keeps the
 * topology record true and opens the transports.
 */
export class MultiPoolerManager {
  readonly #options: ManagerOptions;

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /**
   * Registers the pooler, opens the transports, and goes on in the background: connects to the
   * database, retrying without an end, and serves. Resolves when every transport listens.
   */
  open(_options: OpenOptions): Promise<void> {
    return Promise.reject(new ManagerError(ManagerErrorCode.Internal, "not built yet"));
  }

  /** The controller. Ask anew at each call of a client. */
  queryServiceControl(): PoolerController<DatabaseHandle> {
    return this.#options.controller;
  }

  /** What the pooler is doing now. Never blocks, never throws. */
  status(): ManagerStatus {
    throw new ManagerError(ManagerErrorCode.Internal, "not built yet");
  }

  /**
   * Calls `listener` with each new status, beginning with the next change, until the function that
   * it returns is called.
   */
  watchStatus(_listener: (status: ManagerStatus) => void): () => void {
    throw new ManagerError(ManagerErrorCode.Internal, "not built yet");
  }

  /** Ends everything in the reverse order of `open`. Idempotent; `open` works again afterwards. */
  close(_options: CallOptions = {}): Promise<void> {
    return Promise.reject(new ManagerError(ManagerErrorCode.Internal, "not built yet"));
  }

  /** `close` without a signal. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
