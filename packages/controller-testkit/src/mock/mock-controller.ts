import { ControllerService } from "@multipooler/controller-api";
import type {
  DatabaseHandle,
  PoolerController,
  ServiceRegistrar,
  ServingState,
  ServingTarget,
} from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { CallOptions, QueryService } from "@multipooler/query-service";
import { orAborted } from "./abort-race.ts";
import { MockControllerError, abortError, mockError } from "./mock-controller-error.ts";
import { MockExecutor } from "./mock-executor.ts";
import { MockGate } from "./mock-gate.ts";
import { MockReservations } from "./mock-reservations.ts";
import { ECHO_SCRIPT } from "./mock-script.ts";
import type { MockCall, MockScript, MockStep } from "./mock-script.ts";

export interface MockControllerOptions {
  /** What it does; the rest is that of `ECHO_SCRIPT`. Can be changed later with `script`. */
  readonly script?: Partial<MockScript> | undefined;
  /** How long leaving a serving status waits for what runs; 0: without bound. Default: 3 s. */
  readonly drainGraceMs?: number | undefined;
  /** What is served; a request for something else gets WRONG_TARGET. Default: anything. */
  readonly shard?: { readonly tableGroup: string; readonly shard: string } | undefined;
}

/**
 * | state       | database | executor | leaves                          |
 * | ----------- | -------- | -------- | ------------------------------- |
 * | built       |          |          | → initialised                   |
 * | initialised | yes      |          | → opening, closing              |
 * | opening     | yes      |          | → open, initialised, closing    |
 * | open        | yes      | yes      | → closing                       |
 * | closing     |          |          | → built                         |
 */
type Lifecycle =
  | { readonly type: "built" }
  | { readonly type: "initialised" }
  | {
      readonly type: "opening";
      readonly attempt: Promise<void>;
      readonly abort: AbortController;
      /** How many calls wait for the attempt. When the last gives up, it is aborted. */
      waiting: number;
    }
  | { readonly type: "open"; readonly executor: MockExecutor }
  | { readonly type: "closing"; readonly ended: Promise<void> };

type Opening = Extract<Lifecycle, { type: "opening" }>;

/**
 * A controller in memory that keeps the contract, answers what its script says, and fails where that
 * says so. It remembers what the manager called. It offers calls and reservations, but neither
 * sessions nor COPY.
 */
export class MockController implements PoolerController, AsyncDisposable {
  /**
   * What the manager called, in order. A target that only has another reason, an `open` that finds the
   * controller open and a call that joins another one are not repeated.
   */
  readonly calls: MockCall[] = [];
  readonly #gate: MockGate;
  readonly #reservations = new MockReservations();
  readonly #shard: { readonly tableGroup: string; readonly shard: string };
  #script: MockScript;
  #database: DatabaseHandle | undefined;
  #lifecycle: Lifecycle = { type: "built" };

