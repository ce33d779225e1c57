import { ServingStatus } from "@multipooler/controller-api";
import { messageOf } from "../error-message.ts";
import type { Logger } from "../logger.ts";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { admits } from "./serving-target.ts";
import { PoolerFile } from "../record/pooler-file.ts";

/**
 * What an operator wishes the pooler to serve. It never makes it serve more than the other facts allow.
 *
 * | status         | means                                                           |
 * | -------------- | --------------------------------------------------------------- |
 * | SERVING        | nothing is held back                                            |
 * | SERVING_RDONLY | reads only                                                      |
 * | DRAINED        | nothing; in the topology the pooler is draining                 |
 * | NOT_SERVING    | nothing; in the topology the pooler does not serve              |
 */
export interface OperatorIntent {
  readonly status: ServingStatus;
  /** Why, in the operator's words, one line; may be empty. */
  readonly reason: string;
}

/** The intent as it is now. */
export interface IntentStatus extends OperatorIntent {
  /** `undefined` where nobody ever wished anything. */
  readonly since: Date | undefined;
  /** Why a restart of the pooler forgets it; `undefined` where it does not. */
  readonly forgottenBecause: string | undefined;
}

/** What holds before anybody wished anything. */
export const NO_INTENT: IntentStatus = {
  status: ServingStatus.Serving,
  reason: "",
  since: undefined,
  forgottenBecause: undefined,
};

/** Whether nothing is to be served. */
export function admitsNothing({ status }: OperatorIntent): boolean {
  return !admits(status);
}

/** How long a reason may be. */
const MAX_REASON_BYTES = 1000;

export interface IntentMemoryOptions {
  /** The pooler's directory; without one nothing is remembered. */
  readonly poolerDir: string | undefined;
  readonly poolerId: string;
  readonly logger: Logger;
}

/** Holds what the operator wishes, and remembers it on this machine over restarts. */
export class IntentMemory {
  readonly #file: PoolerFile | undefined;
  #current: IntentStatus;
  #writing: Promise<unknown> = Promise.resolve();

  constructor({ poolerDir, poolerId, logger }: IntentMemoryOptions) {
    const name = "serving-intent.json";
    const what = "the operator's wish";
    this.#file =
      poolerDir === undefined
        ? undefined
        : new PoolerFile({ directory: poolerDir, name, poolerId, what, logger });
    this.#current = {
      ...NO_INTENT,
      forgottenBecause: this.#file === undefined ? NO_DIRECTORY : undefined,
    };
  }

  get current(): IntentStatus {
    return this.#current;
  }

  /** Reads what an earlier run remembered. Rejects with RECORD_FILE_INVALID, naming the file. */
  async load(): Promise<void> {
    const content = await this.#file?.read();
    if (this.#file === undefined || content === undefined) {
      return;
    }
    if (!isIntent(content)) {
      throw this.#file.invalid("does not hold a status, a reason and a time");
    }
    const { status, reason, since } = content;
    this.#current = { status, reason, since: new Date(since), forgottenBecause: undefined };
  }

  /**
   * Holds from now on. Resolves when it is on disk, or cannot be: then `forgottenBecause` says why.
   * Rejects with INVALID_ARGUMENT, naming the field.
   */
  async set({ status, reason }: OperatorIntent, since: Date): Promise<IntentStatus> {
    checkReason(reason);
    const intent = { status, reason, since };
    const { forgottenBecause } = this.#current;
    this.#current = { ...intent, forgottenBecause };
    const file = this.#file;
    if (file === undefined) {
      return this.#current;
    }
    const writing = this.#writing.then(() => failureOf(file.write(intent)));
    this.#writing = writing;
    const written = { ...intent, forgottenBecause: await writing };
    if (this.#current.since === since) {
      this.#current = written;
    }
    return written;
  }
}

const NO_DIRECTORY = "the pooler has no directory of its own (--pooler-dir)";

function checkReason(reason: string): void {
  const bytes = Buffer.byteLength(reason);
  if (bytes > MAX_REASON_BYTES || /\p{Cc}/u.test(reason)) {
    throw new ManagerError(
      ManagerErrorCode.InvalidArgument,
      `reason: ${bytes} bytes; it must be one line of at most ${MAX_REASON_BYTES} bytes, without control characters`,
    );
  }
}

async function failureOf(work: Promise<void>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return `it could not be written: ${messageOf(error)}`;
  }
}

function isIntent(
  content: object,
): content is { readonly status: ServingStatus; readonly reason: string; readonly since: string } {
  return (
    "status" in content &&
    Object.values<unknown>(ServingStatus).includes(content.status) &&
    "reason" in content &&
    typeof content.reason === "string" &&
    "since" in content &&
    typeof content.since === "string" &&
    !Number.isNaN(Date.parse(content.since))
  );
}
