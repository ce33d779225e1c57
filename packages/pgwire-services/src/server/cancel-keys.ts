import { randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import type { ClientProtocol } from "@multipooler/pgwire";

/** By which a client asks, on another connection, to cancel what it runs. */
export interface CancelKey {
  readonly processId: number;
  readonly secretKey: Buffer;
}

/** What a key belongs to. */
export interface Cancellable {
  cancel(): void;
}

/** As many as PostgreSQL has: protocol 3.0 knows no longer ones. */
const KEY_BYTES: Readonly<Record<ClientProtocol, number>> = { "3.0": 4, "3.2": 32 };
const PROCESS_ID_END = 0x7fff_ffff;

/**
 * The cancel keys of all clients. The process id is random too, so that a key of protocol 3.0 is as
 * hard to guess as its 63 bits.
 */
export class CancelKeys {
  readonly #clients = new Map<
    number,
    { readonly secretKey: Buffer; readonly client: Cancellable }
  >();

  get size(): number {
    return this.#clients.size;
  }

  issue(protocol: ClientProtocol, client: Cancellable): CancelKey {
    let processId = randomInt(1, PROCESS_ID_END);
    while (this.#clients.has(processId)) {
      processId = randomInt(1, PROCESS_ID_END);
    }
    const secretKey = randomBytes(KEY_BYTES[protocol]);
    this.#clients.set(processId, { secretKey, client });
    return { processId, secretKey };
  }

  withdraw({ processId }: CancelKey): void {
    this.#clients.delete(processId);
  }

  /** Cancels what the client of this key runs. Does nothing for a key that is wrong. */
  cancel({ processId, secretKey }: CancelKey): void {
    const found = this.#clients.get(processId);
    if (
      found !== undefined &&
      found.secretKey.length === secretKey.length &&
      timingSafeEqual(found.secretKey, secretKey)
    ) {
      found.client.cancel();
    }
  }
}
