import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { PoolerController, ServingTarget } from "@multipooler/controller-api";
import { QueryMode, ReservationReason } from "@multipooler/query-service";
import type {
  Caller,
  ExecuteRequest,
  Outcome,
  Place,
  QueryTarget,
  Reservation,
} from "@multipooler/query-service";
import { equal, fail, ok } from "node:assert/strict";
import type { ControllerSubject } from "./controller-factory.ts";
import { within } from "./patience.ts";
import { RecordingSink } from "./recording-sink.ts";

const REASON = "the contract is tested";

/** Targets that the tests use, by what they are for. */
export const PRIMARY: ServingTarget = target(ServingStatus.Serving, PoolerRole.Primary);
export const REPLICA: ServingTarget = target(ServingStatus.ServingReadOnly, PoolerRole.Replica);
export const DRAINED: ServingTarget = target(ServingStatus.Drained, PoolerRole.Primary);
export const STOPPED: ServingTarget = target(ServingStatus.NotServing, PoolerRole.Replica);

export function target(status: ServingStatus, role: PoolerRole): ServingTarget {
  return { status, role, reason: REASON };
}

export const CALLER: Caller = { user: "", settings: new Map(), origin: "contract" };

/** What a test changes of a query. */
export interface QueryOptions {
  readonly place?: Place;
  readonly mode?: QueryMode;
  readonly target?: Partial<QueryTarget>;
  readonly sink?: RecordingSink;
  readonly signal?: AbortSignal;
}

/** How a query ended. */
export interface Answer extends Outcome {
  readonly sink: RecordingSink;
}

/** One controller, and how it is used as a manager and a transport use it. Disposing closes it. */
export class ContractScene implements AsyncDisposable {
  readonly subject: ControllerSubject;
  readonly #patienceMs: number;
  readonly #usedBefore: number;

  constructor(options: { readonly subject: ControllerSubject; readonly patienceMs: number }) {
    this.subject = options.subject;
    this.#patienceMs = options.patienceMs;
    this.#usedBefore = this.subject.database.share.used;
  }

  get controller(): PoolerController {
    return this.subject.controller;
  }

  /** Bounds a wait. */
  within<T>(promise: Promise<T>, what: string): Promise<T> {
    return within(promise, { patienceMs: this.#patienceMs, what });
  }

  async open(): Promise<void> {
    this.controller.initDBConfig(this.subject.database);
    await this.within(this.controller.open(), "open");
  }

  async become(wanted: ServingTarget): Promise<void> {
    const what = `setServingType to ${wanted.status} ${wanted.role}`;
    await this.within(this.controller.setServingType(wanted), what);
    this.assertReached(wanted);
  }

  async close(): Promise<void> {
    await this.within(this.controller.close(), "close");
    this.assertNothingHeld();
  }

  /** Runs one query string. */
  async run(sql: string, options: QueryOptions = {}): Promise<Answer> {
    const { sink = new RecordingSink(), signal } = options;
    const executed = this.controller
      .getExecutor()
      .streamExecute(request(sql, options), sink, { signal });
    const { reservation } = await this.within(executed, sql);
    sink.assertWellUsed();
    return { reservation, sink };
  }

  /** Begins a transaction whose first statement is `sql`. */
  async reserve(sql: string, options: QueryOptions = {}): Promise<Reservation> {
    const place: Place = { type: "reserve", reasons: ReservationReason.Transaction };
    const { reservation } = await this.run(sql, { ...options, place });
    if (reservation === undefined) {
      fail("a request with the place reserve has to leave a reservation");
    }
    ok(reservation.id > 0n, "the id of a reservation is positive");
    equal(reservation.reasons, ReservationReason.Transaction);
    return reservation;
  }

  async conclude(
    id: bigint,
    conclusion: "commit" | "rollback",
    more: { readonly chain?: boolean; readonly sink?: RecordingSink } = {},
  ): Promise<Answer> {
    const { chain = false, sink = new RecordingSink() } = more;
    const { reservation } = await this.within(
      this.controller
        .getExecutor()
        .concludeTransaction({ caller: CALLER, id, conclusion, chain, releases: [] }, sink),
      conclusion,
    );
    sink.assertWellUsed();
    return { reservation, sink };
  }

  async release(id: bigint): Promise<Outcome> {
    const released = this.controller
      .getExecutor()
      .releaseReservation({ caller: CALLER, id, keepsSticky: false });
    return await this.within(released, "releaseReservation");
  }

  /** Starts a statement that blocks, and resolves with how it will end once it runs. */
  async startBlocked(sql: string, options: QueryOptions = {}): Promise<{ ended: Promise<Answer> }> {
    const { sink = new RecordingSink(), signal } = options;
    const executed = this.controller
      .getExecutor()
      .streamExecute(request(sql, options), sink, { signal });
    const ended = executed.then(({ reservation }) => ({ reservation, sink }));
    ended.catch(() => undefined);
    const { subject } = this;
    if (subject.untilBlocked === undefined) {
      fail("a factory with a blocked statement has to make subjects with untilBlocked");
    }
    await this.within(subject.untilBlocked(1), `untilBlocked, after ${sql} was started`);
    return { ended };
  }

  async unblock(): Promise<void> {
    if (this.subject.unblock === undefined) {
      fail("a factory with a blocked statement has to make subjects with unblock");
    }
    await this.within(this.subject.unblock(), "unblock");
  }

  /** Fails unless the controller is at rest where it was wanted. */
  assertReached(wanted: ServingTarget): void {
    const { current, wanted: further } = this.controller.servingStatus();
    assertTarget(current, wanted);
    equal(further, undefined, "wanted is undefined when no transition runs");
    equal(this.controller.isServing(), admits(wanted.status), `isServing in ${wanted.status}`);
  }

  /** Fails unless every place of the share was given back. */
  assertNothingHeld(): void {
    const { used } = this.subject.database.share;
    equal(used, this.#usedBefore, "places of the share that are taken, compared with before");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _subject = this.subject;
    await this.close();
  }
}

/** A request as a transport makes it. */
function request(
  sql: string,
  { place = { type: "any" }, mode = QueryMode.Unspecified, target: wanted = {} }: QueryOptions,
): ExecuteRequest {
  return {
    target: { database: "", tableGroup: "", shard: "", mode, ...wanted },
    caller: CALLER,
    place,
    statement: { type: "simple", sql },
  };
}

/** Fails unless two targets say the same. */
export function assertTarget(found: ServingTarget, wanted: ServingTarget): void {
  const words = ({ status, role, reason, term }: ServingTarget): string =>
    `${role} ${status} of ${term?.coordinatorTerm}.${term?.leaderSubterm}: ${reason}`;
  equal(words(found), words(wanted));
}

/** Whether a status admits new requests. */
export function admits(status: ServingStatus): boolean {
  switch (status) {
    case ServingStatus.Serving:
    case ServingStatus.ServingReadOnly:
      return true;
    case ServingStatus.Drained:
    case ServingStatus.NotServing:
      return false;
  }
}
