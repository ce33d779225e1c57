import { choice, keyRoot, path, secretText, settingGroup, text } from "./setting.ts";
import type { Setting } from "./setting.ts";

const topology = settingGroup("Topology", "the topology is opened once");

/** Settings that locate the topology, for the program and for `ctl topo`. */
export const topologySettings = {
  topoImplementation: topology.optional(
    "topo-implementation",
    choice(["sqlite", "etcd", "memory"]),
    {
      help:
        "Store of the topology: a SQLite file that the processes of this machine share, etcd, or memory, " +
        "which is lost at exit. If unset: etcd if --topo-global-server-addresses names hosts, " +
        "otherwise sqlite.",
    },
  ),
  topoGlobalServerAddresses: topology.optional(
    "topo-global-server-addresses",
    { ...path, placeholder: "list|path", isList: true },
    {
      help:
        "etcd endpoints (host:port, separated by commas) or the path of the SQLite file; " +
        "if unset, the file multipooler/topology.db in $XDG_STATE_HOME or ~/.local/state.",
    },
  ),
  topoGlobalRoot: topology.required("topo-global-root", keyRoot, {
    default: "/multigres/global",
    help: "Prefix of the keys of the global topology.",
  }),
  topoCellRoot: topology.optional("topo-cell-root", keyRoot, {
    help:
      "Prefix of the keys of the cell, used when this pooler creates the record of the cell; " +
      "if unset, next to the global root, e.g. /multigres/zone1.",
  }),
  topoEtcdTlsCa: topology.optional("topo-etcd-tls-ca", path, {
    help: "CA certificates (PEM) to verify etcd with. Turns on TLS.",
  }),
  topoEtcdTlsCert: topology.optional("topo-etcd-tls-cert", path, {
    help: "Client certificate (PEM) for etcd, with --topo-etcd-tls-key. Turns on TLS.",
  }),
  topoEtcdTlsKey: topology.optional("topo-etcd-tls-key", path, {
    help: "Private key (PEM) of --topo-etcd-tls-cert.",
  }),
  topoEtcdUsername: topology.optional("topo-etcd-username", text, {
    help: "etcd user, if etcd requires authentication.",
  }),
  topoEtcdPassword: topology.optional("topo-etcd-password", secretText, {
    secret: true,
    help: "Its password; other users of the machine can read it from a command line.",
  }),
  topoEtcdPasswordFile: topology.optional("topo-etcd-password-file", path, {
    help: "File with the password; overrides --topo-etcd-password.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
