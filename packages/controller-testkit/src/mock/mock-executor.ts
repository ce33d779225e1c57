import { PoolerErrorCode, QueryMode, ReservationReason } from "@multipooler/query-service";
import type {
  CallOptions,
  ConcludeRequest,
  DescribeRequest,
  ExecuteRequest,
  LoginCredentials,
  LoginRequest,
  Outcome,
  QueryService,
  QueryTarget,
  ReleaseRequest,
  ReservationRequest,
  ReservedPlace,
  ReservePlace,
  ResultSink,
  Session,
  StatementDescription,
  Subscription,
} from "@multipooler/query-service";
import { ServingStatus } from "@multipooler/controller-api";
import type { RequestKind } from "./admission.ts";
import type { GateEntry, MockGate } from "./mock-gate.ts";
import {
  MockControllerError,
  abortError,
  databaseError,
  mockError,
  unimplemented,
  withReservation,
} from "./mock-controller-error.ts";
import type { MockReservation, MockReservations } from "./mock-reservations.ts";
import type { MockScript } from "./mock-script.ts";
import { commandResult } from "./scripted-result.ts";
import { SingleRun, runStatement, writeAll } from "./statement-run.ts";

const NOTHING_HELD: Outcome = { reservation: undefined };

export interface MockExecutorOptions {
  readonly gate: MockGate;
  readonly reservations: MockReservations;
  readonly script: () => MockScript;
  /** What is served; an empty part matches any. */
  readonly shard: { readonly tableGroup: string; readonly shard: string };
}

/** How one call is bounded and where it writes. */
interface Way {
  readonly sink: ResultSink;
  readonly signal: AbortSignal | undefined;
}

/** The query service of an open mock. After {@link MockExecutor.end} it refuses everything. */
export class MockExecutor implements QueryService {
  readonly #options: MockExecutorOptions;
  #isOpen = true;

  constructor(options: MockExecutorOptions) {
    this.#options = options;
  }

  end(): void {
    this.#isOpen = false;
  }

  async streamExecute(
    request: ExecuteRequest,
    sink: ResultSink,
    { signal }: CallOptions = {},
  ): Promise<Outcome> {
    this.#require(request.target, signal);
    const { place } = request;
    const way = { sink, signal };
    switch (place.type) {
      case "any":
        return await this.#single(request, way);
      case "reserve":
        return await this.#reserve(request, place, way);
      case "reserved":
        return await this.#reserved(request, place, way);
    }
  }

  async describe(
    request: DescribeRequest,
    { signal }: CallOptions = {},
  ): Promise<StatementDescription> {
    this.#require(request.target, signal);
    if (request.place.type === "reserved") {
      this.#options.reservations.get(request.place.id);
      return this.#options.script().describe(request);
    }
    const describe = async (): Promise<StatementDescription> =>
      this.#options.script().describe(request);
    return await this.#admitted("single", request, describe);
  }

