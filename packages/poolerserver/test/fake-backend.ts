import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import type { Backend, BackendEnd } from "../src/pool/backend.ts";
import type {
  ActivityFigures,
  Prelude,
  Request,
  TransactionBegin,
  TransactionStatus,
} from "@multipooler/pgwire";

/** A request that a test answers. */
export interface FakeRequest {
  /** The text of the Query message, or of the first Parse message. */
  readonly sql: string;
  /** The texts of all of them. */
  readonly texts: readonly string[];
  /** Hands an event to the receiver of the request. */
  write(event: ResultEvent): Promise<void> | undefined;
  /** ReadyForQuery, after an error if there is one. */
  succeed(options?: { settingsReported?: boolean }): void;
  fail(error: PgwireError): void;
  /** What was sent ahead of it. */
  readonly prelude: Prelude | undefined;
  /** What came ahead of it succeeds; without that it does when the request is answered. */
  label(): void;
  /** What came ahead of it fails, and so does the request, which is not run. */
  failLabel(error: PgwireError): void;
}

/** A session whose server is the test. Requests are answered in order, by hand or by `onRequest`. */
export class FakeBackend implements Backend {
  readonly processId: number = 4711;
  readonly requests: FakeRequest[] = [];
  readonly #closed = Promise.withResolvers<BackendEnd>();
  readonly #inFlight: { request: Request; fake: FakeRequest }[] = [];
  readonly #onRequest: ((request: FakeRequest) => void) | undefined;
  #ended = false;
  #prelude: Prelude | undefined;
  #begin: TransactionBegin | undefined;
  /** What set_config was called with, by name. */
  readonly settings: Map<string, string> = new Map();
  transactionStatus: TransactionStatus = "I";
  readonly parameters: Map<string, string> = new Map();
  readonly cancels: PromiseWithResolvers<void>[] = [];
  bytesReceived = 0;
  activity: ActivityFigures = {
    requests: 0,
    transactions: 0,
    busyMs: 0,
    transactionMs: 0,
    errors: new Map(),
    answerTimes: [],
    failedTimes: [],
    failedMs: 0,
    rowCounts: [],
    rows: 0,
    bytesSent: 0,
    bytesReceived: 0,
    requestedAt: 0,
  };
  onUnasked: ((message: Uint8Array) => void) | undefined;
  /** Whether `close` ends the session at once, or the test does it with `finishClose`. */
  closesAtOnce = true;
  closeCalls = 0;
  /** Whether requests wait to be written, so that they can be withdrawn. */
  keepsUnsent = false;
  /** Whether the socket is broken although nobody has noticed. */
  isBroken = false;
  destroyedFor: unknown = undefined;

  constructor(onRequest?: (request: FakeRequest) => void) {
    this.#onRequest = onRequest;
  }

  get closed(): Promise<BackendEnd> {
    return this.#closed.promise;
  }

  get running(): Request | undefined {
    return this.#inFlight[0]?.request;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  get isHeldUp(): boolean {
    return false;
  }

  get isAwaitingServer(): boolean {
    return this.#inFlight.length > 0;
  }

  get idle(): boolean {
    return !this.#ended && this.#inFlight.length === 0 && this.closeCalls === 0;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  send(request: Request): void {
    if (this.#ended || this.isBroken) {
      process.nextTick(() => request.settle({ type: "lost", error: lost(false) }));
      return;
    }
    const prelude = this.#prelude;
    this.#prelude = undefined;
    const begin = this.#begin;
    this.#begin = undefined;
    let isLabelled = prelude === undefined && begin === undefined;
    const label = (): void => {
      if (isLabelled || this.#ended) {
        return;
      }
      isLabelled = true;
      if (prelude !== undefined) {
        applySettings(prelude, this.settings);
        prelude.done();
      }
      begin?.begun();
    };
    const texts = textsOf(request);
    const fake: FakeRequest = {
      sql: texts[0] ?? "",
      texts,
      prelude,
      label,
      failLabel: (error) => this.#answer(request, error, false),
      write: (event) => (request.answer === "events" ? request.event(event) : undefined),
      succeed: ({ settingsReported = false } = {}) => {
        label();
        this.#answer(request, undefined, settingsReported);
      },
      fail: (error) => {
        label();
        this.#answer(request, error, false);
      },
    };
    this.requests.push(fake);
    this.#inFlight.push({ request, fake });
    if (this.#onRequest !== undefined) {
      const onRequest = this.#onRequest;
      process.nextTick(() => onRequest(fake));
    }
  }

