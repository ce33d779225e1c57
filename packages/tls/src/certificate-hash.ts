import { createHash } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * What a login over TLS can be bound to (RFC 5929, tls-server-end-point): the hash of the server's
 * certificate by the algorithm of its signature, SHA-256 in place of older ones. `undefined` where the
 * name of the signature says no algorithm, e.g. Ed25519.
 */
export function certificateHash({ raw, signatureAlgorithm }: X509Certificate): Buffer | undefined {
  const name = /(md5|sha(?:1|224|256|384|512))/i.exec(signatureAlgorithm ?? "")?.[1]?.toLowerCase();
  if (name === undefined) {
    return undefined;
  }
  const algorithm = name === "md5" || name === "sha1" ? "sha256" : name;
  return createHash(algorithm).update(raw).digest();
}

/** The hash of the certificate that the server of a connection showed; `undefined` without TLS. */
export function serverCertificateHash(socket: Duplex): Buffer | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return certificate === undefined ? undefined : certificateHash(certificate);
}
