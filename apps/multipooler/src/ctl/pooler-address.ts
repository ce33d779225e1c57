import { ConfigError } from "../settings/config.ts";

const HIGHEST_PORT = 65_535;

/**
 * Where a pooler's gRPC server is: `unix:` with the path of its socket, or `host:port`, with the default
 * port where it has none. An IPv6 address with a port is in brackets.
 *
 * @throws ConfigError that says what an address is
 */
export function poolerAddress(address: string, defaultPort: string): string {
  if (/^unix:\/./.test(address)) {
    return address;
  }
  const port = Number(/^(?:[^:]*|\[.*\]):([^:\]]*)$/.exec(address)?.[1] ?? defaultPort);
  if (!Number.isInteger(port) || port < 1 || port > HIGHEST_PORT || /[/\s]/.test(address)) {
    throw new ConfigError([
      `${JSON.stringify(address)} is no address of a pooler; it must be host:port, such as 127.0.0.1:${defaultPort}, or unix:/path/of/a/socket`,
    ]);
  }
  if (/^\[.*\]$/.test(address) || !address.includes(":")) {
    return `${address}:${defaultPort}`;
  }
  const isBareIpv6 = !address.startsWith("[") && address.split(":").length > 2;
  return isBareIpv6 ? `[${address}]:${defaultPort}` : address;
}
