import { bodyOf, messageOf, zeroTerminated } from "./message-body.ts";

const NOTIFICATION_RESPONSE = 0x41;

/** What NOTIFY sends. */
export interface Notification {
  /** The PID of the server process that sent it. */
  readonly processId: number;
  readonly channel: string;
  readonly payload: string;
}

/** A NotificationResponse message, for a `NotificationSink`. */
export function encodeNotification({ processId, channel, payload }: Notification): Uint8Array {
  const pid = Buffer.alloc(4);
  pid.writeInt32BE(processId);
  const body = Buffer.concat([pid, zeroTerminated(channel), zeroTerminated(payload)]);
  return messageOf(NOTIFICATION_RESPONSE, body);
}

/**
 * What a NotificationResponse message says.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeNotification(bytes: Uint8Array): Notification {
  const body = bodyOf(bytes, NOTIFICATION_RESPONSE, "NotificationResponse");
  const processId = body.int32();
  const channel = body.string();
  const payload = body.string();
  body.end();
  return { processId, channel, payload };
}
