import { PoolerErrorCode, decodeNotification } from "@multipooler/query-service";
import type { NotificationSink, PoolerError, Subscription } from "@multipooler/query-service";
import { NotificationStreamResponse } from "@multipooler/proto/multipoolerservice";
import type { NotificationStreamRequest } from "@multipooler/proto/multipoolerservice";
import { onAbort, systemClock } from "@multipooler/timing";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { LastingSubscription } from "./lasting-subscription.ts";
import type { CallContext, MessageSink, MessageSource } from "../server/rpc.ts";

export interface NotificationStreamOptions {
  readonly manager: PoolerManager;
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal;
}

/**
 * Answers NotificationStream: each request with one `ready`, once PostgreSQL has confirmed it, and
 * notifications in between. It ends without an error when the client has sent its last request, and
 * when the pooler is no primary any more, so that the client looks for it. It goes on when a
 * connection breaks.
 */
export async function notificationStream(
  { manager, closing }: NotificationStreamOptions,
  requests: MessageSource<NotificationStreamRequest>,
  sink: MessageSink<NotificationStreamResponse>,
  { signal }: CallContext,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const notifications = new NotificationMessages(sink);
  const subscription = new LastingSubscription({
    open: (to) => manager.queryServiceControl().getExecutor().subscribe(to),
    // What is a primary for the topology serves again when its database does.
    isComingBack: () => manager.status().type === "PRIMARY",
    sink: {
      write: (message) => notifications.write(message),
      ended: (reason) => (hasStopped(reason) ? ended.resolve() : ended.reject(reason)),
    },
    clock: systemClock,
    random: Math.random,
  });
  const watches = [
    onAbort(closing, () => ended.resolve()),
    onAbort(signal, ({ reason }) => ended.reject(reason)),
  ];
  try {
    const answering = answer({ requests, subscription, notifications, signal });
    await Promise.race([ended.promise, answering]);
  } finally {
    for (const stopWatching of watches) {
      stopWatching();
    }
    subscription.end();
  }
}

interface Conversation {
  readonly requests: MessageSource<NotificationStreamRequest>;
  readonly subscription: Subscription;
  readonly notifications: NotificationMessages;
  readonly signal: AbortSignal;
}

async function answer(conversation: Conversation): Promise<void> {
  const { requests, subscription, notifications, signal } = conversation;
  for (;;) {
    const request = await requests.next();
    if (request === undefined) {
      return;
    }
    const change = {
      unsubscribeAll: request.unsubscribeAll,
      unsubscribe: request.unsubscribeChannels,
      subscribe: request.subscribeChannels,
    };
    await notifications.confirm(subscription.change(change, { signal }));
  }
}

/** Writes notifications; those that come while a request is not confirmed follow its `ready`. */
class NotificationMessages implements Pick<NotificationSink, "write"> {
  readonly #sink: MessageSink<NotificationStreamResponse>;
  #confirmed: Promise<void> | undefined;

  constructor(sink: MessageSink<NotificationStreamResponse>) {
    this.#sink = sink;
  }

  write(message: Uint8Array): Promise<void> | undefined {
    return this.#confirmed === undefined ? this.#send(message) : this.#sendLater(message);
  }

  /** Says `ready` when `change` has happened. */
  async confirm(change: Promise<void>): Promise<void> {
    const confirmed = Promise.withResolvers<void>();
    this.#confirmed = confirmed.promise;
    try {
      await change;
      await this.#sink.write({ notification: undefined, ready: true });
    } finally {
      this.#confirmed = undefined;
      confirmed.resolve();
    }
  }

  async #sendLater(message: Uint8Array): Promise<void> {
    await this.#confirmed;
    await this.#send(message);
  }

  #send(message: Uint8Array): Promise<void> | undefined {
    const { processId: pid, channel, payload } = decodeNotification(message);
    return this.#sink.write({ notification: { pid, channel, payload }, ready: false });
  }
}

/** Whether nothing is wrong but that somebody else has to be asked. */
function hasStopped({ code }: PoolerError): boolean {
  return code === PoolerErrorCode.NotServing || code === PoolerErrorCode.NotOpen;
}

export function encodeNotificationStreamResponse(message: NotificationStreamResponse): Uint8Array {
  return NotificationStreamResponse.encode(message).finish();
}
