import type { DatabaseHandle, PoolerController } from "@multipooler/controller-api";

/** Makes the controllers that the suite is run on, and says what they can do. */
export interface ControllerFactory {
  /** Stands in the title of the suite. */
  readonly name: string;
  readonly offers: ControllerOffers;
  readonly statements: ContractStatements;
  /** Whether its subjects have an `outage`. Tests of a database that is away are left out without. */
  readonly hasOutages?: boolean | undefined;
  /** What it serves. A test of requests for something else is left out without it. */
  readonly served?: { readonly tableGroup: string; readonly shard: string } | undefined;
  /** A controller that has not been given its database yet. Called once a test. */
  create(options: SubjectOptions): Promise<ControllerSubject>;
}

/**
 * What the controller does beyond single queries. What it does not offer it has to refuse, with
 * UNIMPLEMENTED unless `QueryService` says otherwise.
 */
export interface ControllerOffers {
  /** `place.type` `reserve`, with transactions. */
  readonly reservations: boolean;
  /** `openSession`. Its sessions have to know BEGIN, COMMIT and ROLLBACK. */
  readonly sessions: boolean;
  /** `describe` */
  readonly describe: boolean;
  /** `getCredentials` */
  readonly credentials: boolean;
  /** `copyIn` and `copyOut`; with `statements.copy`. */
  readonly copy: boolean;
  /** `subscribe`; with `statements.notify`. */
  readonly notifications: boolean;
}

/** Texts in the controller's language. A test that needs one that is missing is not declared. */
export interface ContractStatements {
  /** A read that is answered at once, with at least one row. */
  readonly read: string;
  /** Changes something, at once; refused in SERVING_RDONLY. */
  readonly write?: string | undefined;
  /** What the database answers with an error. */
  readonly failing?: string | undefined;
  /** A read that runs until {@link ControllerSubject.unblock}, or until it is cancelled. */
  readonly blocked?: string | undefined;
  /** A COPY from the client that takes the line `1`, and one to the client that yields something. */
  readonly copy?: { readonly in: string; readonly out: string } | undefined;
  /** Sends a notification on a channel. */
  readonly notify?: { readonly channel: string; readonly sql: string } | undefined;
}

/** How a controller is to be made. */
export interface SubjectOptions {
  /** How long it waits for what runs when it leaves a serving status. */
  readonly drainGraceMs: number;
}

/** A new controller, and the world around it. Disposing of it comes after the controller's `close`. */
export interface ControllerSubject extends AsyncDisposable {
  readonly controller: PoolerController;
  /** What is handed over. When the controller is closed, its `share` has to be as full as before. */
  readonly database: DatabaseHandle;
  /** Resolves when so many blocked statements run. Needed with `statements.blocked`. */
  untilBlocked?(count: number): Promise<void>;
  /** Lets all blocked statements end, those that come later too. Needed with `statements.blocked`. */
  unblock?(): Promise<void>;
  /** How the database becomes unreachable, and comes back. Needed with `hasOutages`. */
  readonly outage?: DatabaseOutage | undefined;
}

/** Takes the database away. */
export interface DatabaseOutage {
  begin(): Promise<void>;
  end(): Promise<void>;
}
