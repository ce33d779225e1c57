/**
 * Why TLS failed. Closed: callers switch on it.
 *
 * | code                 | meaning                                                                |
 * | -------------------- | ---------------------------------------------------------------------- |
 * | INVALID_SETTINGS     | settings that contradict each other, or lack what the mode needs       |
 * | FILES_INVALID        | a file of certificates or a key cannot be read or used; it is named    |
 * | REFUSED              | the server does not offer TLS, and the mode asks for it                |
 * | CERTIFICATE_REJECTED | the server's certificate is not trusted, out of date or for another name |
 * | HANDSHAKE_FAILED     | the peers did not agree on TLS, or the peer went away in between       |
 * | PROTOCOL_VIOLATION   | the peer answered with what is no answer, or sent bytes ahead of TLS   |
 */
export const TlsErrorCode = {
  InvalidSettings: "INVALID_SETTINGS",
  FilesInvalid: "FILES_INVALID",
  Refused: "REFUSED",
  CertificateRejected: "CERTIFICATE_REJECTED",
  HandshakeFailed: "HANDSHAKE_FAILED",
  ProtocolViolation: "PROTOCOL_VIOLATION",
} as const;
export type TlsErrorCode = (typeof TlsErrorCode)[keyof typeof TlsErrorCode];

/** The error of this package. Its message is one line for people. */
export class TlsError extends Error {
  override readonly name = "TlsError";
  readonly code: TlsErrorCode;

  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What OpenSSL says of a fault of TLS, e.g. "tlsv1 alert unknown ca"; `undefined` for an error that is
 * none of TLS.
 */
export function tlsFault(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return undefined;
  }
  if (!error.code.startsWith("ERR_SSL_") && error.code !== "EPROTO") {
    return undefined;
  }
  return "reason" in error && typeof error.reason === "string" ? error.reason : error.code;
}
