import { isIPv6 } from "node:net";
import type { DatabaseAddress } from "@multipooler/controller-api";

/** `host:port`, with brackets around an IPv6 address, so that it can be dialled as it is. */
export function hostAndPort(host: string, port: number | string): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** An address as people write it: the path of a socket, or `host:port`. */
export function describeAddress(address: DatabaseAddress): string {
  switch (address.type) {
    case "socket":
      return address.path;
    case "tcp":
      return hostAndPort(address.host, address.port);
  }
}
