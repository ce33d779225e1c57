export { EtcdBackend } from "./etcd-backend.ts";
export type { EtcdBackendOptions } from "./etcd-backend.ts";
export type { EtcdCredentials, EtcdTlsFiles } from "./etcd-options.ts";
