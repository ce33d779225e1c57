import * as z from "zod";
import type { PoolerService } from "@multipooler/manager";
import type { Kind } from "./setting.ts";

/** The services of gRPC by the names that Multigres' launch lines have for them. */
const SERVICES: ReadonlyMap<string, PoolerService> = new Map([
  ["grpc-pooler", "query"],
  ["grpc-poolermanager", "manager"],
  ["grpc-consensus", "consensus"],
]);

/**
 * Which services gRPC does not offer, from a list of names: all are on, a name with a dash before it
 * turns one off, and without one on again. Names that mean nothing here are ignored: launch lines
 * of Multigres list services that are not built.
 */
export const serviceMap: Kind<ReadonlySet<PoolerService>> = {
  placeholder: "list",
  isList: true,
  schema: z.string().transform((text) => {
    const withheld = new Set<PoolerService>();
    for (const entry of text.split(",").map((part) => part.trim())) {
      const isOff = entry.startsWith("-");
      const service = SERVICES.get(isOff ? entry.slice(1) : entry);
      if (service !== undefined && isOff) {
        withheld.add(service);
      } else if (service !== undefined) {
        withheld.delete(service);
      }
    }
    return withheld;
  }),
};