  constructor(options: MockControllerOptions = {}) {
    const { script = {}, drainGraceMs = 3000, shard = { tableGroup: "", shard: "" } } = options;
    this.#script = { ...ECHO_SCRIPT, ...script };
    this.#shard = shard;
    this.#gate = new MockGate({
      drainGraceMs,
      isOpen: () => this.#lifecycle.type === "open",
      begin: (target, signal) => this.#before(callOf(target), signal),
    });
  }

  /** The database that was handed over, until `close`. */
  get database(): DatabaseHandle | undefined {
    return this.#database;
  }

  /** How many requests run and how many reservations are held. */
  get load(): number {
    return this.#gate.size;
  }

  /** Changes what it does from now on. */
  script(change: Partial<MockScript>): void {
    this.#script = { ...this.#script, ...change };
  }

  initDBConfig(db: DatabaseHandle | null): void {
    // JavaScript callers may hand over what the types forbid.
    const database: DatabaseHandle | null | undefined = db;
    if (database === null || database === undefined) {
      throw new MockControllerError(PoolerErrorCode.InvalidArgument, "there is no database to use");
    }
    if (this.#lifecycle.type !== "built") {
      const message = `it has a database already: it is ${this.#lifecycle.type}`;
      throw new MockControllerError(PoolerErrorCode.InvalidArgument, message);
    }
    this.calls.push("initDBConfig");
    this.#database = database;
    this.#lifecycle = { type: "initialised" };
  }

  async open({ signal }: CallOptions = {}): Promise<void> {
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const lifecycle = this.#lifecycle;
    switch (lifecycle.type) {
      case "built":
      case "closing":
        throw notInitialized();
      case "initialised":
        this.calls.push("open");
        await this.#join(this.#beginToOpen(), signal);
        return;
      case "opening":
        await this.#join(lifecycle, signal);
        return;
      case "open":
    }
  }

  async setServingType(target: ServingTarget, { signal }: CallOptions = {}): Promise<void> {
    const call = callOf(target);
    if (this.calls.at(-1) !== call) {
      this.calls.push(call);
    }
    await this.#gate.setTarget(target, signal);
  }

  servingStatus(): ServingState {
    return this.#gate.state;
  }

  isServing(): boolean {
    return this.#gate.isServing;
  }

  async isHealthy({ signal }: CallOptions = {}): Promise<void> {
    this.#requireOpen();
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const { fault } = this.#script;
    if (fault !== undefined) {
      throw new MockControllerError(fault, "the script says so");
    }
  }

  getExecutor(): QueryService {
    return this.#requireOpen();
  }

  register(registrar: ServiceRegistrar): void {
    this.calls.push("register");
    registrar.offer(ControllerService.Query);
    registrar.offer(ControllerService.Health);
  }

  async close(): Promise<void> {
    const lifecycle = this.#lifecycle;
    if (lifecycle.type === "closing") {
      await lifecycle.ended;
      return;
    }
    this.calls.push("close");
    await this.#close(lifecycle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #beginToOpen(): Opening {
    const abort = new AbortController();
    const attempt = this.#open(abort.signal);
    // Nobody waits for it when all have given up.
    attempt.catch(() => undefined);
    const opening: Opening = { type: "opening", attempt, abort, waiting: 0 };
    this.#lifecycle = opening;
    return opening;
  }

  async #join(opening: Opening, signal: AbortSignal | undefined): Promise<void> {
    opening.waiting += 1;
    try {
      await orAborted(opening.attempt, signal);
    } finally {
      opening.waiting -= 1;
      if (opening.waiting === 0 && this.#lifecycle === opening) {
        opening.abort.abort(notOpen("every caller has given up"));
        this.#lifecycle = { type: "initialised" };
      }
    }
  }

  async #open(signal: AbortSignal): Promise<void> {
    // The state of this attempt is set when its first step has been called.
    await Promise.resolve();
    try {
      const begun = this.#before("open", signal);
      if (begun !== undefined) {
        await orAborted(begun, signal);
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#lifecycle = { type: "initialised" };
      }
      throw error;
    }
    const executor = new MockExecutor({
      gate: this.#gate,
      reservations: this.#reservations,
      script: () => this.#script,
      shard: this.#shard,
    });
    this.#lifecycle = { type: "open", executor };
  }

  async #close(lifecycle: Lifecycle): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lifecycle = { type: "closing", ended: promise };
    try {
      await this.#before("close", undefined);
    } finally {
      await this.#end(lifecycle);
      this.#lifecycle = { type: "built" };
      resolve();
    }
  }

  async #end(lifecycle: Lifecycle): Promise<void> {
    if (lifecycle.type === "opening") {
      lifecycle.abort.abort(notOpen("it was closed while it opened"));
    }
    if (lifecycle.type === "open") {
      lifecycle.executor.end();
    }
    await this.#gate.close();
    this.#database = undefined;
  }

  /** Runs the script's step; nothing has to be awaited where that takes no time. */
  #before(step: MockStep, signal: AbortSignal | undefined): Promise<void> | undefined {
    try {
      return this.#script.before(step, signal)?.catch((error: unknown) => {
        throw mockError(error);
      });
    } catch (error) {
      throw mockError(error);
    }
  }

  #requireOpen(): MockExecutor {
    switch (this.#lifecycle.type) {
      case "open":
        return this.#lifecycle.executor;
      case "built":
      case "closing":
        throw notInitialized();
      case "initialised":
      case "opening":
        throw notOpen(`it is ${this.#lifecycle.type}`);
    }
  }
}

function callOf({ role, status }: ServingTarget): MockStep {
  return `${role} ${status}`;
}

function notInitialized(): MockControllerError {
  const message = "the controller has no database yet";
  return new MockControllerError(PoolerErrorCode.NotInitialized, message);
}

function notOpen(why: string): MockControllerError {
  return new MockControllerError(PoolerErrorCode.NotOpen, `the controller is not open: ${why}`);
}
