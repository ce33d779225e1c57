import type { TransactionStatus } from "@multipooler/pgwire";
import type { SessionCaller, Settings } from "@multipooler/query-service";
import { Reason } from "./statement-action.ts";

/** The only shard that there is, and the mode of the main port. */
const TARGET = {
  shardKey: { database: "postgres", tableGroup: "default", shard: "0-inf" },
  mode: 1,
} as const;

/** A connection that the pooler keeps for the client, as the contract's ReservedState. */
export interface Reservation {
  readonly reservedConnectionId: bigint;
  readonly reservationReasons: number;
}

/** The client's transaction block, of which the pooler may not know yet. */
interface Transaction {
  /** The client's own text, or BEGIN around the statements of one message. */
  readonly begin: string;
  readonly isImplicit: boolean;
  /** What the settings were before. */
  readonly settingsBefore: Settings;
  readonly hasFailed: boolean;
}

/** What goes with every request about a statement. */
export interface RequestOrigin {
  readonly target: typeof TARGET;
  readonly callerId: { readonly principal: string };
  readonly options: {
    readonly user: string;
    readonly userAuth: SessionCaller["keys"];
    readonly sessionSettings: Record<string, string>;
    readonly reservedConnectionId: bigint;
    readonly clientConnectionId: number;
  };
}

let lastConnectionId = 0;

/** What a gateway knows of a client between its statements. */
export class ClientState {
  readonly #caller: SessionCaller;
  readonly #startupSettings: Settings;
  readonly #connectionId = (lastConnectionId += 1);
  #settings: Map<string, string>;
  #reservation: Reservation | undefined;
  #transaction: Transaction | undefined;

  constructor(caller: SessionCaller) {
    this.#caller = caller;
    this.#startupSettings = caller.settings;
    this.#settings = new Map(caller.settings);
  }

  get settings(): Settings {
    return this.#settings;
  }

  get reservation(): Reservation | undefined {
    return this.#reservation;
  }

  get status(): TransactionStatus {
    if (this.#transaction === undefined) {
      return "I";
    }
    return this.#transaction.hasFailed ? "E" : "T";
  }

  get isInTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /** Whether the block is only that of one message with several statements. */
  get isImplicit(): boolean {
    return this.#transaction?.isImplicit ?? false;
  }

  /** Whether the pooler has begun the transaction. */
  get hasBegun(): boolean {
    return ((this.#reservation?.reservationReasons ?? 0) & Reason.Transaction) !== 0;
  }

  /** The settings from before the transaction; those of now outside of one. */
  get settingsBefore(): Settings {
    return this.#transaction?.settingsBefore ?? this.#settings;
  }

  origin(): RequestOrigin {
    const { user, keys } = this.#caller;
    return {
      target: TARGET,
      callerId: { principal: user },
      options: {
        user,
        userAuth: keys,
        sessionSettings: Object.fromEntries(this.#settings),
        reservedConnectionId: this.#reservation?.reservedConnectionId ?? 0n,
        clientConnectionId: this.#connectionId,
      },
    };
  }

  begin(begin: string, { isImplicit }: { readonly isImplicit: boolean }): void {
    const settingsBefore = this.#transaction?.settingsBefore ?? new Map(this.#settings);
    this.#transaction = { begin, isImplicit, settingsBefore, hasFailed: false };
  }

  /** What the next statement has to begin with; `undefined` if nothing. */
  get pendingBegin(): string | undefined {
    return this.hasBegun ? undefined : this.#transaction?.begin;
  }

  fail(): void {
    if (this.#transaction !== undefined) {
      this.#transaction = { ...this.#transaction, hasFailed: true };
    }
  }

  /** The transaction is over; a chained one begins where it ended. */
  conclude(outcome: { readonly isCommitted: boolean; readonly chain: boolean }): void {
    const ended = this.#transaction;
    if (!outcome.isCommitted && ended !== undefined) {
      this.#settings = new Map(ended.settingsBefore);
    }
    this.#transaction = undefined;
    if (outcome.chain && ended !== undefined) {
      this.begin(ended.begin, { isImplicit: false });
    }
  }

  /** What the pooler keeps now. Where it keeps nothing, the transaction is lost with it. */
  keep(reservation: Reservation | undefined): void {
    const hadBegun = this.hasBegun;
    this.#reservation = reservation;
    if (hadBegun && !this.hasBegun) {
      this.fail();
    }
  }

  /** `undefined` sets what the client has begun with. */
  set(name: string, value: string | undefined): void {
    const next = value ?? this.#startupSettings.get(name);
    if (next === undefined) {
      this.#settings.delete(name);
    } else {
      this.#settings.set(name, next);
    }
  }

  resetAll(): void {
    this.#settings = new Map(this.#startupSettings);
  }
}
