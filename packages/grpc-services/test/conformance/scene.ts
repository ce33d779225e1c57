import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres, StartPostgresOptions } from "@multipooler/test-postgres";
import { afterAll, beforeAll } from "vitest";
import { ConformingPooler } from "./conforming-pooler.ts";
import type { ConformingOptions } from "./conforming-pooler.ts";
import { Gateway } from "./gateway.ts";

/** A pooler in front of a real PostgreSQL, and a gateway that calls it. */
export class Scene {
  #postgres: TestPostgres | undefined;
  #pooler: ConformingPooler | undefined;

  get postgres(): TestPostgres {
    return started(this.#postgres);
  }

  get pooler(): ConformingPooler {
    return started(this.#pooler);
  }

  get gateway(): Gateway {
    return new Gateway(this.pooler.client);
  }

  async open(
    postgres: StartPostgresOptions | undefined,
    pooler: ConformingOptions | undefined,
  ): Promise<void> {
    this.#postgres = await startPostgres({ auth: "scram-sha-256", ...postgres });
    this.#pooler = await ConformingPooler.start(this.#postgres, pooler);
  }

  async close(): Promise<void> {
    await this.#pooler?.[Symbol.asyncDispose]();
    await this.#postgres?.[Symbol.asyncDispose]();
  }
}

/** One scene for all tests of a file. */
export function useScene(
  options: { readonly postgres?: StartPostgresOptions; readonly pooler?: ConformingOptions } = {},
): Scene {
  const scene = new Scene();
  beforeAll(() => scene.open(options.postgres, options.pooler));
  afterAll(() => scene.close());
  return scene;
}

function started<Part>(part: Part | undefined): Part {
  if (part === undefined) {
    throw new Error("the scene is not open yet");
  }
  return part;
}
