import { ControllerService, ServingStatus } from "@multipooler/controller-api";
import type {
  DatabaseHandle,
  PoolerController,
  ServiceRegistrar,
  ServingState,
  ServingTarget,
} from "@multipooler/controller-api";
import type { CallOptions, QueryService } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { MockController, describeControllerContract } from "../src/index.ts";
import type { ControllerFactory } from "../src/index.ts";
import { mockFactory } from "./mock-factory.ts";

/** Everything goes to the mock, but for what a subclass does wrong. */
class Wrapper implements PoolerController {
  readonly mock: PoolerController;

  constructor(mock: PoolerController) {
    this.mock = mock;
  }

  initDBConfig(db: DatabaseHandle | null): void {
    this.mock.initDBConfig(db);
  }

  async open(options?: CallOptions): Promise<void> {
    await this.mock.open(options);
  }

  async setServingType(target: ServingTarget, options?: CallOptions): Promise<void> {
    await this.mock.setServingType(target, options);
  }

  servingStatus(): ServingState {
    return this.mock.servingStatus();
  }

  isServing(): boolean {
    return this.mock.isServing();
  }

  async isHealthy(options?: CallOptions): Promise<void> {
    await this.mock.isHealthy(options);
  }

  getExecutor(): QueryService {
    return this.mock.getExecutor();
  }

  register(registrar: ServiceRegistrar): void {
    this.mock.register(registrar);
  }

  async close(): Promise<void> {
    await this.mock.close();
  }
}

class AcceptsNoDatabase extends Wrapper {
  override initDBConfig(db: DatabaseHandle | null): void {
    if (db !== null) {
      super.initDBConfig(db);
    }
  }
}

class ServesOnceOpen extends Wrapper {
  override async open(options?: CallOptions): Promise<void> {
    await super.open(options);
    await super.setServingType({ status: "SERVING", role: "PRIMARY", reason: "it is open" });
  }
}

class OffersSessions extends Wrapper {
  override register(registrar: ServiceRegistrar): void {
    super.register(registrar);
    registrar.offer(ControllerService.Session);
  }
}

class KeepsItsFirstExecutor extends Wrapper {
  #executor: QueryService | undefined;

  override getExecutor(): QueryService {
    this.#executor ??= super.getExecutor();
    return this.#executor;
  }
}

class LeaksPlaces extends Wrapper {
  #database: DatabaseHandle | null = null;

  override initDBConfig(db: DatabaseHandle | null): void {
    super.initDBConfig(db);
    this.#database = db;
  }

  override async close(): Promise<void> {
    await super.close();
    this.#database?.share.tryTake();
  }
}

/** Says that it is drained, and serves on. */
class ForgetsAdmission extends Wrapper {
  #claimed: ServingTarget | undefined;

  override async setServingType(target: ServingTarget, options?: CallOptions): Promise<void> {
    if (target.status === ServingStatus.Drained) {
      this.#claimed = target;
      return;
    }
    this.#claimed = undefined;
    await super.setServingType(target, options);
  }

  override servingStatus(): ServingState {
    const state = super.servingStatus();
    return this.#claimed === undefined ? state : { current: this.#claimed, wanted: undefined };
  }

  override isServing(): boolean {
    return this.#claimed === undefined && super.isServing();
  }
}

class DropsWhatComesDuringATransition extends Wrapper {
  override async setServingType(target: ServingTarget, options?: CallOptions): Promise<void> {
    if (this.servingStatus().wanted === undefined) {
      await super.setServingType(target, options);
    }
  }
}

class CannotBeAborted extends Wrapper {
  override async setServingType(target: ServingTarget): Promise<void> {
    await super.setServingType(target);
  }
}

class ServesUntilItIsDrained extends Wrapper {
  override isServing(): boolean {
    const { status } = this.servingStatus().current;
    return status === ServingStatus.Serving || status === ServingStatus.ServingReadOnly;
  }
}

class IsAlwaysHealthy extends Wrapper {
  override async isHealthy(): Promise<void> {
    this.getExecutor();
  }
}

class IsHealthyWhereItServes extends Wrapper {
  override async isHealthy(options?: CallOptions): Promise<void> {
    await super.isHealthy(options);
    if (!this.isServing()) {
      throw new Error("it does not serve");
    }
  }
}

/** Changes what the executor does with a statement. */
abstract class OtherExecutor extends Wrapper {
  override getExecutor(): QueryService {
    const executor = super.getExecutor();
    return {
      streamExecute: this.execute(executor),
      describe: (...call) => executor.describe(...call),
      copyIn: (...call) => executor.copyIn(...call),
      copyOut: (...call) => executor.copyOut(...call),
      concludeTransaction: (...call) => executor.concludeTransaction(...call),
      discardTempTables: (...call) => executor.discardTempTables(...call),
      releaseReservation: (...call) => executor.releaseReservation(...call),
      openSession: (...call) => executor.openSession(...call),
      getCredentials: (...call) => executor.getCredentials(...call),
      subscribe: (sink) => executor.subscribe(sink),
    };
  }

