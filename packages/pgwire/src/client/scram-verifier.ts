import { createHmac } from "node:crypto";

/** What PostgreSQL keeps of a password in place of it (RFC 5802, section 2.2). */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
  /** No password fits: it stands in for a role that cannot log in. */
  readonly isMock: boolean;
}

const FORMAT =
  /^SCRAM-SHA-256\$([1-9][0-9]{0,9}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/;

/** PostgreSQL's default for new passwords, and the length of their salts. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;

/** Reads the text in `pg_authid.rolpassword`; `undefined` if it is none of SCRAM-SHA-256. */
export function parseScramVerifier(text: string): ScramVerifier | undefined {
  const [, iterations, salt, storedKey, serverKey] = FORMAT.exec(text) ?? [];
  if (
    iterations === undefined ||
    salt === undefined ||
    storedKey === undefined ||
    serverKey === undefined
  ) {
    return undefined;
  }
  return {
    iterations: Number(iterations),
    salt: Buffer.from(salt, "base64"),
    storedKey: Buffer.from(storedKey, "base64"),
    serverKey: Buffer.from(serverKey, "base64"),
    isMock: false,
  };
}

/**
 * A verifier for a name without a password. The exchange goes on with it as with any other and fails
 * at its end, so that clients cannot find out which roles exist. The same name gets the same salt as
 * long as `secret` is the same, as a real role would.
 */
export function mockScramVerifier(user: string, secret: Buffer): ScramVerifier {
  const derive = (purpose: string): Buffer =>
    createHmac("sha256", secret).update(`${purpose}\0${user}`).digest();
  return {
    iterations: ITERATIONS,
    salt: derive("salt").subarray(0, SALT_BYTES),
    storedKey: derive("stored key"),
    serverKey: derive("server key"),
    isMock: true,
  };
}
