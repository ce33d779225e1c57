import type { MultiPoolerError } from "../error.ts";
import { Channels, serverChangeText } from "./channels.ts";
import type { ListeningConnection } from "./listening-connection.ts";
import type { PendingChange } from "./pending-change.ts";
import type { Subscriber } from "./subscriber.ts";

/**
 * The channels of all subscribers, and the changes that wait for the server.
 *
 * Each change is confirmed by an answer of the server, also where that has nothing to do: what was
 * committed before the question arrives before the answer. So a subscriber gets what a session of its
 * own would get. Changes that come while an answer is awaited share the next question.
 */
export class ChannelChanges {
  readonly #channels = new Channels();
  /** The server was not asked about them yet. */
  #queue: PendingChange[] = [];
  /** The server was asked about them. */
  #underWay: readonly PendingChange[] | undefined;

  /** Whether an answer of the server is awaited. */
  get isAwaited(): boolean {
    return this.#underWay !== undefined;
  }

  /** Whether changes wait that the server was not asked about yet. */
  get isWaiting(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether there is anything to ask. */
  get isAskingDue(): boolean {
    return this.isWaiting || this.#channels.hasUnused;
  }

  /** Whether anybody subscribes to a channel. */
  get isUsed(): boolean {
    return this.#channels.isUsed;
  }

  /** Channels that somebody subscribes to. */
  get channels(): number {
    return this.#channels.size;
  }

  add(pending: PendingChange): void {
    this.#queue.push(pending);
  }

  /** Nobody waits for `pending` any more. Does nothing for one that is settled. */
  withdraw(pending: PendingChange): void {
    pending.isWithdrawn = true;
    this.#queue = this.#queue.filter((queued) => queued !== pending);
  }

  remove(subscriber: Subscriber): void {
    this.#channels.remove(subscriber);
  }

  /** Hands a notification to those who subscribe to its channel. */
  dispatch(message: Uint8Array, channel: string): void {
    let owned: Uint8Array | undefined;
    for (const subscriber of this.#channels.subscribersOf(channel)) {
      owned ??= new Uint8Array(message);
      subscriber.deliver(owned);
    }
  }

  /** Confirms what needs no server while nobody subscribes to anything: to leave channels. */
  confirmLeaving(): void {
    const queue = this.#queue;
    this.#queue = queue.filter(({ change }) => change.subscribe.length > 0);
    for (const pending of queue.filter(({ change }) => change.subscribe.length === 0)) {
      pending.confirm();
    }
  }

  /**
   * Asks the server for what the changes need, and for an answer in any case. Calls `answered` with
   * the error of the server, if it refuses, unless {@link clear} was called before.
   */
  ask(
    connection: ListeningConnection,
    answered: (error: MultiPoolerError | undefined) => void,
  ): void {
    const changes = this.#queue;
    this.#queue = [];
    this.#underWay = changes;
    const server = this.#channels.preparation(changes.map(({ change }) => change));
    connection.run(serverChangeText(server), (error) => {
      if (this.#underWay !== changes) {
        return;
      }
      this.#underWay = undefined;
      if (error === undefined) {
        this.#channels.prepared(server);
        this.#confirm(changes);
      } else {
        refuseAll(changes, error);
      }
      answered(error);
    });
  }

  /**
   * The connection is gone: refuses what the server was asked, and leaves all channels. Returns those
   * who subscribed to one.
   */
  clear(reason: MultiPoolerError): ReadonlySet<Subscriber> {
    const underWay = this.#underWay ?? [];
    this.#underWay = undefined;
    const subscribers = this.leaveAll();
    refuseAll(underWay, reason);
    return subscribers;
  }

  /** The server listens to nothing any more. Returns those who subscribed to a channel. */
  leaveAll(): ReadonlySet<Subscriber> {
    return this.#channels.clear();
  }

  /** Refuses the changes that the server was not asked about. */
  refuseWaiting(reason: MultiPoolerError): void {
    const queue = this.#queue;
    this.#queue = [];
    refuseAll(queue, reason);
  }

  #confirm(changes: readonly PendingChange[]): void {
    for (const pending of changes) {
      if (!pending.isWithdrawn) {
        this.#channels.apply(pending.subscriber, pending.change);
        pending.confirm();
      }
    }
  }
}

function refuseAll(changes: readonly PendingChange[], error: MultiPoolerError): void {
  for (const pending of changes) {
    pending.refuse(error);
  }
}
