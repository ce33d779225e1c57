import * as z from "zod";
import type { PoolerService } from "@multipooler/manager";
import { shownName, suggestion } from "./nearest-name.ts";
import type { Kind } from "./setting.ts";

/** The services of gRPC by the names that Multigres' launch lines have for them. */
const SERVICES: ReadonlyMap<string, PoolerService> = new Map([
  ["grpc-pooler", "query"],
  ["grpc-poolermanager", "manager"],
  ["grpc-consensus", "consensus"],
]);
/** What Multigres has beside them: not built, and so off already. */
const OFF_ANYHOW: ReadonlySet<string> = new Set(["grpc-backup"]);

/**
 * Which services gRPC does not offer, from a list of names: all are on, a name with a dash before it
 * turns one off, and without one on again. Launch lines of Multigres list services that are not built,
 * so that a name without a dash may be any. One with a dash is refused when it is unknown: a service
 * that was to be off would be on.
 */
export const serviceMap: Kind<ReadonlySet<PoolerService>> = {
  placeholder: "list",
  isList: true,
  schema: z.string().transform((text, context) => {
    const withheld = new Set<PoolerService>();
    for (const entry of text.split(",").map((part) => part.trim())) {
      const isOff = entry.startsWith("-");
      const name = isOff ? entry.slice(1) : entry;
      const service = SERVICES.get(name);
      if (service !== undefined && isOff) {
        withheld.add(service);
      } else if (service !== undefined) {
        withheld.delete(service);
      } else if (isOff && !OFF_ANYHOW.has(name)) {
        context.addIssue({ code: "custom", message: unknown(name) });
      }
    }
    return withheld;
  }),
};

function unknown(name: string): string {
  const known = [...SERVICES.keys()];
  return `turns off ${shownName(name)}, which is none of ${known.join(", ")}${suggestion(name, known)}`;
}
