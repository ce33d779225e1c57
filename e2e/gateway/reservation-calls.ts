import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type { ClientState } from "./client-state.ts";
import { STATEMENT_TIMEOUT_MS } from "./pooler-calls.ts";

const RELEASE_TIMEOUT_MS = 5000;
const COMMIT = 1;
const ROLLBACK = 2;

/** The calls of one client that concern what is reserved for it as a whole. */
export class ReservationCalls {
  readonly #client: PoolerClient;
  readonly #state: ClientState;

  constructor(client: PoolerClient, state: ClientState) {
    this.#client = client;
    this.#state = state;
  }

  /** Ends the transaction, and resolves with the tag of what PostgreSQL did. */
  async conclude(conclusion: "commit" | "rollback", chain: boolean): Promise<string> {
    const state = this.#state;
    const { settingsBefore } = state;
    try {
      const { result, reservedState } = await this.#client.concludeTransaction(
        {
          ...state.origin(),
          conclusion: conclusion === "commit" ? COMMIT : ROLLBACK,
          chain,
          rollbackSessionSettings: { vars: Object.fromEntries(settingsBefore) },
        },
        { timeoutMs: STATEMENT_TIMEOUT_MS },
      );
      const tag = result?.commandTag ?? "";
      state.conclude({ isCommitted: tag === "COMMIT", chain });
      state.keep(reservedState);
      return tag;
    } catch (error) {
      state.conclude({ isCommitted: false, chain: false });
      state.keep(error instanceof GrpcStatusError ? error.reservedState : undefined);
      throw error;
    }
  }

  async discardTempTables(): Promise<void> {
    const { reservedState } = await this.#client.discardTempTables(this.#state.origin());
    this.#state.keep(reservedState);
  }

  /** Gives up what is reserved. */
  async release({ keepSticky }: { readonly keepSticky: boolean }): Promise<void> {
    if (this.#state.reservation === undefined) {
      return;
    }
    const { reservedState } = await this.#client.releaseReservedConnection(
      { ...this.#state.origin(), keepStickyReservations: keepSticky },
      { timeoutMs: RELEASE_TIMEOUT_MS },
    );
    this.#state.keep(reservedState);
  }
}
