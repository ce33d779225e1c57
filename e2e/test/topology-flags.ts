import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";

/** The flags of a program whose topology is in this etcd. */
export function inEtcd(etcd: EmbeddedEtcd): Record<string, string> {
  return { "topo-implementation": "etcd", "topo-global-server-addresses": etcd.address };
}

/** The flags of a program whose topology is in this file. */
export function inFile(path: string): Record<string, string> {
  return { "topo-implementation": "sqlite", "topo-global-server-addresses": path };
}

/** Flags as arguments. */
export function argumentsOf(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
}
