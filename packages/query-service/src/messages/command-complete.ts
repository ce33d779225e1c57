import { bodyOf, messageOf, zeroTerminated } from "./message-body.ts";

const COMMAND_COMPLETE = 0x43;

/** A CommandComplete message, for a `complete` event, e.g. of the tag `SELECT 1`. */
export function encodeCommandTag(commandTag: string): Uint8Array {
  return messageOf(COMMAND_COMPLETE, zeroTerminated(commandTag));
}

/**
 * The command tag of a `complete` event.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeCommandTag(bytes: Uint8Array): string {
  const body = bodyOf(bytes, COMMAND_COMPLETE, "CommandComplete");
  const tag = body.string();
  body.end();
  return tag;
}
