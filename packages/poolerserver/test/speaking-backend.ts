import type { Request, TransactionStatus } from "@multipooler/pgwire";
import { encodeCommandTag, encodeDiagnostic, encodeRow } from "@multipooler/query-service";
import { FakeBackend } from "./fake-backend.ts";

/**
 * A backend that answers by the words of a text, one request each time the test says so:
 * `begin`, `commit`, `rollback`; `fail`; everything else, such as `read c1 7`, comes back as a row.
 * It knows whose it is while it is in a transaction, or after a `taint c1`, and minds strangers.
 */
export class SpeakingBackend extends FakeBackend {
  /** Whose state is in it. */
  #owner: string | undefined;
  #isTainted = false;
  #answered = 0;
  /** Whether a cancel request interrupts what runs. */
  heedsCancel = true;
  /** What should not have happened. */
  readonly faults: string[] = [];
  /** Every text that it has answered. */
  readonly log: string[] = [];

  /** Every text that reached it. */
  get received(): readonly string[] {
    return this.requests.map(({ sql }) => sql);
  }

  /** The next answer is an error, if the request is alone. */
  override async cancel(request: Request): Promise<void> {
    if (this.heedsCancel && this.running === request && this.inFlight === 1) {
      this.answer({ isCancelled: true });
    }
  }

  /** Answers the request that runs. False: none does. */
  answer({ isCancelled = false }: { isCancelled?: boolean } = {}): boolean {
    const request = this.running;
    const fake = this.requests[this.#answered];
    if (request === undefined || fake === undefined) {
      return false;
    }
    const answer = isCancelled
      ? [this.#fail("57014")]
      : this.#run(fake.sql, request.answer === "events");
    if (request.answer === "spans") {
      const spans = Buffer.concat([...answer, readyOf(this.transactionStatus)]);
      // In two pieces, the second of which begins inside a message.
      request.span(spans.subarray(0, 7));
      request.span(spans.subarray(7));
    }
    this.#answered += 1;
    fake.succeed();
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
}

function readyOf(status: TransactionStatus): Buffer {
  return Buffer.from(`Z\0\0\0\u0005${status}`);
}
