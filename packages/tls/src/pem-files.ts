import { createPrivateKey, X509Certificate } from "node:crypto";
import { TlsError, TlsErrorCode } from "./error.ts";
import { readPemFile } from "./watched-files.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM file, of which there has to be one. @throws FILES_INVALID */
export function readCertificates(file: string): string {
  return naming(file, "certificates", () => {
    const pem = readPemFile(file);
    parseCertificates(pem);
    return pem;
  });
}

/** A private key in a PEM file. @throws FILES_INVALID */
export function readKey(file: string): string {
  return naming(file, "the key", () => {
    const pem = readPemFile(file);
    createPrivateKey(pem);
    return pem;
  });
}

/** The first certificate of a PEM text: the one that is shown. Throws where there is none. */
export function firstCertificate(pem: string): X509Certificate {
  const [first] = parseCertificates(pem);
  if (first === undefined) {
    throw new Error("there is no certificate in it");
  }
  return first;
}

/** OpenSSL takes a text without certificates for an empty list, which nobody would notice. */
function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw new Error("there is no certificate in it");
  }
  return blocks.map((block) => new X509Certificate(block));
}

/** Has an error name the file. */
function naming<T>(file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new TlsError(
      TlsErrorCode.FilesInvalid,
      `${what} in ${file} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
