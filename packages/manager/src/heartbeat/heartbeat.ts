import type { CallOptions } from "@multipooler/query-service";
import { HeartbeatReader } from "./heartbeat-reader.ts";
import { HeartbeatWriter } from "./heartbeat-writer.ts";
import type { HeartbeatWriterOptions } from "./heartbeat-writer.ts";
import type { HeartbeatStatus } from "../manager-status.ts";

export type HeartbeatOptions = HeartbeatWriterOptions;

/** The heartbeat of one pooler: written, read, or off; never two of these at once. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #active: HeartbeatWriter | HeartbeatReader | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Why commits do not end, one line; `undefined` if they do, or if nobody tries. */
  get writeFault(): string | undefined {
    return this.#active instanceof HeartbeatWriter ? this.#active.writeFault : undefined;
  }

  status(): HeartbeatStatus {
    return this.#active?.status() ?? { mode: "off" };
  }

  /** Writes from now on, in the background. */
  async write(): Promise<void> {
    if (this.#active instanceof HeartbeatWriter) {
      return;
    }
    await this.off();
    const writer = new HeartbeatWriter(this.#options);
    this.#active = writer;
    writer.open();
  }

  /** Reads from now on; resolves after the first read. */
  async read(options?: CallOptions): Promise<void> {
    if (this.#active instanceof HeartbeatReader) {
      return;
    }
    await this.off();
    const reader = new HeartbeatReader(this.#options);
    this.#active = reader;
    await reader.open(options);
  }

  /** Ends either; resolves when nothing is in flight and no connection is left. Idempotent. */
  async off(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.close();
  }
}
