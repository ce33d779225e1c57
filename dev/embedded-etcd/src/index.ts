export { EmbeddedEtcdError } from "./error.ts";
export type { EmbeddedEtcdErrorCode } from "./error.ts";
export { EmbeddedEtcd } from "./embedded-etcd.ts";
export type { EtcdTls } from "./launch.ts";
export { startEtcd } from "./start-etcd.ts";
export type { StartEtcdOptions } from "./start-etcd.ts";
