import type { PoolerClient } from "@multipooler/grpc-services/client";
import type {
  Session,
  SessionCaller,
  SessionClient,
  SessionState,
} from "@multipooler/query-service";
import { ClientOutput } from "./client-output.ts";
import { ClientState } from "./client-state.ts";
import { errorWords, GatewayError } from "./error-words.ts";
import { ExtendedQuery } from "./extended-query.ts";
import { messagesOf } from "./frontend-message.ts";
import type { FrontendMessage } from "./frontend-message.ts";
import { Inbox } from "./inbox.ts";
import { NotificationRelay } from "./notification-relay.ts";
import { PoolerCalls } from "./pooler-calls.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { ReservationCalls } from "./reservation-calls.ts";
import { SimpleQuery } from "./simple-query.ts";
import { StatementRunner } from "./statement-runner.ts";

/** What the real gateway reports to every client. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ["server_version", "17.0 (gateway)"],
  ["server_encoding", "UTF8"],
  ["client_encoding", "UTF8"],
  ["DateStyle", "ISO, MDY"],
  ["IntervalStyle", "postgres"],
  ["TimeZone", "UTC"],
  ["integer_datetimes", "on"],
  ["standard_conforming_strings", "on"],
]);

/** One client of the gateway: its messages become calls of the pooler, one after the other. */
export class GatewaySession implements Session {
  readonly parameters: ReadonlyMap<string, string> = PARAMETERS;
  readonly #client: SessionClient;
  readonly #state: ClientState;
  readonly #calls: PoolerCalls;
  readonly #reservations: ReservationCalls;
  readonly #output: ClientOutput;
  readonly #inbox: Inbox;
  readonly #simple: SimpleQuery;
  readonly #extended: ExtendedQuery;
  readonly #notifications: NotificationRelay;
  readonly #ended: Promise<void>;
  /** What was notified while something was answered. */
  readonly #notified: Uint8Array[] = [];
  /** After an error in the extended protocol everything up to the Sync is passed over. */
  #skipsToSync = false;
  #isBusy = false;

  constructor(pooler: PoolerClient, caller: SessionCaller, client: SessionClient) {
    this.#client = client;
    this.#state = new ClientState(caller);
    this.#calls = new PoolerCalls(pooler, this.#state);
    this.#reservations = new ReservationCalls(pooler, this.#state);
    this.#output = new ClientOutput(client);
    this.#inbox = new Inbox({ onRoom: () => client.resume() });
    const own = { state: this.#state, calls: this.#calls, output: this.#output };
    this.#notifications = new NotificationRelay(pooler, (message) => this.#onNotified(message));
    const prepared = new PreparedStatements();
    const runner = new StatementRunner({
      ...own,
      prepared,
      inbox: this.#inbox,
      reservations: this.#reservations,
      notifications: this.#notifications,
    });
    const parts = { ...own, runner };
    this.#simple = new SimpleQuery(parts);
    this.#extended = new ExtendedQuery({ ...parts, prepared });
    this.#ended = this.#converse();
  }

  write(messages: Uint8Array): boolean {
    return this.#inbox.put(messagesOf(messages));
  }

  drained(): void {
    this.#output.drained();
  }

  cancel(): void {
    this.#calls.cancel();
  }

  async end(): Promise<void> {
    this.#inbox.close();
    this.#output.drained();
    this.#calls.cancel();
    await this.#ended;
  }

  describe(): SessionState {
    return this.#isBusy ? { type: "running", sinceMs: 0 } : { type: "idle" };
  }

  async #converse(): Promise<void> {
    let message = await this.#inbox.next();
    while (message !== undefined && message.type !== "terminate") {
      this.#isBusy = true;
      await this.#answer(message);
      this.#isBusy = false;
      await this.#tellNotified();
      message = await this.#inbox.next();
    }
    this.#notifications.end();
    await this.#reservations.release({ keepSticky: false }).catch(() => undefined);
    this.#client.ended(undefined);
  }

  async #answer(message: FrontendMessage): Promise<void> {
    if (message.type === "query") {
      await this.#simple.run(message.sql);
    } else if (message.type === "sync") {
      this.#skipsToSync = false;
      await this.#output.readyForQuery(this.#state.status);
    } else if (!this.#skipsToSync) {
      await this.#extend(message);
    }
  }

  /** Between two answers, never into one. */
  #onNotified(message: Uint8Array): void {
    this.#notified.push(message);
    if (!this.#isBusy) {
      void this.#tellNotified();
    }
  }

  async #tellNotified(): Promise<void> {
    for (const message of this.#notified.splice(0)) {
      await this.#output.write(message);
    }
  }

  async #extend(message: FrontendMessage): Promise<void> {
    try {
      await this.#step(message);
    } catch (error) {
      await this.#output.diagnostic(errorWords(error));
      this.#state.fail();
      this.#skipsToSync = true;
    }
  }

  async #step(message: FrontendMessage): Promise<void> {
    switch (message.type) {
      case "parse":
        return await this.#extended.parse(message);
      case "bind":
        return await this.#extended.bind(message);
      case "close":
        return await this.#extended.close(message);
      case "describe":
        return await this.#describe(message);
      case "execute":
        return await this.#extended.execute(message, { describes: false });
      case "flush":
      // What comes behind a COPY that has failed is of no use.
      case "copyData":
      case "copyDone":
      case "copyFail":
        return;
      case "query":
      case "sync":
      case "terminate":
      case "unknown":
        throw new GatewayError("08P01", "invalid frontend message type");
    }
  }

  /** A Describe of a portal and its Execute are one call. */
  async #describe(message: Extract<FrontendMessage, { type: "describe" }>): Promise<void> {
    const next = message.of === "portal" ? await this.#inbox.first() : undefined;
    if (next?.type === "execute" && next.portal === message.name) {
      await this.#inbox.next();
      await this.#extended.execute(next, { describes: true });
    } else {
      await this.#extended.describe(message);
    }
  }
}
