export { PAGE_FILES } from "./page-files.ts";
export type { PageFile } from "./page-files.ts";
export type {
  ClientCounts,
  HolderRow,
  PeerRow,
  PoolRow,
  ReplicationReport,
  ServingReport,
  StatusReport,
  TransitionRow,
  WorkSample,
} from "./report.ts";
