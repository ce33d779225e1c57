import { BlockList, isIP } from "node:net";
import { hostname } from "node:os";
import type { Config } from "./settings/settings.ts";
import type { TopologyTarget } from "./topology-target.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Addresses of every interface. */
const EVERY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

export interface AdvertisedHost {
  readonly host: string;
  /** Why nobody can connect there, one line; `undefined` if that is not known. */
  readonly problem: string | undefined;
}

type Bound = Pick<Config, "hostname" | "grpcBindAddress" | "grpcPort">;

/**
 * Where the record says that others find the pooler: `--hostname`, or else what gRPC is bound to. A loopback
 * address is told only where all who read the topology are on this machine; elsewhere they would find
 * themselves there.
 */
export function advertisedHost(
  { hostname: configured, grpcBindAddress: bound, grpcPort }: Bound,
  { type }: Pick<TopologyTarget["server"], "type">,
): AdvertisedHost {
  const isLocal = isLoopback(bound);
  const isShared = type === "etcd";
  const problem =
    isLocal && isShared && !isLoopback(configured ?? "")
      ? `gRPC listens on ${bound}: nobody reaches port ${grpcPort} of the host that the topology names`
      : undefined;
  if (configured !== undefined) {
    return { host: configured, problem };
  }
  const isOne = !EVERY.has(bound) && !(isLocal && isShared);
  return { host: isOne ? bound : hostname(), problem };
}

function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0
    ? host === "localhost"
    : LOOPBACK.check(host, version === 6 ? "ipv6" : "ipv4");
}
