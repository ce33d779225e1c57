import type { Socket } from "node:net";
import { isIP } from "node:net";
import { checkServerIdentity, connect, createSecureContext } from "node:tls";
import type { ConnectionOptions, SecureContext, TLSSocket } from "node:tls";
import { onAbort } from "@multipooler/timing";
import { TlsError, TlsErrorCode, tlsFault } from "./error.ts";
import { checkTlsDemands, verifiesChain } from "./tls-settings.ts";
import type { TlsSettings } from "./tls-settings.ts";

/** PostgreSQL's name in TLS (ALPN). */
export const ALPN_NAME = "postgresql";

/** What a connection is encrypted with, and to whom. */
export interface EncryptOptions {
  readonly tls: TlsSettings;
  /** The host that was connected to, as a name or an IP address. */
  readonly host: string;
  readonly signal?: AbortSignal | undefined;
}

/** Parsing the authorities of a system takes milliseconds; settings are the same object until they change. */
const contexts = new WeakMap<TlsSettings, SecureContext>();

/**
 * Begins TLS on a socket. Rejects with CERTIFICATE_REJECTED, HANDSHAKE_FAILED or the signal's reason;
 * the caller destroys the socket then.
 */
export async function handshake(
  socket: Socket,
  { tls, host, signal }: EncryptOptions,
): Promise<TLSSocket> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // What breaks the socket below ends the one above; the event must find a listener all the same.
  socket.on("error", () => undefined);
  const secure = connect({ socket, ...clientOptions(tls, tls.serverName ?? host) });
  const onError = (error: Error): void => reject(describe(error, tls));
  const onClose = (): void => reject(failed(tls, "the server closed the connection", undefined));
  secure.once("secureConnect", resolve);
  secure.on("error", onError);
  secure.once("close", onClose);
  const stopListening = onAbort(signal, ({ reason }) => reject(reason));
  try {
    await promise;
    requireProtocol(secure, tls);
    return secure;
  } catch (error) {
    // An error that comes later must find a listener.
    secure.on("error", () => undefined);
    secure.destroy();
    throw error;
  } finally {
    stopListening();
    secure.off("error", onError);
    secure.off("close", onClose);
  }
}

function clientOptions(tls: TlsSettings, name: string): ConnectionOptions {
  return {
    secureContext: contextOf(tls),
    // An address is no server name (RFC 6066, section 3).
    servername: isIP(name) === 0 ? name : "",
    ALPNProtocols: [ALPN_NAME],
    rejectUnauthorized: verifiesChain(tls),
    checkServerIdentity: (_host, certificate) =>
      tls.mode === "verify-full" ? checkServerIdentity(name, certificate) : undefined,
  };
}

function contextOf(tls: TlsSettings): SecureContext {
  const known = contexts.get(tls);
  if (known !== undefined) {
    return known;
  }
  const { ca, certificate, key } = tls;
  checkTlsDemands({
    ...tls,
    authorities: ca === undefined ? "none" : "given",
    hasCertificate: certificate !== undefined,
    hasKey: key !== undefined,
  });
  const context = createSecureContext({
    minVersion: "TLSv1.2",
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  });
  contexts.set(tls, context);
  return context;
}

/** Without it a server of another protocol could be made to take this for its own. */
function requireProtocol(secure: TLSSocket, tls: TlsSettings): void {
  if (tls.negotiation === "direct" && secure.alpnProtocol !== ALPN_NAME) {
    const problem = "the server does not name PostgreSQL's protocol in TLS (ALPN)";
    throw failed(tls, `${problem}, as sslnegotiation "direct" needs`, undefined);
  }
}

/** What OpenSSL's and Node's codes for a certificate that is not accepted mean to an operator. */
const REJECTIONS: ReadonlyMap<unknown, string> = new Map([
  ["CERT_HAS_EXPIRED", "it has expired"],
  ["CERT_NOT_YET_VALID", "it is not valid yet"],
  ["CERT_REVOKED", "it was revoked"],
  ["CERT_SIGNATURE_FAILURE", "its signature is wrong"],
  ["CERT_UNTRUSTED", "its authority is not trusted"],
  ["CERT_REJECTED", "its authority is not trusted for servers"],
  ["INVALID_PURPOSE", "it is not meant for a server"],
  ["INVALID_CA", "it was signed by what is no authority"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "it is self-signed and not among the authorities of sslrootcert"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its authority is not among those of sslrootcert"],
  ["UNABLE_TO_GET_ISSUER_CERT", "its authority is not among those of sslrootcert"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its authority is not among those of sslrootcert"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its authority is not among those of sslrootcert"],
]);

function describe(error: Error, tls: TlsSettings): TlsError {
  const code = "code" in error ? error.code : undefined;
  const problem = code === "ERR_TLS_CERT_ALTNAME_INVALID" ? wrongName(error) : REJECTIONS.get(code);
  if (problem !== undefined) {
    return new TlsError(
      TlsErrorCode.CertificateRejected,
      `the server's certificate is not accepted (sslmode "${tls.mode}"): ${problem}`,
      { cause: error },
    );
  }
  return failed(tls, tlsFault(error) ?? error.message, error);
}

function wrongName(error: Error): string {
  const reason = "reason" in error && typeof error.reason === "string" ? error.reason : "";
  return `it is for another server. ${reason}`.trim();
}

function failed(tls: TlsSettings, why: string, cause: Error | undefined): TlsError {
  return new TlsError(
    TlsErrorCode.HandshakeFailed,
    `the TLS handshake failed (sslmode "${tls.mode}"): ${why}`,
    cause === undefined ? undefined : { cause },
  );
}
