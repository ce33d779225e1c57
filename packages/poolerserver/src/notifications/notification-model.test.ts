import { encodeNotification } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CountingShare } from "../../test/counting-share.ts";
import type { FakeBackend, FakeRequest } from "../../test/fake-backend.ts";
import { FakeServer } from "../../test/fake-server.ts";
import { settled } from "../../test/settled.ts";
import { silentLogger } from "../../test/silent-logger.ts";
import { RecordingSubscriber } from "../../test/subscriber.ts";
import { NotificationListener } from "./notification-listener.ts";

const CHANNELS = ["a", "b", "c"];
const SUBSCRIBERS = 3;

type Step =
  | { readonly type: "notify"; readonly channel: string }
  | { readonly type: "change"; readonly who: number; readonly change: Change }
  | { readonly type: "replace"; readonly who: number }
  | { readonly type: "answer" }
  | { readonly type: "accept" }
  | { readonly type: "break" }
  | { readonly type: "pass"; readonly ms: number };

interface Change {
  readonly unsubscribeAll: boolean;
  readonly unsubscribe: readonly string[];
  readonly subscribe: readonly string[];
}

const channels = fc.subarray(CHANNELS);
const who = fc.nat(SUBSCRIBERS - 1);
const change = fc.record({
  unsubscribeAll: fc.boolean(),
  unsubscribe: channels,
  subscribe: channels,
});
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("notify"), channel: fc.constantFrom(...CHANNELS) }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("change"), who, change }) },
  { weight: 6, arbitrary: fc.constant({ type: "answer" }) },
  { weight: 3, arbitrary: fc.constant({ type: "accept" }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("replace"), who }) },
  { weight: 1, arbitrary: fc.constant({ type: "break" }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("pass"), ms: fc.constantFrom(100, 5000, 10_000) }),
  },
);

/** A subscriber, and what it was confirmed: the channels that count for it. */
interface Modelled {
  readonly subscriber: RecordingSubscriber;
  channels: Set<string>;
  readonly expected: string[];
}

/** PostgreSQL, as far as it listens, and the subscribers as they should be. */
class Model {
  readonly clock: ManualClock = new ManualClock();
  readonly server: FakeServer = new FakeServer();
  readonly share: CountingShare = new CountingShare(2);
  readonly listener: NotificationListener = new NotificationListener({
    openBackend: this.server.open,
    openShare: () => ({ share: this.share, end: () => undefined }),
    capacity: 2,
    clock: this.clock,
    random: () => 0,
    maxNotificationBytes: 1_000_000,
    processes: {
      activities: () => Promise.resolve([{ processId: 4711, idleMs: undefined }]),
      endIdle: () => Promise.resolve(),
    },
    serverEncoding: () => "UTF8",
    admit: () => undefined,
    suspect: () => undefined,
    logger: silentLogger,
  });
  readonly subscribers: Modelled[] = Array.from({ length: SUBSCRIBERS }, () => this.#subscriber());
  /** By connection: what the server listens to, and the request that it has not answered. */
  readonly #listened = new WeakMap<FakeBackend, Set<string>>();
  readonly #answered = new WeakSet<FakeRequest>();
  #sent = 0;

  async run(step: Step): Promise<void> {
    switch (step.type) {
      case "notify":
        this.#notify(step.channel);
        break;
      case "change":
        this.#change(step.who, step.change);
        break;
      case "replace":
        this.subscribers[step.who]?.subscriber.subscription.end();
        this.subscribers[step.who] = this.#subscriber();
        break;
      case "answer":
        this.#answer();
        break;
      case "accept":
        this.server.dials[0]?.accept();
        break;
      case "break":
        this.#break();
        break;
      case "pass":
        await this.clock.advance(step.ms);
    }
    await settled();
    this.#check();
  }

  #subscriber(): Modelled {
    return {
      subscriber: new RecordingSubscriber(this.listener),
      channels: new Set(),
      expected: [],
    };
  }

  get #connection(): FakeBackend | undefined {
    return this.server.live.at(-1);
  }

  /** A subscriber that is confirmed must get it, and nobody else may. */
  #notify(channel: string): void {
    const connection = this.#connection;
    this.#sent += 1;
    const payload = String(this.#sent);
    const isHeard = connection !== undefined && this.#listened.get(connection)?.has(channel);
    for (const { channels: own, expected } of this.subscribers) {
      if (own.has(channel)) {
        expect(isHeard).toBe(true);
        expected.push(payload);
      }
    }
    if (isHeard === true) {
      connection?.onUnasked?.(encodeNotification({ processId: 1, channel, payload }));
    }
  }

  #change(index: number, wanted: Change): void {
    const modelled = this.subscribers[index];
    if (modelled === undefined) {
      return;
    }
    void modelled.subscriber.subscription.change(wanted).then(
      () => {
        const kept = wanted.unsubscribeAll ? [] : [...modelled.channels];
        const left = kept.filter((channel) => !wanted.unsubscribe.includes(channel));
        modelled.channels = new Set([...left, ...wanted.subscribe]);
      },
      () => undefined,
    );
  }

  #answer(): void {
    const connection = this.#connection;
    const request = connection?.requests.find((it) => !this.#answered.has(it));
    if (connection === undefined || request === undefined) {
      return;
    }
    this.#answered.add(request);
    const listened = this.#listened.get(connection) ?? new Set();
    this.#listened.set(connection, listened);
    for (const [, verb, channel = ""] of request.sql.matchAll(/(UN)?LISTEN "(\w)"/g)) {
      if (verb === undefined) {
        listened.add(channel);
      } else {
        listened.delete(channel);
      }
    }
    request.succeed();
  }

  #break(): void {
    if (this.#connection === undefined) {
      return;
    }
    this.#connection.lose();
    for (const modelled of this.subscribers) {
      modelled.channels.clear();
    }
  }

  #check(): void {
    for (const { subscriber, channels: own, expected } of this.subscribers) {
      expect(subscriber.payloads).toEqual(expected);
      if (subscriber.ends.length > 0) {
        expect([...own]).toEqual([]);
      }
    }
    expect(this.server.live.length).toBeLessThanOrEqual(1);
  }

  async close(): Promise<void> {
    await this.listener.close();
    expect(this.clock.pending).toBe(0);
    expect(this.share.used).toBe(0);
    expect(this.server.live).toEqual([]);
    for (const { subscriber } of this.subscribers) {
      expect(subscriber.ends).toHaveLength(1);
    }
  }
}

test("whatever happens, a subscriber gets what is sent on its channels while they are confirmed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 80, size: "max" }), async (steps) => {
      const model = new Model();
      for (const next of steps) {
        await model.run(next);
      }
      await model.close();
    }),
    { numRuns: 500 },
  );
});
