export { Authority } from "./authority.ts";
export type { IssueOptions, PemIdentity } from "./authority.ts";
export { PemDirectory } from "./pem-directory.ts";
