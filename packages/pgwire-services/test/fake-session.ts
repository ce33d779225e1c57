import { encodeDiagnostic, PoolerErrorCode } from "@multipooler/query-service";
import type {
  Diagnostic,
  PoolerError,
  Reservation,
  Session,
  SessionCaller,
  SessionClient,
  SessionState,
} from "@multipooler/query-service";

/** What a controller throws. */
export class FakePoolerError extends Error implements PoolerError {
  override readonly name = "PoolerError";
  readonly code: PoolerErrorCode;
  readonly diagnostic: Diagnostic | undefined;
  readonly reservation: Reservation | undefined = undefined;

  constructor(code: PoolerErrorCode, message: string, diagnostic?: Diagnostic) {
    super(message);
    this.code = code;
    this.diagnostic = diagnostic;
  }
}

const TERMINATE = 0x58;
const SHUTDOWN: Diagnostic = {
  kind: "error",
  severity: "FATAL",
  code: "57P01",
  message: "terminating connection due to administrator command",
};

/**
 * A session that does what the test says. It keeps what it gets, and ends by itself at a Terminate or
 * a message whose length cannot be.
 */
export class FakeSession implements Session {
  readonly parameters: ReadonlyMap<string, string> = new Map([
    ["server_version", "17.6"],
    ["application_name", "the pooler's own"],
  ]);
  readonly caller: SessionCaller;
  readonly client: SessionClient;
  readonly received: Buffer[] = [];
  /** What `write` returns. */
  takesMore = true;
  state: SessionState = { type: "idle" };
  /** In a transaction it leaves only when the test says so. */
  isInTransaction = false;
  cancels = 0;
  drains = 0;
  ends: string[] = [];
  isEnded = false;
  readonly #waiters = new Set<() => void>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(caller: SessionCaller, client: SessionClient) {
    this.caller = caller;
    this.client = client;
  }

  get receivedBytes(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }

  write(messages: Uint8Array): boolean {
    this.received.push(Buffer.from(messages));
    if (messages[0] === TERMINATE) {
      this.finish();
    } else if (messages.length === 5 && messages[4] === 0) {
      this.finish({ ...SHUTDOWN, code: "08P01", message: "broken" });
    }
    this.changed();
    return this.takesMore;
  }

  drained(): void {
    this.drains += 1;
    this.changed();
  }

  cancel(): void {
    this.cancels += 1;
    this.changed();
  }

  async end(when: "now" | "boundary"): Promise<void> {
    this.ends.push(when);
    if (when === "now") {
      this.finish();
    } else if (!this.isInTransaction) {
      this.finish(SHUTDOWN);
    }
    this.changed();
    await this.#gone.promise;
  }

  describe(): SessionState {
    return this.isEnded ? { type: "ended" } : this.state;
  }

  /** Ends it, with a last word if one is given. */
  finish(diagnostic?: Diagnostic): void {
    if (this.isEnded) {
      return;
    }
    this.isEnded = true;
    if (diagnostic !== undefined) {
      this.client.write(encodeDiagnostic(diagnostic));
    }
    this.client.ended(undefined);
    this.#gone.resolve();
  }

  /** Leaves its transaction, and with that the pooler if that has been asked for. */
  commit(): void {
    this.isInTransaction = false;
    if (this.ends.includes("boundary")) {
      this.finish(SHUTDOWN);
    }
  }

  async until(isTrue: (session: this) => boolean): Promise<void> {
    while (!isTrue(this)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      await promise;
    }
  }

  changed(): void {
    for (const wake of this.#waiters) {
      wake();
    }
    this.#waiters.clear();
  }
}

export function notOpen(): FakePoolerError {
  return new FakePoolerError(PoolerErrorCode.NotOpen, "the controller is not open");
}
