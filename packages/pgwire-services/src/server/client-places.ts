import { Refusal } from "../login/refusal.ts";

/** Who a client has proved to be, and what it wants. */
export interface ClientName {
  readonly user: string;
  readonly database: string;
}

/** A place that a client may take, given back at its end. */
export interface ClientPlace extends Disposable {
  /** Takes it. @throws a `Refusal` if none is left. */
  take(kind: "client" | "console"): void;
  /** Counts a client for its user and its database. @throws a `Refusal` if one of these has none left. */
  identify(name: ClientName): void;
}

/** The most clients that there may be, read when one comes. */
export interface PlaceLimits {
  /** Logged in or about to be; those of the console aside. */
  readonly maxClients: number;
  /** Logged in as one user; 0: without a limit of its own. */
  readonly maxClientsPerUser: number;
  /** Logged in to one database; 0: without a limit of its own. */
  readonly maxClientsPerDatabase: number;
}

/** Clients of the console have places of their own, so that it opens when all others are taken. */
const CONSOLE_PLACES = 8;
const TOO_MANY = "53300";

/** How many clients may be logged in or about to be. */
export class ClientPlaces {
  readonly #limits: PlaceLimits;
  readonly #users = new Map<string, number>();
  readonly #databases = new Map<string, number>();
  #taken = 0;
  #consoles = 0;
  #refused = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Clients that found no place. */
  get refused(): number {
    return this.#refused;
  }

  reserve(): ClientPlace {
    const undo: (() => void)[] = [];
    return {
      take: (kind) => {
        undo.push(kind === "console" ? this.#takeConsole() : this.#take());
      },
      identify: ({ user, database }) => {
        const { maxClientsPerUser: perUser, maxClientsPerDatabase: perDatabase } = this.#limits;
        const ofUser = `too many connections for role "${user}"`;
        undo.push(this.#count(this.#users, user, { limit: perUser, message: ofUser }));
        const ofDatabase = `too many connections for database "${database}"`;
        undo.push(
          this.#count(this.#databases, database, { limit: perDatabase, message: ofDatabase }),
        );
      },
      [Symbol.dispose]: () => {
        for (const each of undo.splice(0)) {
          each();
        }
      },
    };
  }

  #take(): () => void {
    const { maxClients } = this.#limits;
    if (this.#taken >= maxClients) {
      throw this.#refuse("sorry, too many clients already", maxClients);
    }
    this.#taken += 1;
    return () => (this.#taken -= 1);
  }

  #takeConsole(): () => void {
    if (this.#consoles >= CONSOLE_PLACES) {
      throw this.#refuse("sorry, too many clients of the admin console already", CONSOLE_PLACES);
    }
    this.#consoles += 1;
    return () => (this.#consoles -= 1);
  }

  /** In PostgreSQL's words. */
  #count(
    counts: Map<string, number>,
    name: string,
    { limit, message }: { readonly limit: number; readonly message: string },
  ): () => void {
    const count = counts.get(name) ?? 0;
    if (limit > 0 && count >= limit) {
      throw this.#refuse(message, limit);
    }
    counts.set(name, count + 1);
    return () => {
      const left = (counts.get(name) ?? 1) - 1;
      if (left === 0) {
        counts.delete(name);
      } else {
        counts.set(name, left);
      }
    };
  }

  #refuse(message: string, limit: number): Refusal {
    this.#refused += 1;
    return new Refusal(TOO_MANY, message, {
      detail: `The pooler serves ${limit} of them at once.`,
    });
  }
}
