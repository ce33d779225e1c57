import { setTimeout as elapsed } from "node:timers/promises";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { Chance } from "./chance.ts";
import type { ErrorCounts } from "./error-counts.ts";
import { Hang } from "./failure.ts";
import type { Ledger } from "./ledger.ts";
import type { SoakOptions } from "./options.ts";
import type { Outages } from "./outages.ts";
import type { Stand } from "./stand.ts";
import { Visit } from "./visit.ts";
import { visitorAt } from "./visitors/visitors.ts";

/** No visit takes longer, an outage of PostgreSQL included. */
const VISIT_LIMIT_MS = 120_000;
const LONGEST_ABSENCE_MS = 200;
/** Clients of gRPC share a connection for so many calls at most. */
const CALLERS = 3;

export interface CrowdOptions extends Pick<SoakOptions, "clients" | "seed"> {
  readonly stand: Stand;
  readonly ledger: Ledger;
  readonly errors: ErrorCounts;
  readonly outages: Outages;
}

/** Clients that come and go until it is enough. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #chance: Chance;
  readonly #visits = new Map<string, number>();

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
  }

  /** How often which kind of client was there. */
  get visits(): ReadonlyMap<string, number> {
    return this.#visits;
  }

  /** Resolves when the signal has aborted and the last client has left. */
  async run(signal: AbortSignal): Promise<void> {
    using callers = new DisposableStack();
    const channels = Array.from({ length: CALLERS }, () =>
      callers.use(connect({ address: this.#options.stand.grpcAddress })),
    );
    await Promise.all(
      Array.from({ length: this.#options.clients }, async (_, index) => {
        await this.#comeAndGo(index, channels, signal);
      }),
    );
  }

  async #comeAndGo(
    index: number,
    channels: readonly PoolerClient[],
    signal: AbortSignal,
  ): Promise<void> {
    const [first] = channels;
    const caller = channels[index % channels.length] ?? first;
    if (caller === undefined) {
      throw new Error("there is no channel to call over");
    }
    for (let count = 0; !signal.aborted; count += 1) {
      await this.#visit(`c${index}_${count}`, caller);
      await elapsed(this.#chance.below(LONGEST_ABSENCE_MS));
    }
  }

  async #visit(client: string, caller: PoolerClient): Promise<void> {
    const { ledger, errors, outages, stand } = this.#options;
    const visitor = visitorAt(this.#chance.below(1));
    const since = performance.now();
    using visit = new Visit({
      client,
      address: stand.address,
      caller,
      chance: new Chance(this.#chance.between(0, 0x7fff_ffff)),
      ledger,
    });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const limit = setTimeout(() => {
      reject(new Hang(`${visitor.name} was not through after ${VISIT_LIMIT_MS} ms`));
    }, VISIT_LIMIT_MS);
    try {
      await Promise.race([visitor(visit), late]);
    } catch (error) {
      const weather = outages.weatherSince(since);
      errors.note(error, { client: `${visitor.name} ${client}`, weather });
    } finally {
      clearTimeout(limit);
    }
    this.#visits.set(visitor.name, (this.#visits.get(visitor.name) ?? 0) + 1);
  }
}
