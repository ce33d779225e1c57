import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Logger } from "@multipooler/logging";
import type { Clock } from "@multipooler/timing";
import { PgwireServicesError, PgwireServicesErrorCode } from "../error.ts";
import type { TlsIdentity } from "../login/login-dialogue.ts";

/** Paths of PEM files. */
export interface TlsFilePaths {
  /** The certificate, and those that lead from it to one that clients know. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsFilesOptions {
  readonly paths: TlsFilePaths;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long it is taken for granted that the files are the same. */
const RECHECK_MS = 1000;

/**
 * The certificate and the key in two files. When they are replaced, the next connection gets the new
 * ones; if those cannot be used, the log says so and the old ones stay.
 */
export class TlsFiles {
  readonly #options: TlsFilesOptions;
  #identity: TlsIdentity;
  #version: string;
  #checkedAt: number;

  /** @throws TLS_FILES_INVALID, naming the files and the fault */
  constructor(options: TlsFilesOptions) {
    this.#options = options;
    this.#version = versionOf(options.paths);
    this.#checkedAt = options.clock.monotonic();
    this.#identity = load(options.paths);
  }

  /** Reads the files now. @throws TLS_FILES_INVALID; the former ones stay in use then */
  reload(): void {
    const { paths, clock } = this.#options;
    this.#version = versionOf(paths);
    this.#checkedAt = clock.monotonic();
    this.#identity = load(paths);
  }

  get identity(): TlsIdentity {
    const { clock, paths, logger } = this.#options;
    const now = clock.monotonic();
    if (now - this.#checkedAt >= RECHECK_MS) {
      this.#checkedAt = now;
      const version = versionOf(paths);
      if (version !== this.#version) {
        this.#version = version;
        try {
          this.#identity = load(paths);
          logger.info({ ...paths }, "the certificate for clients was replaced");
        } catch (err) {
          logger.error({ ...paths, err }, "the new certificate for clients cannot be used");
        }
      }
    }
    return this.#identity;
  }
}

/** Differs when one of the files was written or put in place. */
function versionOf({ certFile, keyFile }: TlsFilePaths): string {
  return [certFile, keyFile]
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false });
      return stats === undefined ? "none" : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
    })
    .join(", ");
}

function load({ certFile, keyFile }: TlsFilePaths): TlsIdentity {
  try {
    const cert = readFileSync(certFile);
    const context = createSecureContext({
      cert,
      key: readFileSync(keyFile),
      minVersion: "TLSv1.2",
    });
    return { context, certificateHash: certificateHash(new X509Certificate(cert)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PgwireServicesError(
      PgwireServicesErrorCode.TlsFilesInvalid,
      `the certificate ${certFile} with the key ${keyFile} cannot be used: ${why}`,
      { cause },
    );
  }
}

/**
 * What a client binds its proof to (RFC 5929, tls-server-end-point): the hash of the certificate by
 * the algorithm of its signature, where that names one; SHA-256 in place of older ones.
 */
function certificateHash({ raw, signatureAlgorithm }: X509Certificate): Buffer | undefined {
  const name = /(md5|sha(?:1|224|256|384|512))/i.exec(signatureAlgorithm ?? "")?.[1]?.toLowerCase();
  if (name === undefined) {
    return undefined;
  }
  const algorithm = name === "md5" || name === "sha1" ? "sha256" : name;
  return createHash(algorithm).update(raw).digest();
}
