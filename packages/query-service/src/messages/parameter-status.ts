import { bodyOf, messageOf, zeroTerminated } from "./message-body.ts";

const PARAMETER_STATUS = 0x53;

/** A setting that the server reports. */
export interface ParameterStatus {
  readonly name: string;
  readonly value: string;
}

/** A ParameterStatus message, for a `parameterStatus` event. */
export function encodeParameterStatus({ name, value }: ParameterStatus): Uint8Array {
  return messageOf(PARAMETER_STATUS, Buffer.concat([zeroTerminated(name), zeroTerminated(value)]));
}

/**
 * The setting that a `parameterStatus` event reports.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeParameterStatus(bytes: Uint8Array): ParameterStatus {
  const body = bodyOf(bytes, PARAMETER_STATUS, "ParameterStatus");
  const name = body.string();
  const value = body.string();
  body.end();
  return { name, value };
}
