import type { Row } from "../classification/catalog-rows.ts";
import type { Backend, OpenBackend } from "../pool/backend.ts";
import { internalError } from "../postgres-error.ts";
import type { CatalogPlace } from "./catalog-place.ts";
import { catalogQuery } from "./catalog-query.ts";

export interface CatalogConnectionOptions {
  readonly openBackend: OpenBackend;
  readonly place: CatalogPlace;
}

/** Reads the catalog of one database over a connection that is open for that reading only. */
export class CatalogConnection {
  readonly #options: CatalogConnectionOptions;
  /** While it reads. */
  #backend: Backend | undefined;

  constructor(options: CatalogConnectionOptions) {
    this.#options = options;
  }

  /** Does `read`, in which {@link query} may be called. Rejects as that does, or if it cannot connect. */
  async during(read: () => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#options.place.use(async () => {
      const backend = await this.#options.openBackend("read-only", { signal });
      this.#backend = backend;
      try {
        await read();
      } finally {
        this.#backend = undefined;
        await backend.close();
      }
    }, signal);
  }

  /** See `AdminQuery`. */
  async query(
    sql: string,
    values: readonly string[],
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Row[]> {
    if (this.#backend === undefined) {
      throw internalError("the catalog was asked for outside of a reading", undefined);
    }
    return await catalogQuery(this.#backend, { sql, values }, { signal });
  }
}
