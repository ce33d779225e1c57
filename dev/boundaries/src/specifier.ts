import { isBuiltin } from "node:module";

/** What a module specifier points at. */
export type Target =
  | { readonly kind: "relative"; readonly path: string }
  | { readonly kind: "builtin" }
  /** `key` is written as in `exports`: "." or "./testing". */
  | { readonly kind: "package"; readonly name: string; readonly key: string };

/** Takes a specifier apart: "@scope/name/sub/path" is the package "@scope/name" and "./sub/path". */
export function targetOf(specifier: string): Target {
  if (specifier.startsWith(".") || specifier.startsWith("/")) {
    return { kind: "relative", path: specifier };
  }
  if (isBuiltin(specifier)) {
    return { kind: "builtin" };
  }
  const parts = specifier.split("/");
  const length = specifier.startsWith("@") ? 2 : 1;
  const rest = parts.slice(length).join("/");
  return {
    kind: "package",
    name: parts.slice(0, length).join("/"),
    key: rest === "" ? "." : `./${rest}`,
  };
}

/** Whether a package's export keys, which may hold one `*` each, offer `key`. */
export function offers(exportKeys: readonly string[], key: string): boolean {
  return exportKeys.some((exported) => {
    const [before = "", after] = exported.split("*");
    if (after === undefined) {
      return exported === key;
    }
    const shortest = before.length + after.length;
    return key.startsWith(before) && key.endsWith(after) && key.length > shortest;
  });
}
