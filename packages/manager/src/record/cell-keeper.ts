import { Backoff, Deadline, PeriodicTask } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import { TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { Cell, RecordEvent, Records } from "@multipooler/topo";
import { FailureLog } from "../failure-log.ts";
import type { Logger } from "../logger.ts";
import { follow } from "./follow.ts";

/** How long one look at the record may take. */
const CHECK_TIMEOUT_MS = 5000;
/** How often the record is looked for without a reason, and the longest wait after a failure. */
const CHECK_MS = 30_000;
/** How long a record that is gone stays gone: it may be on its way from somebody else. */
const REPAIR_MS = 1000;

export interface CellKeeperOptions {
  readonly cells: Records<string, Cell>;
  /** The pooler's cell. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Called, synchronously, when {@link CellKeeper.isMissing} changes. */
  readonly onChange: () => void;
}

/**
 * Keeps the record of the pooler's cell in the topology: without it nobody finds the pooler. A
 * record that was there once and is gone, because the store lost its data or somebody deleted it,
 * is written again as it was. One that never was there is left to the operator.
 */
export class CellKeeper {
  readonly #options: CellKeeperOptions;
  readonly #stop = new AbortController();
  readonly #task: PeriodicTask;
  readonly #backoff: Backoff;
  readonly #log: FailureLog;
  #known: Cell | undefined;
  #isMissing = false;
  #notBefore = 0;
  #following: Promise<void> | undefined;

  constructor(options: CellKeeperOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#task = new PeriodicTask({ clock, run: (signal) => this.#check(signal) });
    this.#backoff = new Backoff({ minMs: 100, maxMs: CHECK_MS, random });
    this.#log = new FailureLog({ clock, logger, what: "looking after the cell's record" });
  }

  /** Whether the record was there once and is known to be gone. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** Begins to watch. Idempotent. */
  open(): void {
    const { cells, name: id, clock, random } = this.#options;
    this.#following ??= follow({
      watch: (signal) => cells.watch({ id, signal }),
      onEvent: (event) => this.#observe(event),
      onFailure: (error) => this.#log.failed(error),
      clock,
      random,
      signal: this.#stop.signal,
    });
    this.#task.open();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#task.close(), this.#following]);
  }

  #observe(event: RecordEvent<Cell>): void {
    switch (event.type) {
      case "snapshot":
        event.entries.forEach(({ record }) => this.#see(record));
        this.#task.poke();
        break;
      case "put":
        this.#see(event.record);
        break;
      case "delete":
        this.#miss();
        break;
      case "resumed":
        this.#task.poke();
        break;
      case "invalid":
      case "interrupted":
        break;
    }
  }

  #see(record: Cell): void {
    this.#known = record;
    this.#setMissing(false);
  }

  #miss(): void {
    const { clock, logger, name } = this.#options;
    if (this.#known === undefined || this.#isMissing) {
      return;
    }
    logger.warn({ cell: name }, "the record of this pooler's cell is gone; it is written again");
    this.#notBefore = clock.monotonic() + REPAIR_MS;
    this.#setMissing(true);
    this.#task.poke();
  }

  /** One turn of the task: resolves with the delay before the next. */
  async #check(stop: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options;
    const restMs = this.#notBefore - clock.monotonic();
    if (this.#known === undefined || restMs > 0) {
      return this.#known && restMs;
    }
    using deadline = new Deadline({
      clock,
      ms: CHECK_TIMEOUT_MS,
      what: "looking for the cell's record",
      signal: stop,
    });
    try {
      await this.#restore(this.#known, deadline.signal);
      this.#log.succeeded();
      this.#backoff.reset();
      return CHECK_MS;
    } catch (error) {
      if (!stop.aborted) {
        this.#log.failed(error);
      }
      return this.#backoff.nextMs();
    }
  }

  async #restore(known: Cell, signal: AbortSignal): Promise<void> {
    const { cells, name } = this.#options;
    try {
      if (this.#isMissing) {
        await cells.create(name, known, { signal });
        this.#setMissing(false);
      } else {
        await cells.get(name, { signal });
      }
    } catch (error) {
      if (isTopoError(error, TopoErrorCode.NodeExists)) {
        this.#setMissing(false);
      } else if (isTopoError(error, TopoErrorCode.NoNode)) {
        this.#miss();
      } else {
        throw error;
      }
    }
  }

  #setMissing(isMissing: boolean): void {
    if (this.#isMissing !== isMissing) {
      this.#isMissing = isMissing;
      this.#options.onChange();
    }
  }
}
