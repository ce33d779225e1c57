/** `address` with the default port where it has none. An IPv6 address with a port is in brackets. */
export function withPort(address: string, defaultPort: string): string {
  if (/^\[.*\]$/.test(address) || !address.includes(":")) {
    return `${address}:${defaultPort}`;
  }
  const isBareIpv6 = !address.startsWith("[") && address.split(":").length > 2;
  return isBareIpv6 ? `[${address}]:${defaultPort}` : address;
}
