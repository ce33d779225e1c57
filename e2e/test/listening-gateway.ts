import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { NotificationStreamInput, PoolerClient } from "@multipooler/grpc-services/client";
import { PassThrough } from "node:stream";

/** One client's stream of notifications, as a gateway uses it. */
export class ListeningGateway {
  readonly #requests = new PassThrough({ objectMode: true });
  readonly #caller = new AbortController();
  /** "OK", or the status and the message that the stream ended with. */
  readonly ended: Promise<string>;
  readonly #notifications: string[] = [];
  #confirmations = 0;
  #came = Promise.withResolvers<void>();

  constructor(client: PoolerClient) {
    const { signal } = this.#caller;
    this.ended = this.#read(client.notificationStream(this.#requests, { signal }));
  }

  write(request: NotificationStreamInput): void {
    this.#requests.write(request);
  }

  /** Sends no more requests. */
  end(): void {
    this.#requests.end();
  }

  cancel(): void {
    this.#caller.abort();
  }

  /** Sends a request and waits until it is confirmed. */
  async ask(request: NotificationStreamInput): Promise<void> {
    this.write(request);
    await this.#until(() => this.#confirmations > 0);
    this.#confirmations -= 1;
  }

  /** The next notifications, each with its channel. */
  async take(count: number): Promise<string[]> {
    await this.#until(() => this.#notifications.length >= count);
    return this.#notifications.splice(0, count);
  }

  async #until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      const end = await Promise.race([this.#came.promise, this.ended]);
      if (end !== undefined) {
        throw new Error(`the stream has ended: ${end}`);
      }
    }
  }

  async #read(stream: ReturnType<PoolerClient["notificationStream"]>): Promise<string> {
    try {
      for await (const { notification, ready } of stream) {
        if (ready) {
          this.#confirmations += 1;
        } else if (notification !== undefined) {
          this.#notifications.push(`${notification.channel} ${notification.payload}`);
        }
        this.#came.resolve();
        this.#came = Promise.withResolvers();
      }
      return "OK";
    } catch (error) {
      if (error instanceof GrpcStatusError) {
        return `${error.code} ${error.message}`.replace(/^CANCELLED .*/, "CANCELLED");
      }
      throw error;
    }
  }
}
