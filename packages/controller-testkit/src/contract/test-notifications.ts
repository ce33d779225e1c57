import { PoolerErrorCode, decodeNotification } from "@multipooler/query-service";
import type { NotificationSink, PoolerError, Subscription } from "@multipooler/query-service";
import { deepEqual, equal } from "node:assert/strict";
import { PRIMARY, REPLICA, STOPPED } from "./contract-scene.ts";
import type { ContractScene } from "./contract-scene.ts";
import type { ContractSuite } from "./contract-suite.ts";
import { assertFails, assertThrows } from "./failure.ts";

const { NotOpen, NotServing } = PoolerErrorCode;

/** Subscriptions: who may subscribe, what arrives, and how they end. */
export function testNotifications(suite: ContractSuite): void {
  const { notify } = suite.statements;
  if (notify === undefined) {
    throw new TypeError("a factory that offers notifications has to have statements.notify");
  }

  suite.test(
    "what is sent after the confirmation arrives, and nothing after the end",
    async (scene) => {
      const listener = listen(scene);
      await scene.within(listener.subscription.change(to(notify.channel)), "change");
      await scene.run(notify.sql);
      await scene.within(listener.until(1), "a notification");
      deepEqual(listener.channels, [notify.channel]);
      listener.subscription.end();
      listener.subscription.end();
      await scene.run(notify.sql);
      equal(listener.channels.length, 1);
      equal(listener.reason, undefined);
    },
    { from: PRIMARY },
  );

  suite.test("only a primary that serves is subscribed to", async (scene) => {
    const subscribe = (): unknown => scene.controller.getExecutor().subscribe(new Listener());
    assertThrows(subscribe, NotServing);
    await scene.become(REPLICA);
    assertThrows(subscribe, NotServing);
  });

  for (const [name, leave] of [
    ["a pooler that stops serving", (scene: ContractScene) => scene.become(STOPPED)],
    ["a pooler that becomes a replica", (scene: ContractScene) => scene.become(REPLICA)],
    ["close", (scene: ContractScene) => scene.close()],
  ] as const) {
    suite.test(
      `${name} ends a subscription, which is no reason to wait, and says so once`,
      async (scene) => {
        const listener = listen(scene);
        await scene.within(listener.subscription.change(to(notify.channel)), "change");
        await leave(scene);
        await scene.within(listener.ends, "the end of the subscription");
        const late = listener.subscription.change(to(notify.channel));
        await assertFails(scene.within(late, "a change after the end"), NotServing, NotOpen);
      },
      { from: PRIMARY },
    );
  }
}

/** Takes notifications, and remembers their channels and why they ended. */
class Listener implements NotificationSink {
  readonly channels: string[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #sign = Promise.withResolvers<void>();
  reason: PoolerError | undefined;

  /** Resolves when the subscription has ended by itself. */
  get ends(): Promise<void> {
    return this.#ended.promise;
  }

  write(message: Uint8Array): undefined {
    this.channels.push(decodeNotification(message).channel);
    this.#sign.resolve();
    this.#sign = Promise.withResolvers();
  }

  ended(reason: PoolerError): void {
    equal(this.reason, undefined, "a subscription ends once");
    this.reason = reason;
    this.#ended.resolve();
  }

  async until(count: number): Promise<void> {
    while (this.channels.length < count) {
      await this.#sign.promise;
    }
  }
}

function listen(scene: ContractScene): Listener & { readonly subscription: Subscription } {
  const listener = new Listener();
  const subscription = scene.controller.getExecutor().subscribe(listener);
  return Object.assign(listener, { subscription });
}

function to(channel: string): {
  readonly unsubscribeAll: boolean;
  readonly unsubscribe: readonly string[];
  readonly subscribe: readonly string[];
} {
  return { unsubscribeAll: false, unsubscribe: [], subscribe: [channel] };
}
