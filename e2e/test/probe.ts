import type { PoolerProcess } from "@multipooler/pooler-process";

/** What `/ready` answers now. */
export async function probe(pooler: PoolerProcess): Promise<unknown> {
  const response = await fetch(`${await pooler.http()}/ready`);
  return response.json();
}