  async getCredentials(
    request: LoginRequest,
    { signal }: CallOptions = {},
  ): Promise<LoginCredentials | undefined> {
    this.#require(undefined, signal);
    return await this.#admitted("reservation", {}, async () =>
      this.#options.script().credentials(request),
    );
  }

  async concludeTransaction(
    request: ConcludeRequest,
    sink: ResultSink,
    { signal }: CallOptions = {},
  ): Promise<Outcome> {
    const commits = request.conclusion === "commit";
    const tag = commits ? "COMMIT" : "ROLLBACK";
    return await this.#inReservation(request, { sink, signal }, tag, (reservation) => {
      if (!reservation.hasTransaction && (commits || request.chain)) {
        const message = `${tag} finds no transaction`;
        throw new MockControllerError(PoolerErrorCode.InvalidArgument, message);
      }
      const ended = request.chain ? 0 : ReservationReason.Transaction;
      const closed = request.releases === "all" ? ReservationReason.Portal : 0;
      reservation.reasons &= ~(ended | closed);
    });
  }

  async discardTempTables(
    request: ReservationRequest,
    sink: ResultSink,
    { signal }: CallOptions = {},
  ): Promise<Outcome> {
    return await this.#inReservation(request, { sink, signal }, "DISCARD TEMP", (reservation) => {
      reservation.reasons &= ~ReservationReason.TempTable;
    });
  }

  async releaseReservation({ target, id, keepsSticky }: ReleaseRequest): Promise<Outcome> {
    this.#require(target, undefined);
    const reservation = this.#options.reservations.find(id);
    if (reservation === undefined) {
      return NOTHING_HELD;
    }
    if (keepsSticky && (reservation.reasons & ReservationReason.SetSeed) !== 0) {
      reservation.reasons = ReservationReason.SetSeed;
      return { reservation: reservation.held };
    }
    await reservation.release();
    return NOTHING_HELD;
  }

  async copyIn(): Promise<Outcome> {
    throw unimplemented("COPY");
  }

  async copyOut(): Promise<Outcome> {
    throw unimplemented("COPY");
  }

  async openSession(): Promise<Session> {
    throw unimplemented("sessions");
  }

  subscribe(): Subscription {
    throw unimplemented("notifications");
  }

  async #single(request: ExecuteRequest, { sink, signal }: Way): Promise<Outcome> {
    const run = new SingleRun();
    return await this.#admitted(
      "single",
      request,
      async () => {
        this.#refuseWrite(request);
        const signals = signal === undefined ? [run.signal] : [run.signal, signal];
        await runStatement(this.#options.script(), request, { sink, signals });
        return NOTHING_HELD;
      },
      run,
    );
  }

  async #reserve(request: ExecuteRequest, place: ReservePlace, way: Way): Promise<Outcome> {
    const { gate, reservations } = this.#options;
    if (place.reasons <= 0) {
      const message = `reasons must name a ReservationReason, not ${place.reasons}`;
      throw new MockControllerError(PoolerErrorCode.InvalidArgument, message);
    }
    const reservation = reservations.create(place.reasons, (ended) => gate.leave(ended));
    gate.enter({ kind: "reservation", mode: modeOf(request) }, reservation);
    reservations.add(reservation);
    try {
      return await this.#runReserved(reservation, request, way);
    } catch (error) {
      // A transaction that was begun stays, as it does in PostgreSQL.
      if (!reservation.hasTransaction) {
        await reservation.release();
      }
      throw withReservation(error, reservation.held);
    }
  }

  async #reserved(request: ExecuteRequest, place: ReservedPlace, way: Way): Promise<Outcome> {
    const reservation = this.#options.reservations.get(place.id);
    reservation.reasons |= place.reasons ?? 0;
    try {
      return await this.#runReserved(reservation, request, way);
    } catch (error) {
      throw withReservation(error, reservation.held);
    }
  }

  async #runReserved(
    reservation: MockReservation,
    request: ExecuteRequest,
    { sink, signal }: Way,
  ): Promise<Outcome> {
    return await reservation.inTurn(async (ended) => {
      this.#refuseWrite(request);
      const signals = signal === undefined ? [ended] : [ended, signal];
      await runStatement(this.#options.script(), request, { sink, signals });
      return { reservation: reservation.held };
    }, signal);
  }

  /** Changes the reasons of a reservation in its turn, and writes the tag of that. */
  async #inReservation(
    { target, id }: ReservationRequest,
    { sink, signal }: Way,
    tag: string,
    change: (reservation: MockReservation) => void,
  ): Promise<Outcome> {
    this.#require(target, signal);
    const reservation = this.#options.reservations.get(id);
    try {
      return await reservation.inTurn(async () => {
        change(reservation);
        await writeAll(sink, commandResult(tag), signal);
        return { reservation: reservation.held };
      }, signal);
    } catch (error) {
      throw withReservation(error, reservation.held);
    }
  }

  /** Runs `work` as one request that the gate counts. */
  async #admitted<T>(
    kind: RequestKind,
    request: { readonly target?: QueryTarget | undefined },
    work: () => Promise<T>,
    entry: GateEntry = new SingleRun(),
  ): Promise<T> {
    const { gate } = this.#options;
    gate.enter({ kind, mode: modeOf(request) }, entry);
    try {
      return await work();
    } catch (error) {
      throw mockError(error);
    } finally {
      gate.leave(entry);
    }
  }

  #refuseWrite(request: ExecuteRequest): void {
    const { gate, script } = this.#options;
    const isReadOnly = gate.state.current.status === ServingStatus.ServingReadOnly;
    if (isReadOnly && script().writes(request)) {
      const { message, diagnostic } = databaseError("25006", "the mock serves read-only");
      throw new MockControllerError(PoolerErrorCode.ReadOnly, message, { diagnostic });
    }
  }

  #require(target: QueryTarget | undefined, signal: AbortSignal | undefined): void {
    if (!this.#isOpen) {
      throw new MockControllerError(PoolerErrorCode.NotOpen, "the controller was closed");
    }
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const { shard } = this.#options;
    if (
      target !== undefined &&
      (isAnother(target.tableGroup, shard.tableGroup) || isAnother(target.shard, shard.shard))
    ) {
      const wanted = `${target.tableGroup}/${target.shard}`;
      const message = `${wanted} is not served here, but ${shard.tableGroup}/${shard.shard}`;
      throw new MockControllerError(PoolerErrorCode.WrongTarget, message);
    }
  }
}

function isAnother(wanted: string, served: string): boolean {
  return wanted !== "" && served !== "" && wanted !== served;
}

function modeOf({ target }: { readonly target?: QueryTarget | undefined }): QueryMode {
  return target?.mode ?? QueryMode.Unspecified;
}
