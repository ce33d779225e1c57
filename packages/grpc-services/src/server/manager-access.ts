import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Http2Session, IncomingHttpHeaders } from "node:http2";
import { Code } from "@multipooler/proto/mtrpc";
import { systemClock } from "@multipooler/timing";
import { WatchedFiles } from "@multipooler/tls";
import type { FileSource } from "@multipooler/tls";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { plainStatus } from "../errors/rpc-status.ts";
import type { RpcStatus } from "../errors/rpc-status.ts";
import type { Logger } from "../logger.ts";
import { AllowedSubjects } from "./connection/allowed-subjects.ts";

/** Who may call the services that manage the pooler: clients that prove one of these. */
export interface ManagerAccessOptions {
  /**
   * A file with a token a line, of at least 16 characters; read again when it is replaced. A client
   * sends one of them as `authorization: Bearer <token>`.
   */
  readonly tokenFile?: string | undefined;
  /** Parts of the subject of a client's certificate, as `GrpcTlsOptions.allowedSubjects`. */
  readonly allowedSubjects?: readonly string[] | undefined;
}

const MIN_TOKEN_LENGTH = 16;
const MAX_TOKENS = 100;

/** Decides which clients may call the services that manage the pooler. */
export class ManagerAccess {
  readonly #tokens: WatchedFiles<readonly Buffer[]> | undefined;
  readonly #subjects: AllowedSubjects | undefined;
  readonly #logger: Logger;

  /** Reads the file. @throws TOKENS_INVALID for one that cannot be used, naming it and not what it holds */
  constructor({ tokenFile, allowedSubjects }: ManagerAccessOptions, logger: Logger) {
    this.#logger = logger;
    this.#subjects = allowedSubjects && new AllowedSubjects(allowedSubjects);
    this.#tokens =
      tokenFile === undefined
        ? undefined
        : new WatchedFiles({
            what: "token of the manager service",
            source: sourceOf(tokenFile),
            clock: systemClock,
            logger,
          });
  }

  /**
   * Reads the file, or another one if there was one before. Returns what makes its tokens good.
   *
   * @throws TOKENS_INVALID; then nothing has changed
   */
  prepare(tokenFile: string | undefined): () => void {
    return (
      this.#tokens?.prepare(tokenFile === undefined ? undefined : sourceOf(tokenFile)) ?? NOTHING
    );
  }

  /** Why the client of a connection may not make a call; `undefined`: it may. */
  refusalOf(session: Http2Session, headers: IncomingHttpHeaders): RpcStatus | undefined {
    if (this.#subjects?.has(session) === true || this.#hasToken(headers.authorization)) {
      return undefined;
    }
    const wanted = [
      ...(this.#tokens === undefined ? [] : ["a token"]),
      ...(this.#subjects === undefined ? [] : ["a certificate that is allowed"]),
    ].join(" or ");
    const isGiven = headers.authorization !== undefined;
    const given = isGiven ? "the token is wrong" : "there is none";
    this.#logger.warn({ given }, "a client may not manage the pooler");
    return plainStatus(Code.UNAUTHENTICATED, `this service asks for ${wanted}: ${given}`);
  }

  #hasToken(authorization: string | undefined): boolean {
    const [, given] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (given === undefined || this.#tokens === undefined) {
      return false;
    }
    // Each is compared, and hashes are of one length: the time tells nothing about a token.
    const hash = hashOf(given);
    let isFound = false;
    for (const token of this.#tokens.current) {
      isFound = timingSafeEqual(token, hash) || isFound;
    }
    return isFound;
  }
}

const NOTHING = (): void => undefined;

function sourceOf(tokenFile: string): FileSource<readonly Buffer[]> {
  return { files: { tokenFile }, load: () => readTokens(tokenFile) };
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Reads a file of tokens as a server does. @throws TOKENS_INVALID */
export function checkManagerTokens(file: string): void {
  readTokens(file);
}

function readTokens(file: string): Buffer[] {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`cannot read the tokens of the manager service: ${why}`, cause);
  }
  const tokens = content
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const isGood = (token: string): boolean =>
    token.length >= MIN_TOKEN_LENGTH && /^[!-~]+$/.test(token);
  if (tokens.length === 0 || tokens.length > MAX_TOKENS || !tokens.every(isGood)) {
    throw invalid(
      `${file} must hold from 1 to ${MAX_TOKENS} tokens, one a line, each of at least ` +
        `${MIN_TOKEN_LENGTH} characters without blanks`,
    );
  }
  return tokens.map(hashOf);
}

function invalid(message: string, cause?: unknown): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.TokensInvalid, message, { cause });
}
