import type {
  Caller,
  ExecuteRequest,
  Place,
  PoolerError,
  Reservation,
  ReservationWish,
  ReservedPlace,
  Settings,
  Statement,
} from "@multipooler/query-service";
import type { MultiPooler } from "../src/multi-pooler.ts";
import { request } from "./pooler-fixture.ts";
import { RecordingSink } from "./recording-sink.ts";

/** How a request ended, as a gateway sees it. */
export interface Answer {
  readonly tags: readonly string[];
  readonly values: readonly (string | null)[];
  readonly notices: number;
  readonly reservation: Reservation | undefined;
  readonly error: PoolerError | undefined;
}

interface Conclusion {
  readonly chain?: boolean;
  readonly releases?: "all" | readonly string[];
  readonly rollbackSettings?: Settings | undefined;
  readonly settings?: Settings;
  readonly signal?: AbortSignal;
}

const NO_SETTINGS: Settings = new Map();

/** One client of reservations: it remembers the one that it holds, as the pooler tells it. */
export class ReservingClient {
  readonly #pooler: MultiPooler;
  readonly #identity: Pick<Caller, "user" | "keys">;
  held: Reservation | undefined;

  constructor(pooler: MultiPooler, identity: Pick<Caller, "user" | "keys"> = { user: "" }) {
    this.#pooler = pooler;
    this.#identity = identity;
  }

  get id(): bigint {
    return this.held?.id ?? 0n;
  }

  async reserve(
    sql: string,
    reasons: number,
    more: ReservationWish & { readonly signal?: AbortSignal; readonly statement?: Statement } = {},
  ): Promise<Answer> {
    const { signal, statement, ...wish } = more;
    return await this.#execute({ type: "reserve", reasons, ...wish }, statement ?? sql, signal);
  }

  async run(
    sql: string,
    more: Partial<ReservedPlace> & {
      readonly signal?: AbortSignal;
      readonly statement?: Statement;
      readonly sink?: RecordingSink;
    } = {},
  ): Promise<Answer> {
    const { signal, statement, sink, ...place } = more;
    const reserved: Place = { id: this.id, ...place, type: "reserved" };
    return await this.#execute(reserved, statement ?? sql, signal, sink);
  }

  commit(more: Conclusion = {}): Promise<Answer> {
    return this.#conclude("commit", more);
  }

  rollback(more: Conclusion = {}): Promise<Answer> {
    return this.#conclude("rollback", more);
  }

  async discardTemp(): Promise<Answer> {
    return await this.#answer((sink) =>
      this.#pooler.getExecutor().discardTempTables(this.#about(NO_SETTINGS), sink),
    );
  }

  async release(keepsSticky = false): Promise<Answer> {
    return await this.#answer(() =>
      this.#pooler.getExecutor().releaseReservation({ ...this.#about(NO_SETTINGS), keepsSticky }),
    );
  }

  async #conclude(conclusion: "commit" | "rollback", more: Conclusion): Promise<Answer> {
    const { chain = false, releases = [], settings = NO_SETTINGS, signal } = more;
    const rollbackSettings = "rollbackSettings" in more ? more.rollbackSettings : NO_SETTINGS;
    return await this.#answer((sink) =>
      this.#pooler
        .getExecutor()
        .concludeTransaction(
          { ...this.#about(settings), conclusion, chain, releases, rollbackSettings },
          sink,
          { signal },
        ),
    );
  }

  #about(settings: Settings): Pick<ExecuteRequest, "caller"> & { readonly id: bigint } {
    return { caller: { ...this.#identity, settings, origin: "" }, id: this.id };
  }

  async #execute(
    place: Place,
    sql: string | Statement,
    signal?: AbortSignal,
    sink = new RecordingSink(),
  ): Promise<Answer> {
    const statement: Statement = typeof sql === "string" ? { type: "simple", sql } : sql;
    const caller = { ...this.#identity, settings: NO_SETTINGS, origin: "" };
    const wish = request("", { place, statement, caller });
    return await this.#answer(
      (used) => this.#pooler.getExecutor().streamExecute(wish, used, { signal }),
      sink,
    );
  }

  async #answer(
    call: (sink: RecordingSink) => Promise<{ readonly reservation: Reservation | undefined }>,
    sink = new RecordingSink(),
  ): Promise<Answer> {
    let error: PoolerError | undefined;
    let reservation: Reservation | undefined;
    try {
      ({ reservation } = await call(sink));
    } catch (thrown) {
      if (!isPoolerError(thrown)) {
        throw thrown;
      }
      error = thrown;
      ({ reservation } = thrown);
    }
    this.held = reservation;
    const { tags, values } = sink;
    const notices = sink.events.filter(({ type }) => type === "notice").length;
    return { tags, values, notices, reservation, error };
  }
}

function isPoolerError(error: unknown): error is PoolerError {
  return error instanceof Error && error.name === "PoolerError";
}