  precede(prelude: Prelude | undefined): void {
    this.#prelude = prelude;
  }

  begin(begin: TransactionBegin): void {
    this.#begin = begin;
  }

  withdraw(request: Request): boolean {
    const index = this.#inFlight.findIndex((entry) => entry.request === request);
    if (index === -1 || !this.keepsUnsent) {
      return false;
    }
    this.#inFlight.splice(index, 1);
    return true;
  }

  feed(): boolean {
    return true;
  }

  resume(): void {
    // It is never paused.
  }

  cancel(_: Request, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const cancelling = Promise.withResolvers<void>();
    this.cancels.push(cancelling);
    signal.addEventListener("abort", () => {
      cancelling.reject(new PgwireError(PgwireErrorCode.Aborted, "the cancel was aborted"));
    });
    return cancelling.promise;
  }

  async close(): Promise<void> {
    this.closeCalls += 1;
    if (this.closesAtOnce) {
      this.#end({ type: "closed" });
    }
    await this.#closed.promise;
  }

  destroy(reason: unknown): void {
    this.destroyedFor = reason;
    this.#end({ type: "destroyed" });
  }

  /** The server or the network ends the session. */
  lose(): void {
    this.#end({ type: "lost", error: lost(true) });
  }

  finishClose(): void {
    this.#end({ type: "closed" });
  }

  #answer(request: Request, error: PgwireError | undefined, settingsReported: boolean): void {
    const index = this.#inFlight.findIndex((entry) => entry.request === request);
    const [entry] = index === -1 ? [] : this.#inFlight.splice(index, 1);
    if (entry === undefined) {
      return;
    }
    if (error === undefined && entry.fake.sql.includes("RESET ALL")) {
      this.settings.clear();
    }
    this.bytesReceived += 1;
    const { transactionStatus } = this;
    if (error?.code === PgwireErrorCode.ConnectionLost) {
      request.settle({ type: "lost", error });
    } else {
      request.settle({ type: "ready", transactionStatus, error, settingsReported });
    }
  }

  #end(end: BackendEnd): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    for (const { request } of this.#inFlight.splice(0)) {
      request.settle({ type: "lost", error: lost(true) });
    }
    this.#closed.resolve(end);
  }
}

/** Does what the calls of set_config say. */
function applySettings({ statements }: Prelude, settings: Map<string, string>): void {
  for (const [, name = "", value] of (statements[0] ?? "").matchAll(
    /set_config\(E'(\w+)', (?:NULL|E'(\w*)'), false\)/g,
  )) {
    if (value === undefined) {
      settings.delete(name);
    } else {
      settings.set(name, value);
    }
  }
}

/** What follows the type and the length in Query messages, and the empty name in Parse messages. */
function textsOf(request: Request): string[] {
  const bytes = Buffer.alloc(request.byteLength);
  request.writeTo(bytes, 0);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    const type = bytes.toString("latin1", at, at + 1);
    if (type === "Q" || type === "P") {
      const start = at + (type === "P" ? 6 : 5);
      texts.push(bytes.toString("utf8", start, bytes.indexOf(0, start)));
    }
  }
  return texts;
}

function lost(sent: boolean): PgwireError {
  return new PgwireError(PgwireErrorCode.ConnectionLost, "the connection is gone", { sent });
}
