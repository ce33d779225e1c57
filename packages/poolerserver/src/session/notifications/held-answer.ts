import { HEADER_BYTES } from "@multipooler/pgwire";
import { decodeCommandTag } from "@multipooler/query-service";
import { notifiedChannel } from "./notification-filter.ts";

const COMMAND_COMPLETE = 0x43;
const ERROR_RESPONSE = 0x45;

/** The whole answer to a unit, which the client does not get yet. */
export class HeldAnswer {
  readonly #pieces: Uint8Array[] = [];
  byteLength = 0;

  /** Takes the next bytes, in a view that may be written to again. */
  add(bytes: Uint8Array): void {
    this.#pieces.push(Uint8Array.from(bytes));
    this.byteLength += bytes.length;
  }

  /** The tags of LISTEN and UNLISTEN in it; none if it has an error, which takes them back. */
  get channelTags(): readonly string[] {
    const messages = this.#messages;
    return messages.some((message) => message[0] === ERROR_RESPONSE)
      ? []
      : messages
          .filter((message) => message[0] === COMMAND_COMPLETE)
          .map((message) => decodeCommandTag(message))
          .filter((tag) => tag === "LISTEN" || tag === "UNLISTEN");
  }

  /**
   * The answer, with `notifications` ahead of its ReadyForQuery. Those that the backend itself has sent
   * are left out where `isLeftOut` says so of their channel.
   */
  withNotifications(
    notifications: readonly Uint8Array[],
    isLeftOut: (channel: string) => boolean,
  ): Buffer {
    const own = this.#messages.filter((message) => {
      const channel = notifiedChannel(message);
      return channel === undefined || !isLeftOut(channel);
    });
    const ready = own.pop();
    return Buffer.concat([...own, ...notifications, ...(ready === undefined ? [] : [ready])]);
  }

  get #messages(): Buffer[] {
    const bytes = Buffer.concat(this.#pieces);
    const messages: Buffer[] = [];
    let start = 0;
    while (start + HEADER_BYTES <= bytes.length) {
      const end = start + 1 + bytes.readInt32BE(start + 1);
      messages.push(bytes.subarray(start, end));
      start = end;
    }
    return messages;
  }
}
