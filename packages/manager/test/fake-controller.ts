import { ControllerService, PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { admits } from "../src/serving/serving-target.ts";
import { PoolerErrorCode, encodeCommandTag, encodeRow } from "@multipooler/query-service";
import type {
  DatabaseHandle,
  PoolerController,
  ServiceRegistrar,
  ServingState,
  ServingTarget,
} from "@multipooler/controller-api";
import type { CallOptions, QueryService } from "@multipooler/query-service";

class FakeError extends Error {
  override readonly name = "PoolerError";
  readonly diagnostic = undefined;
  readonly reservation = undefined;
  readonly code: PoolerErrorCode;

  constructor(code: PoolerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A controller in memory that keeps the contract and remembers what it was told. */
export class FakeController implements PoolerController {
  /** What the manager called, in order; a target that is only given another reason is not repeated. */
  readonly calls: string[] = [];
  database: DatabaseHandle | undefined;
  /** Runs at the start of the named call; may throw, or take its time. */
  before: (call: string, signal: AbortSignal | undefined) => void | Promise<void> = () => undefined;
  /** What `isHealthy` rejects with. */
  fault: PoolerErrorCode | undefined;
  #open = false;
  #current: ServingTarget = {
    status: ServingStatus.NotServing,
    role: PoolerRole.Replica,
    reason: "new",
  };
  #wanted: ServingTarget | undefined;

  initDBConfig(database: DatabaseHandle): void {
    if (this.database !== undefined) {
      throw new FakeError(PoolerErrorCode.InvalidArgument, "initialised already");
    }
    this.calls.push("initDBConfig");
    this.database = database;
  }

  async open({ signal }: CallOptions = {}): Promise<void> {
    if (this.database === undefined) {
      throw new FakeError(PoolerErrorCode.NotInitialized, "open");
    }
    if (!this.#open) {
      this.calls.push("open");
    }
    await this.before("open", signal);
    this.#open = true;
  }

  async setServingType(target: ServingTarget, { signal }: CallOptions = {}): Promise<void> {
    const call = `${target.role} ${target.status}`;
    if (this.calls.at(-1) !== call) {
      this.calls.push(call);
    }
    if (admits(target.status) && !this.#open) {
      throw new FakeError(PoolerErrorCode.NotOpen, "setServingType");
    }
    this.#wanted = target;
    try {
      await this.before(call, signal);
      signal?.throwIfAborted();
      this.#current = target;
    } finally {
      this.#wanted = undefined;
    }
  }

  servingStatus(): ServingState {
    return { current: this.#current, wanted: this.#wanted };
  }

  isServing(): boolean {
    return this.#wanted === undefined && admits(this.#current.status);
  }

  async isHealthy(): Promise<void> {
    if (!this.#open) {
      throw new FakeError(PoolerErrorCode.NotOpen, "isHealthy");
    }
    if (this.fault !== undefined) {
      throw new FakeError(this.fault, "as told");
    }
  }

  /** Answers each query with its own text, as one row of one column. */
  getExecutor(): QueryService {
    if (!this.#open) {
      throw new FakeError(PoolerErrorCode.NotOpen, "getExecutor");
    }
    return {
      streamExecute: async ({ statement }, sink) => {
        if (!this.isServing()) {
          throw new FakeError(PoolerErrorCode.NotServing, this.#current.reason);
        }
        const bytes = encodeRow([Buffer.from(statement.sql)]);
        await sink.write({ type: "rows", bytes, rowCount: 1, inProgress: false });
        await sink.write({ type: "complete", bytes: encodeCommandTag("SELECT 1") });
        return { reservation: undefined };
      },
      describe: async () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "describe");
      },
      copyIn: async () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "copyIn");
      },
      copyOut: async () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "copyOut");
      },
      concludeTransaction: async () => {
        throw new FakeError(PoolerErrorCode.ReservationLost, "concludeTransaction");
      },
      discardTempTables: async () => {
        throw new FakeError(PoolerErrorCode.ReservationLost, "discardTempTables");
      },
      releaseReservation: async () => ({ reservation: undefined }),
      openSession: async () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "openSession");
      },
      getCredentials: async () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "getCredentials");
      },
      subscribe: () => {
        throw new FakeError(PoolerErrorCode.Unimplemented, "subscribe");
      },
    };
  }

  register(registrar: ServiceRegistrar): void {
    this.calls.push("register");
    registrar.offer(ControllerService.Query);
    registrar.offer(ControllerService.Health);
  }

  async close(): Promise<void> {
    this.calls.push("close");
    this.#open = false;
    this.database = undefined;
    this.#current = { ...this.#current, status: ServingStatus.NotServing, reason: "closed" };
    await this.before("close", undefined);
  }
}
