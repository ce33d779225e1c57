import type { CopyQuery } from "@multipooler/pgwire";
import type { CopySource } from "@multipooler/query-service";

/** What takes the data of a source. */
export type CopyTarget = Pick<CopyQuery, "isTaking" | "data" | "done" | "fail">;

/**
 * Hands what a source yields to a COPY, one piece at a time: the next is asked for when the server has
 * room for it.
 */
export class CopyFeed {
  readonly #source: CopySource;
  #failure: { readonly cause: unknown } | undefined;

  constructor(source: CopySource) {
    this.#source = source;
  }

  /** The error of a source that failed while the server waited for data. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure;
  }

  /** Resolves when the COPY takes no more. Never rejects. */
  async run(target: CopyTarget): Promise<void> {
    try {
      while (target.isTaking) {
        await this.#handOver(target);
      }
    } catch (cause) {
      if (target.isTaking) {
        this.#failure = { cause };
        target.fail("the source of the data failed");
      }
    }
  }

  async #handOver(target: CopyTarget): Promise<void> {
    const input = await this.#source.next();
    switch (input.type) {
      case "data":
        await target.data(input.bytes);
        return;
      case "done":
        target.done();
        return;
      case "fail":
        target.fail(input.reason);
    }
  }
}
