import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import { TopoError, TopoErrorCode } from "./error.ts";

/**
 * Joins parts of a key with single slashes. A leading slash of the first part stays, for the root
 * of a store usually begins with one; no key ends with one.
 */
export function joinKey(...parts: readonly string[]): string {
  return parts
    .filter((part) => part !== "")
    .join("/")
    .replaceAll(/\/{2,}/gu, "/")
    .replace(/(?<=.)\/$/u, "");
}

/** `name` as one segment of a key; INVALID_ARGUMENT where it would be none, or several. */
export function keySegment(what: string, name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\p{Cc}]/u.test(name)) {
    throw new TopoError({
      code: TopoErrorCode.InvalidArgument,
      key: JSON.stringify(name),
      message: `not a name for a ${what}: it must not be empty, a dot path, or contain a slash or a control character`,
    });
  }
  return name;
}

/** The name of a component in keys and logs, for instance `multipooler-zone1-abcd1234`. */
export function componentId(id: ID): string {
  const component = Object.entries(ID_ComponentType).find(([, value]) => value === id.component);
  return [
    component?.[0].toLowerCase() ?? "unknown",
    keySegment("cell", id.cell),
    keySegment("component", id.name),
  ].join("-");
}

/** Compares keys as the servers sort them: by their bytes in UTF-8. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
