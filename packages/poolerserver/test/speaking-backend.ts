import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { Request, TransactionStatus } from "@multipooler/pgwire";
import { encodeCommandTag, encodeDiagnostic, encodeRow } from "@multipooler/query-service";
import type { Backend, BackendEnd } from "../src/pool/backend.ts";

/**
 * A backend that answers by the words of a text, one request each time the test says so:
 * `begin`, `commit`, `rollback`; `fail`; everything else, such as `read c1 7`, comes back as a row.
 * It knows whose it is while it is in a transaction, or after a `taint c1`, and minds strangers.
 */
export class SpeakingBackend implements Backend {
  readonly processId = 4711;
  readonly parameters: Map<string, string> = new Map();
  readonly #closed = Promise.withResolvers<BackendEnd>();
  readonly #requests: Request[] = [];
  #hasEnded = false;
  transactionStatus: TransactionStatus = "I";
  bytesReceived = 0;
  /** Whose state is in it. */
  #owner: string | undefined;
  #isTainted = false;
  /** What should not have happened. */
  readonly faults: string[] = [];
  isPaused = false;
  cancels = 0;
  /** Every text that reached it, and those that it has answered. */
  readonly received: string[] = [];
  readonly log: string[] = [];

  get closed(): Promise<BackendEnd> {
    return this.#closed.promise;
  }

  get running(): Request | undefined {
    return this.#requests[0];
  }

  get inFlight(): number {
    return this.#requests.length;
  }

  get idle(): boolean {
    return !this.#hasEnded && this.#requests.length === 0;
  }

  get isAwaitingServer(): boolean {
    return this.#requests.length > 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  send(request: Request): void {
    if (this.#hasEnded) {
      queueMicrotask(() => request.settle({ type: "lost", error: lostError(false) }));
      return;
    }
    this.#requests.push(request);
    this.received.push(textOf(request));
  }

  precede(): void {
    // Nobody asks for a label.
  }

  withdraw(): boolean {
    return false;
  }

  feed(): boolean {
    return true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** The next answer is an error, if the request is alone. */
  async cancel(request: Request): Promise<void> {
    if (this.running === request && this.#requests.length === 1) {
      this.cancels += 1;
      this.answer({ isCancelled: true });
    }
  }

  close(): Promise<void> {
    this.#end({ type: "closed" });
    return Promise.resolve();
  }

  destroy(): void {
    this.#end({ type: "destroyed" });
  }

  lose(): void {
    this.#end({ type: "lost", error: lostError(true) });
  }

  /** Answers the request that runs. False: none does, or nobody reads. */
  answer({ isCancelled = false }: { isCancelled?: boolean } = {}): boolean {
    const request = this.#requests[0];
    if (request === undefined || (this.isPaused && !isCancelled)) {
      return false;
    }
    const text = textOf(request);
    const answer = isCancelled
      ? [this.#fail("57014")]
      : this.#run(text, request.answer === "events");
    if (request.answer === "spans") {
      const spans = Buffer.concat([...answer, readyOf(this.transactionStatus)]);
      // In two pieces, the second of which begins inside a message.
      const takesMore = request.span(spans.subarray(0, 7));
      const goesOn = request.span(spans.subarray(7));
      this.isPaused = !(takesMore && goesOn) && this.#requests.length === 1;
    }
    this.#requests.shift();
    this.isPaused = false;
    const { transactionStatus } = this;
    request.settle({ type: "ready", transactionStatus, error: undefined, settingsReported: false });
    return true;
  }

  #run(text: string, isPool: boolean): Uint8Array[] {
    if (isPool) {
      this.#owner = undefined;
      this.#isTainted = false;
      this.transactionStatus = "I";
      this.log.push("clean");
      return [];
    }
    const [verb = "", client = ""] = text.split(" ");
    if (this.#owner !== undefined && this.#owner !== client && client !== "") {
      this.faults.push(`${text} ran on the backend of ${this.#owner}`);
    }
    this.log.push(text);
    if (this.transactionStatus === "E" && verb !== "rollback" && verb !== "commit") {
      return [this.#fail("25P02")];
    }
    switch (verb) {
      case "begin":
        this.#owner = client;
        this.transactionStatus = "T";
        return [encodeRow([Buffer.from(text)]), encodeCommandTag("BEGIN")];
      case "commit":
      case "rollback":
        this.#owner = this.#isTainted ? client : undefined;
        this.transactionStatus = "I";
        return [encodeRow([Buffer.from(text)]), encodeCommandTag("COMMIT")];
      case "taint":
        this.#owner = client;
        this.#isTainted = true;
        return [encodeRow([Buffer.from(text)])];
      case "fail":
        return [this.#fail("22012")];
      case "refused":
        return [this.#fail("42601")];
      default:
        return [encodeRow([Buffer.from(text)]), encodeCommandTag("SELECT 1")];
    }
  }

  #fail(code: string): Uint8Array {
    if (this.transactionStatus !== "I") {
      this.transactionStatus = "E";
    }
    return encodeDiagnostic({ kind: "error", severity: "ERROR", code, message: "it failed" });
  }

  #end(end: BackendEnd): void {
    if (this.#hasEnded) {
      return;
    }
    this.#hasEnded = true;
    this.isPaused = false;
    for (const request of this.#requests.splice(0)) {
      request.settle({ type: "lost", error: lostError(true) });
    }
    this.#closed.resolve(end);
  }
}

/** The text of a Query, or of the Parse that a group begins with. */
function textOf(request: Request): string {
  const bytes = Buffer.alloc(request.byteLength);
  request.writeTo(bytes, 0);
  const start = bytes[0] === 0x50 ? 6 : 5;
  return bytes.toString("utf8", start, bytes.indexOf(0, start));
}

function readyOf(status: TransactionStatus): Buffer {
  return Buffer.from(`Z\0\0\0\u0005${status}`);
}

function lostError(sent: boolean): PgwireError {
  return new PgwireError(PgwireErrorCode.ConnectionLost, "the connection is gone", { sent });
}
