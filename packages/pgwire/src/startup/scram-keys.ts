import { createHash, createHmac } from "node:crypto";

/** The mechanisms' names, without channel binding and with it. */
export const SCRAM_SHA_256 = "SCRAM-SHA-256";
export const SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS";

/** How a password is proved. */
export type ScramMechanism = typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS;

/** The only type of channel binding that PostgreSQL knows (RFC 5929). */
export const BINDING_TYPE = "tls-server-end-point";

/** The length of keys, signatures and proofs: those of SHA-256. */
export const KEY_BYTES = 32;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The bytes of a base64 text; `undefined` for one that is empty or not base64. */
export function decodeBase64(text: string): Buffer | undefined {
  return text === "" || !BASE64.test(text) ? undefined : Buffer.from(text, "base64");
}

export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The StoredKey of RFC 5802, by which a server knows a client's key without having it. */
export function storedKeyOf(clientKey: Uint8Array): Buffer {
  return createHash("sha256").update(clientKey).digest();
}

export function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));
}
