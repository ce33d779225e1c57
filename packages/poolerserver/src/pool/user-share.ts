import type { ConnectionShare, ConnectionSlot } from "@multipooler/controller-api";

/** How many sessions a user could use. */
export interface Demand {
  /** Those that are in use or waited for. */
  readonly current: number;
  /** The most of these at once, lately. */
  readonly lately: number;
}

/** Whose connections are counted in a share. */
export interface ShareOwner {
  readonly database: string;
  readonly user: string;
}

/** What one user's share asks of all. */
export interface ShareKeeper {
  limitOf(share: UserShare): number;
  take(share: UserShare): ConnectionSlot | undefined;
  serverIsFull(share: UserShare): void;
}

/** The part of the budget that the sessions of one user in one database may use; see `UserBudget`. */
export class UserShare implements ConnectionShare {
  readonly #keeper: ShareKeeper;
  readonly #listeners = new Set<() => void>();
  readonly owner: ShareOwner;
  /** `now` on the monotonic clock. */
  readonly demand: (now: number) => Demand;
  used = 0;
  /** What was allotted last. */
  allotment = 0;
  /** Where it stands when there is too little for all; who is new comes first. */
  turn = -1;
  /** When a place was taken last. */
  takenAt: number = Number.NEGATIVE_INFINITY;

  constructor(
    keeper: ShareKeeper,
    { owner, demand }: { readonly owner: ShareOwner; readonly demand: (now: number) => Demand },
  ) {
    this.#keeper = keeper;
    this.owner = owner;
    this.demand = demand;
  }

  get limit(): number {
    return this.#keeper.limitOf(this);
  }

  tryTake(): ConnectionSlot | undefined {
    return this.#keeper.take(this);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  serverIsFull(): void {
    this.#keeper.serverIsFull(this);
  }

  /** Tells those who listen. */
  changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
