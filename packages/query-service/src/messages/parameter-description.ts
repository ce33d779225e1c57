import { bodyOf, MalformedMessageError, messageOf } from "./message-body.ts";

const PARAMETER_DESCRIPTION = 0x74;
const OID_BYTES = 4;

/** A ParameterDescription message of at most 65,535 parameters. */
export function encodeParameterTypes(oids: readonly number[]): Uint8Array {
  const body = Buffer.alloc(2 + OID_BYTES * oids.length);
  body.writeUInt16BE(oids.length);
  for (const [index, oid] of oids.entries()) {
    body.writeUInt32BE(oid, 2 + OID_BYTES * index);
  }
  return messageOf(PARAMETER_DESCRIPTION, body);
}

/**
 * The OIDs of the parameters that a ParameterDescription message tells.
 *
 * @throws {@link MalformedMessageError}
 */
export function decodeParameterTypes(bytes: Uint8Array): number[] {
  const body = bodyOf(bytes, PARAMETER_DESCRIPTION, "ParameterDescription");
  const count = body.uint16();
  if (count * OID_BYTES > body.remaining) {
    throw new MalformedMessageError(
      `ParameterDescription announces ${count} parameters that it does not hold`,
    );
  }
  const oids = Array.from({ length: count }, () => body.uint32());
  body.end();
  return oids;
}