  protected abstract execute(executor: QueryService): QueryService["streamExecute"];
}

class NeverWaitsForItsSink extends OtherExecutor {
  protected override execute(executor: QueryService): QueryService["streamExecute"] {
    return (request, sink, options) =>
      executor.streamExecute(
        request,
        {
          write: (event) => {
            sink.write(event)?.catch(() => undefined);
            return undefined;
          },
        },
        options,
      );
  }
}

class IgnoresSignals extends OtherExecutor {
  protected override execute(executor: QueryService): QueryService["streamExecute"] {
    return (request, sink) => executor.streamExecute(request, sink);
  }
}

class IgnoresModes extends OtherExecutor {
  protected override execute(executor: QueryService): QueryService["streamExecute"] {
    return (request, sink, options) =>
      executor.streamExecute({ ...request, target: undefined }, sink, options);
  }
}

class ThrowsErrorsOfItsOwn extends OtherExecutor {
  protected override execute(executor: QueryService): QueryService["streamExecute"] {
    return async (...call) => {
      try {
        return await executor.streamExecute(...call);
      } catch (error) {
        throw new Error("it failed", { cause: error });
      }
    };
  }
}

class ForgetsReservationsInErrors extends OtherExecutor {
  protected override execute(executor: QueryService): QueryService["streamExecute"] {
    return async (...call) => {
      try {
        return await executor.streamExecute(...call);
      } catch (error) {
        throw Object.assign(Object(error), { reservation: undefined });
      }
    };
  }
}

class LetsReversalsWait extends Wrapper {
  #last: Promise<unknown> = Promise.resolve();

  override async setServingType(target: ServingTarget, options?: CallOptions): Promise<void> {
    const before = this.#last;
    const change = before.then(() => this.mock.setServingType(target, options));
    this.#last = change.catch(() => undefined);
    await change;
  }
}

/** Each fault, and a test that has to find it. Others may find it too. */
const FAULTS: readonly (readonly [new (mock: PoolerController) => Wrapper, string])[] = [
  [AcceptsNoDatabase, "no database is refused, and so is a second one"],
  [ServesOnceOpen, "open does not serve yet, and again does nothing"],
  [OffersSessions, "register announces services"],
  [KeepsItsFirstExecutor, "double close is one close, and everything works again afterwards"],
  [LeaksPlaces, "double close is one close, and everything works again afterwards"],
  [ForgetsAdmission, "from SERVING PRIMARY every target can be reached, and is obeyed"],
  [DropsWhatComesDuringATransition, "the second of two transitions waits for the first"],
  [LetsReversalsWait, "a drain to DRAINED is reversed by the target that is being left"],
  [CannotBeAborted, "a drain that is aborted admits no more than before"],
  [ServesUntilItIsDrained, "SERVING is left for DRAINED when what runs has ended"],
  [IsAlwaysHealthy, "a database that cannot be reached is told by health"],
  [IsHealthyWhereItServes, "health does not look at the serving status"],
  [NeverWaitsForItsSink, "a sink that is behind is not called until its promise resolves"],
  [IgnoresSignals, "a cancel ends what runs"],
  [IgnoresModes, "SERVING REPLICA admits what the table says"],
  [ThrowsErrorsOfItsOwn, "what the database refuses is told with its diagnostic"],
  [ForgetsReservationsInErrors, "a statement that fails leaves its transaction, and says so"],
];

test.each(FAULTS)("the contract finds that a controller %o", async (Faulty, expected) => {
  const failed = await failuresOf((mock) => new Faulty(mock));
  expect(failed).toContainEqual(expect.stringContaining(expected));
});

test("the contract finds that a drain cuts what runs at once", async () => {
  const factory = { ...mockFactory, create: () => mockFactory.create({ drainGraceMs: 1 }) };
  const failed = await failuresOf((mock) => mock, factory);
  expect(failed).toContainEqual(expect.stringContaining("a drain to DRAINED waits"));
});

test("the contract finds nothing in what only passes on", async () => {
  expect(await failuresOf((mock) => new Wrapper(mock))).toEqual([]);
  expect(await failuresOf(() => new Wrapper(new MockController()))).not.toEqual([]);
});

/** Runs the contract with a runner of its own. Returns the names of the tests that fail. */
async function failuresOf(
  wrap: (mock: PoolerController) => PoolerController,
  factory: ControllerFactory = mockFactory,
): Promise<string[]> {
  const declared: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  describeControllerContract(
    {
      ...factory,
      create: async (options) => {
        const { controller, ...subject } = await factory.create(options);
        return { ...subject, controller: wrap(controller) };
      },
    },
    {
      describe: (_, body) => body(),
      test: (name, body) => declared.push({ name, body }),
      patienceMs: 1000,
    },
  );
  const failed = declared.map(async ({ name, body }) => {
    try {
      await body();
      return [];
    } catch {
      return [name];
    }
  });
  return (await Promise.all(failed)).flat();
}
