import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";
import type { Clock, Timer } from "@multipooler/timing";
import type { Logger } from "../logger.ts";

/** The connections that the manager keeps for itself: those for statements, and one for heartbeats. */
export function ownConnections(adminConnections: number): number {
  return adminConnections + 1;
}

/** What is left to others, at least: an operator's psql, a backup, a monitoring agent. */
const MIN_ROOM = 3;
/** And in proportion, on servers that grant many. */
const ROOM_SHARE = 0.1;
/** How often a share that a full server has lowered grows again. */
const RECOVERY_STEP_MS = 1_000;

export interface ServerShareOptions {
  /** The manager's own connections; with fewer than one more no query can run. */
  readonly ownConnections: number;
  /** The configured bound on the connections of the process, whatever the server grants. */
  readonly maxConnections: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The controller's share of the connections of one server.
 *
 * | limit                                         | in connections of the process            |
 * | --------------------------------------------- | ---------------------------------------- |
 * | before the server has told what it grants     | 0                                        |
 * | what it grants to ordinary roles              | minus the greater of 3 and 10 %, so that an operator gets in |
 * | a server that grants so few that one for queries would not be left | the manager's own and that one, or all where it grants fewer |
 * | the configured bound                          | where that is lower                      |
 * | after a dial that was refused as one too many | what is used; then 1, 2, 4, … more each second |
 *
 * Some of them are the manager's own, the rest is the controller's. When the limit falls below what is
 * used, nothing is taken away, but nothing is given out until enough came back.
 */
export class ServerShare implements ConnectionShare {
  readonly #options: ServerShareOptions;
  readonly #listeners = new Set<() => void>();
  #granted = 0;
  #limit = 0;
  #used = 0;
  #step = 1;
  #recovery: Timer | undefined;
  #notice: NodeJS.Immediate | undefined;
  #isClosed = false;
  #isSealed = false;

  constructor(options: ServerShareOptions) {
    this.#options = options;
  }

  get limit(): number {
    return this.#limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Connections that the server grants to ordinary roles, as it last said. */
  get granted(): number {
    return this.#granted;
  }

  /** Adopts what the server grants to ordinary roles. */
  adoptServerLimit(granted: number): void {
    if (this.#isClosed) {
      return;
    }
    this.#granted = granted;
    // A share that is recovering grows to the new ceiling by itself.
    this.#setLimit(
      this.#recovery === undefined ? this.#ceiling() : Math.min(this.#limit, this.#ceiling()),
    );
  }

  tryTake(): ConnectionSlot | undefined {
    if (this.#isSealed || this.#used >= this.#limit) {
      return undefined;
    }
    this.#used += 1;
    let held = true;
    return {
      release: () => {
        if (!held) {
          return;
        }
        held = false;
        this.#used -= 1;
        this.#notify();
      },
    };
  }

  onChange(listener: () => void): () => void {
    // A function of its own, so that a listener that is added twice is two.
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  serverIsFull(): void {
    if (this.#isClosed) {
      return;
    }
    const { clock, logger } = this.#options;
    if (this.#recovery === undefined) {
      logger.warn({ used: this.#used, limit: this.#limit }, "PostgreSQL has no connection left");
    }
    this.#step = 1;
    this.#recovery?.cancel();
    this.#recovery = clock.setTimer(() => this.#recover(), RECOVERY_STEP_MS);
    this.#setLimit(Math.min(this.#limit, this.#used));
  }

  /** Gives nothing out any more. What is held may be used until it is given back. */
  seal(): void {
    this.#isSealed = true;
  }

  /** Ends timers and notices; nothing is given out any more. What is held may be given back. */
  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#recovery?.cancel();
    clearImmediate(this.#notice);
    this.#limit = 0;
  }

  #recover(): void {
    const ceiling = this.#ceiling();
    const limit = Math.min(ceiling, this.#limit + this.#step);
    this.#step *= 2;
    this.#recovery =
      limit < ceiling
        ? this.#options.clock.setTimer(() => this.#recover(), RECOVERY_STEP_MS)
        : undefined;
    this.#setLimit(limit);
  }

  /** The controller's part of what the whole process may hold. */
  #ceiling(): number {
    const granted = Math.max(0, this.#granted);
    const room = Math.max(MIN_ROOM, Math.ceil(granted * ROOM_SHARE));
    const own = this.#options.ownConnections;
    const process = Math.max(granted - room, Math.min(granted, own + 1));
    return Math.max(0, Math.min(process, this.#options.maxConnections) - own);
  }

  #setLimit(limit: number): void {
    if (limit === this.#limit) {
      return;
    }
    this.#limit = limit;
    this.#notify();
  }

  /** Tells the listeners on a turn of their own, once for all changes of this one. */
  #notify(): void {
    if (this.#listeners.size === 0) {
      return;
    }
    this.#notice ??= setImmediate(() => {
      this.#notice = undefined;
      for (const listener of this.#listeners) {
        this.#tell(listener);
      }
    });
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.logger.error({ err: error }, "a listener of the connection share failed");
    }
  }
}
