import { choice, keyRoot, path, secretText, settingGroup, text } from "./setting.ts";
import type { Setting } from "./setting.ts";

const topology = settingGroup("Topology");

/** Where the topology is: settings of the program and of `ctl topo` alike. */
export const topologySettings = {
  topoImplementation: topology.optional(
    "topo-implementation",
    choice(["sqlite", "etcd", "memory"]),
    {
      help:
        "Where the topology is kept: in a file that the processes of this machine share, in etcd, or in " +
        "memory, which is forgotten at exit. If unset: etcd where --topo-global-server-addresses names " +
        "hosts, else sqlite.",
    },
  ),
  topoGlobalServerAddresses: topology.optional(
    "topo-global-server-addresses",
    { ...path, placeholder: "list|path" },
    {
      help:
        "etcd's endpoints, host:port with commas between, or the path of SQLite's file; " +
        "if unset the file is multipooler/topology.db in $XDG_STATE_HOME or ~/.local/state.",
    },
  ),
  topoGlobalRoot: topology.required("topo-global-root", keyRoot, {
    default: "/multigres/global",
    help: "What the keys of the global topology begin with.",
  }),
  topoCellRoot: topology.optional("topo-cell-root", keyRoot, {
    help:
      "What the keys of the cell begin with, for its record where there is none yet; " +
      "if unset the cell is beside the global root, e.g. /multigres/zone1.",
  }),
  topoEtcdTlsCa: topology.optional("topo-etcd-tls-ca", path, {
    help: "Certificates (PEM) of the authorities that etcd is trusted by. Turns on TLS.",
  }),
  topoEtcdTlsCert: topology.optional("topo-etcd-tls-cert", path, {
    help: "Certificate (PEM) to show to etcd, with --topo-etcd-tls-key. Turns on TLS.",
  }),
  topoEtcdTlsKey: topology.optional("topo-etcd-tls-key", path, {
    help: "Key (PEM) of --topo-etcd-tls-cert.",
  }),
  topoEtcdUsername: topology.optional("topo-etcd-username", text, {
    help: "User to log in to etcd as, where it asks for one.",
  }),
  topoEtcdPassword: topology.optional("topo-etcd-password", secretText, {
    secret: true,
    help: "Its password; other users of the machine can read it from a command line.",
  }),
  topoEtcdPasswordFile: topology.optional("topo-etcd-password-file", path, {
    help: "File that holds the password; wins over --topo-etcd-password.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
