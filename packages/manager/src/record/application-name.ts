import type { PoolerIdentity } from "./pooler-type.ts";

/** PostgreSQL cuts a longer `application_name`. */
export const MAX_APPLICATION_NAME_BYTES = 63;

/** What the pooler calls itself inside PostgreSQL: `<cell>_<name>`. */
export function applicationName({ cell, name }: PoolerIdentity): string {
  return `${cell}_${name}`;
}

/** Whether a text can be one of the two parts, which are segments of a key in the topology too. */
export function isNamePart(text: string): boolean {
  return /^[^_/\s\p{Cc}]+$/u.test(text) && text !== "." && text !== "..";
}

/** The pooler with an application name; `undefined` where it is not one of a pooler. */
export function poolerCalled(name: string): PoolerIdentity | undefined {
  const [cell, poolerName, ...rest] = name.split("_");
  if (cell === undefined || poolerName === undefined || rest.length > 0) {
    return undefined;
  }
  return isNamePart(cell) && isNamePart(poolerName) ? { cell, name: poolerName } : undefined;
}
