import type { OutputBundle } from "rolldown";

/** The modules whose code is in a bundle. */
export function bundledModules(bundle: OutputBundle): readonly string[] {
  return Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
}
