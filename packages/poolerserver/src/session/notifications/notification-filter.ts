import { HEADER_BYTES, sizeInHeader } from "@multipooler/pgwire";

const NOTIFICATION_RESPONSE = 0x41;
/** Behind the PID. */
const CHANNEL_OFFSET = HEADER_BYTES + 4;
const NOTHING: Buffer = Buffer.alloc(0);

/** The channel of a NotificationResponse; `undefined` for another message. */
export function notifiedChannel(message: Uint8Array): string | undefined {
  const end = message.indexOf(0, CHANNEL_OFFSET);
  return message[0] === NOTIFICATION_RESPONSE && end !== -1
    ? Buffer.from(message.subarray(CHANNEL_OFFSET, end)).toString()
    : undefined;
}

/** Leaves notifications of some channels out of messages that come in pieces. */
export class NotificationFilter {
  readonly #isLeftOut: (channel: string) => boolean;
  /** A header, or a notification, that is not whole. */
  #partial: Buffer = NOTHING;
  /** Bytes to come of a message that is passed on as it comes. */
  #bytesLeft = 0;

  constructor(isLeftOut: (channel: string) => boolean) {
    this.#isLeftOut = isLeftOut;
  }

  /** Returns what there is to be passed on with these bytes. */
  pass(bytes: Uint8Array): Uint8Array {
    const all = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    const passed: Uint8Array[] = [];
    let start = 0;
    let at = Math.min(this.#bytesLeft, all.length);
    this.#bytesLeft -= at;
    while (all.length - at >= HEADER_BYTES) {
      const size = sizeInHeader(all, at);
      const end = Math.min(at + size, all.length);
      const isNotification = all[at] === NOTIFICATION_RESPONSE;
      if (isNotification && end < at + size) {
        break;
      }
      if (isNotification && this.#isDropped(all.subarray(at, end))) {
        passed.push(all.subarray(start, at));
        start = end;
      }
      this.#bytesLeft = at + size - end;
      at = end;
    }
    this.#partial = Buffer.from(all.subarray(at));
    passed.push(all.subarray(start, at));
    return passed.length === 1 ? (passed[0] ?? NOTHING) : Buffer.concat(passed);
  }

  #isDropped(message: Uint8Array): boolean {
    const channel = notifiedChannel(message);
    return channel !== undefined && this.#isLeftOut(channel);
  }
}
