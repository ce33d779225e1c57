import { BlockList, isIP, isIPv6 } from "node:net";
import { hostname } from "node:os";
import type { Config } from "./settings/settings.ts";
import type { TopologyTarget } from "./topology-target.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Addresses of every interface. */
const EVERY: ReadonlySet<string> = new Set(["0.0.0.0", "::", "::ffff:0:0"]);

export interface AdvertisedHost {
  readonly host: string;
  /** Why nobody can connect there, one line; `undefined` if that is not known. */
  readonly problem: string | undefined;
}

type Bound = Pick<Config, "hostname" | "grpcBindAddress">;

/**
 * Where the record says that others find the pooler: `--hostname`, or else what gRPC is bound to. A loopback
 * address is told only where all who read the topology are on this machine; elsewhere they would find
 * themselves there.
 */
export function advertisedHost(
  { hostname: configured, grpcBindAddress: bound }: Bound,
  { type }: Pick<TopologyTarget["server"], "type">,
): AdvertisedHost {
  const isLocal = isLoopback(bound);
  const isUntold = EVERY.has(plain(bound)) || (isLocal && type === "etcd");
  const host = configured ?? (isUntold ? hostname() : bound);
  const problem =
    isLocal && !isLoopback(host)
      ? `gRPC listens on ${bound}: nobody reaches it at ${host}, which the topology names (see --hostname, --grpc-bind-address)`
      : undefined;
  return { host, problem };
}

function isLoopback(host: string): boolean {
  const address = plain(host);
  const version = isIP(address);
  return version === 0
    ? address === "localhost"
    : LOOPBACK.check(address, version === 6 ? "ipv6" : "ipv4");
}

/** One spelling for each address: the system also takes `::0`, `0` and `127.1`. */
function plain(host: string): string {
  const url = URL.parse(`http://${isIPv6(host) ? `[${host}]` : host}`);
  return url === null ? host : url.hostname.replaceAll(/[[\]]/g, "");
}
