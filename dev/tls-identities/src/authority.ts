import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { signCertificate } from "./certificate.ts";

/** A certificate and its key, as PEM texts. */
export interface PemIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What to certify. */
export interface IssueOptions {
  /** The common name. Default: the first of `names`, or "localhost". */
  readonly commonName?: string | undefined;
  /** Host names and IPv4 addresses. Default: "localhost" and 127.0.0.1. */
  readonly names?: readonly string[] | undefined;
  /** Default: yesterday. */
  readonly notBefore?: Date | undefined;
  /** Default: in a year. */
  readonly notAfter?: Date | undefined;
}

const DAY_MS = 86_400_000;
const LOCALHOST: readonly string[] = ["localhost", "127.0.0.1"];

/** A certificate authority with a key of its own, trusted by nobody but the test that made it. */
export class Authority {
  /** Its own certificate, as PEM. */
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name = "authority of a test") {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = name;
    this.#key = privateKey;
    this.cert = this.#sign(publicKey, { commonName: name, names: [] }, true);
  }

  /** Certifies a new key. */
  issue(options: IssueOptions = {}): PemIdentity {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      cert: this.#sign(publicKey, options, false),
      key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    };
  }

  #sign(publicKey: KeyObject, options: IssueOptions, isAuthority: boolean): string {
    const { names = LOCALHOST } = options;
    const now = Date.now();
    return signCertificate(
      {
        subject: options.commonName ?? names[0] ?? "localhost",
        issuer: this.#name,
        publicKey: publicKey.export({ format: "der", type: "spki" }),
        notBefore: options.notBefore ?? new Date(now - DAY_MS),
        notAfter: options.notAfter ?? new Date(now + 365 * DAY_MS),
        isAuthority,
        names,
      },
      this.#key,
    );
  }
}
