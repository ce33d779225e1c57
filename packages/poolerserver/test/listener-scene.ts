import { encodeNotification } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect } from "vitest";
import { CountingShare } from "./counting-share.ts";
import type { FakeBackend, FakeRequest } from "./fake-backend.ts";
import { FakeServer } from "./fake-server.ts";
import { settled } from "./settled.ts";
import { silentLogger } from "./silent-logger.ts";
import { RecordingSubscriber } from "./subscriber.ts";
import type { PoolerEvent } from "../src/pooler-event.ts";
import type { ProcessActivity } from "../src/pool/silence-watch.ts";
import { NotificationListener } from "../src/notifications/notification-listener.ts";

/** A listener with a server that does what the test says. */
export class ListenerScene implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly server: FakeServer = new FakeServer();
  readonly share: CountingShare = new CountingShare(2);
  readonly suspicions: string[] = [];
  readonly events: PoolerEvent[] = [];
  /** What the server says of the process that listens. */
  activity: ProcessActivity | undefined = { processId: 4711, idleMs: undefined };
  readonly ended: number[] = [];
  /** Whether statements leave a place in the budget. */
  hasRoom = true;
  encoding: string | undefined = "UTF8";
  readonly listener: NotificationListener = new NotificationListener({
    openBackend: this.server.open,
    openShare: () => (this.hasRoom ? { share: this.share, end: () => undefined } : undefined),
    capacity: 2,
    clock: this.clock,
    random: () => 0,
    maxNotificationBytes: 1000,
    processes: {
      activities: () => Promise.resolve(this.activity === undefined ? [] : [this.activity]),
      endIdle: ({ processId }) => {
        this.ended.push(processId);
        return Promise.resolve();
      },
    },
    serverEncoding: () => this.encoding,
    admit: () => undefined,
    suspect: ({ message }) => this.suspicions.push(message),
    onEvent: (event) => this.events.push(event),
    logger: silentLogger,
  });

  /** The connection that listens; a change that waits for it has asked it something. */
  async accept(): Promise<FakeBackend> {
    await settled();
    const [dial] = this.server.dials;
    if (dial === undefined) {
      throw new Error("nobody dials");
    }
    const backend = dial.accept();
    await settled();
    return backend;
  }

  /** A subscriber of `channels`, confirmed. */
  async subscribed(...channels: string[]): Promise<[RecordingSubscriber, FakeBackend]> {
    const one = new RecordingSubscriber(this.listener);
    const confirmed = one.subscribe(...channels);
    const backend = this.server.live.at(-1) ?? (await this.accept());
    last(backend).succeed();
    await confirmed;
    return [one, backend];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.close();
    expect(this.clock.pending).toBe(0);
    expect(this.share.used).toBe(0);
    expect(this.share.isWatched).toBe(false);
    expect(this.server.live).toEqual([]);
  }
}

/** What the connection was asked last. */
export function last({ requests }: FakeBackend): FakeRequest {
  const request = requests.at(-1);
  if (request === undefined) {
    throw new Error("nothing was asked");
  }
  return request;
}

/** Has the server send a notification. */
export function send(backend: FakeBackend, channel: string, payload = ""): void {
  backend.onUnasked?.(encodeNotification({ processId: 7, channel, payload }));
}
