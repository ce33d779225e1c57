import { readFileSync } from "node:fs";
import type { EtcdCredentials, EtcdTlsFiles } from "@multipooler/topo/etcd";
import { fileFault } from "./file-fault.ts";
import { readSecretFile } from "./secret-file.ts";
import type { SettingValues } from "./settings/setting.ts";
import { topologySettings } from "./settings/topology-settings.ts";

/** An etcd cluster and how to reach it. */
export interface EtcdServer {
  readonly type: "etcd";
  readonly addresses: readonly string[];
  readonly tls: EtcdTlsFiles | undefined;
  readonly credentials: EtcdCredentials | undefined;
}

type EtcdConfig = SettingValues<typeof topologySettings>;

/** Settings that only apply to etcd. */
const ETCD_SETTINGS = [
  "topoEtcdTlsCa",
  "topoEtcdTlsCert",
  "topoEtcdTlsKey",
  "topoEtcdUsername",
  "topoEtcdPassword",
  "topoEtcdPasswordFile",
] as const satisfies readonly (keyof EtcdConfig)[];

/** Reports each etcd setting that was given although the store is not etcd. */
export function refuseEtcdSettings(config: EtcdConfig, type: string, problems: string[]): void {
  for (const key of ETCD_SETTINGS.filter((name) => config[name] !== undefined)) {
    problems.push(
      `--${topologySettings[key].flag}: is for etcd, and the topology is kept in ${type}`,
    );
  }
}

/** Builds the etcd configuration; adds what is wrong with the settings to `problems`. */
export function etcdServer(config: EtcdConfig, problems: string[]): EtcdServer {
  return {
    type: "etcd",
    addresses: endpoints(config.topoGlobalServerAddresses, problems),
    tls: tlsFiles(config, problems),
    credentials: credentials(config, problems),
  };
}

/** True for host:port with an optional scheme; an IPv6 address needs brackets. */
export function isHost(text: string): boolean {
  return /^(?:https?:\/\/)?(?:[^\s/:,[\]]+|\[[\da-f:.]+\]):\d{1,5}$/i.test(text);
}

function endpoints(list: string | undefined, problems: string[]): readonly string[] {
  if (list === undefined) {
    problems.push("--topo-global-server-addresses: etcd needs its endpoints, e.g. 127.0.0.1:2379");
    return [];
  }
  const addresses = list.split(",").map((address) => address.trim());
  for (const address of addresses.filter((candidate) => !isHost(candidate))) {
    problems.push(`--topo-global-server-addresses: ${JSON.stringify(address)} is not host:port`);
  }
  return addresses;
}

function tlsFiles(config: EtcdConfig, problems: string[]): EtcdTlsFiles | undefined {
  const { topoEtcdTlsCa: caFile, topoEtcdTlsCert: certFile, topoEtcdTlsKey: keyFile } = config;
  if (certFile === undefined && keyFile !== undefined) {
    problems.push("--topo-etcd-tls-key: needs --topo-etcd-tls-cert");
  }
  if (certFile !== undefined && keyFile === undefined) {
    problems.push("--topo-etcd-tls-cert: needs --topo-etcd-tls-key");
  }
  const files = { "tls-ca": caFile, "tls-cert": certFile, "tls-key": keyFile };
  for (const [name, file] of Object.entries(files)) {
    readable(`--topo-etcd-${name}`, file, (path) => readFileSync(path), problems);
  }
  if ([caFile, certFile, keyFile].every((file) => file === undefined)) {
    return undefined;
  }
  return { caFile, certFile, keyFile };
}

function credentials(config: EtcdConfig, problems: string[]): EtcdCredentials | undefined {
  const { topoEtcdUsername: username, topoEtcdPasswordFile: file } = config;
  const password =
    readable("--topo-etcd-password-file", file, readSecretFile, problems) ??
    config.topoEtcdPassword;
  if (username === undefined) {
    if (file !== undefined || password !== undefined) {
      problems.push("--topo-etcd-username: is missing, and there is a password for it");
    }
    return undefined;
  }
  if (file === undefined && password === undefined) {
    problems.push("--topo-etcd-password-file: is missing, and there is a user for it");
  }
  return { username, password: password ?? "" };
}

/** Reads a file, if one is configured; adds a failure to `problems`. */
function readable<T>(
  flag: string,
  file: string | undefined,
  read: (path: string) => T,
  problems: string[],
): T | undefined {
  if (file === undefined) {
    return undefined;
  }
  try {
    return read(file);
  } catch (error) {
    problems.push(`${flag}: ${file}: ${fileFault(error)}`);
    return undefined;
  }
}
