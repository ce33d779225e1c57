import { createHash, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";
import {
  bitString,
  boolean,
  generalizedTime,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  tagged,
  utf8String,
} from "./der.ts";

/** What a certificate says. */
export interface CertificateContent {
  readonly subject: string;
  readonly issuer: string;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isAuthority: boolean;
  /** Host names and IPv4 addresses that it is for. */
  readonly names: readonly string[];
}

const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALT_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const SUBJECT_KEY = "2.5.29.14";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

const VERSION_3 = tagged(0xa0, integer(Buffer.from([2])));

/** Signs a certificate with the issuer's key, on the curve P-256. Returns it as PEM. */
export function signCertificate(content: CertificateContent, issuerKey: KeyObject): string {
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256));
  const body = sequence(
    VERSION_3,
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    nameOf(content.issuer),
    sequence(generalizedTime(content.notBefore), generalizedTime(content.notAfter)),
    nameOf(content.subject),
    content.publicKey,
    tagged(0xa3, sequence(...extensionsOf(content))),
  );
  const signature = sign("sha256", body, issuerKey);
  const der = sequence(body, algorithm, bitString(signature));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(objectId(COMMON_NAME), utf8String(commonName))));
}

function extensionsOf({ isAuthority, names, publicKey }: CertificateContent): Buffer[] {
  const keyId = createHash("sha1").update(publicKey).digest();
  const extensions = [sequence(objectId(SUBJECT_KEY), octetString(octetString(keyId)))];
  if (isAuthority) {
    const constraints = octetString(sequence(boolean(true)));
    extensions.push(sequence(objectId(BASIC_CONSTRAINTS), boolean(true), constraints));
  }
  if (names.length > 0) {
    const alternatives = octetString(sequence(...names.map(alternativeName)));
    extensions.push(sequence(objectId(SUBJECT_ALT_NAME), alternatives));
  }
  return extensions;
}

function alternativeName(name: string): Buffer {
  return isIPv4(name)
    ? tagged(0x87, Buffer.from(name.split(".").map(Number)))
    : tagged(0x82, Buffer.from(name, "latin1"));
}
