import { PoolerErrorCode } from "@multipooler/query-service";
import type { BackendAccess, OpenBackend } from "../src/pool/backend.ts";
import { MultiPoolerError } from "../src/error.ts";
import { FakeBackend } from "./fake-backend.ts";
import type { FakeRequest } from "./fake-backend.ts";

/** An attempt to open a session that a test answers. */
export interface FakeDial {
  readonly access: BackendAccess;
  readonly signal: AbortSignal;
  accept(): FakeBackend;
  refuse(error?: MultiPoolerError): void;
}

/** Where a pool under test dials to. Dials wait for the test, or succeed at once. */
export class FakeServer {
  readonly dials: FakeDial[] = [];
  readonly backends: FakeBackend[] = [];
  /** Whether sessions break before their first query, without anyone noticing yet. */
  opensDeadSessions = false;
  readonly #acceptsAtOnce: boolean;
  readonly #onRequest: ((request: FakeRequest) => void) | undefined;

  constructor(
    options: { acceptsAtOnce?: boolean; onRequest?: (request: FakeRequest) => void } = {},
  ) {
    this.#acceptsAtOnce = options.acceptsAtOnce ?? false;
    this.#onRequest = options.onRequest;
  }

  readonly open: OpenBackend = (access, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<FakeBackend>();
    const leave = (): void => {
      const position = this.dials.indexOf(dial);
      if (position >= 0) {
        this.dials.splice(position, 1);
      }
    };
    const dial: FakeDial = {
      access,
      signal,
      accept: () => {
        leave();
        const backend = new FakeBackend(this.#onRequest);
        if (access !== "read-write") {
          backend.parameters.set("default_transaction_read_only", "on");
        }
        this.backends.push(backend);
        backend.isBroken = this.opensDeadSessions;
        resolve(backend);
        return backend;
      },
      refuse: (error = unreachable()) => {
        leave();
        reject(error);
      },
    };
    this.dials.push(dial);
    signal.addEventListener("abort", () => dial.refuse());
    if (this.#acceptsAtOnce) {
      dial.accept();
    }
    return promise;
  };

  /** Sessions whose socket is not closed. */
  get live(): readonly FakeBackend[] {
    return this.backends.filter((backend) => !backend.hasEnded);
  }
}

/** What a dial fails with while PostgreSQL is down. */
export function unreachable(): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.PreExecutionUnavailable, "nobody listens");
}
