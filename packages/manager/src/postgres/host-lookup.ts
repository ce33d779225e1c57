import { lookup } from "node:dns/promises";
import net from "node:net";
import type { DatabaseAddress } from "@multipooler/controller-api";

/** Resolves with the IP addresses of a host name, best first. Rejects as `dns.lookup` does. */
export type HostLookup = (hostname: string) => Promise<readonly string[]>;

/** Asks the system, its hosts file included. */
export async function lookUpHost(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
}

/** Whether the address holds a name, which may come to mean another server. */
export function isNamed(address: DatabaseAddress): boolean {
  return address.type === "tcp" && net.isIP(address.host) === 0;
}
