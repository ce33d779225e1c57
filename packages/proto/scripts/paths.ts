import { resolve } from "node:path";

/** This package. */
export const packageDirectory: string = resolve(import.meta.dirname, "..");

/** The root of the repository. */
export const repositoryDirectory: string = resolve(packageDirectory, "../..");

/** The generated code, relative to the root of the repository, as proto/buf.gen.yaml has it. */
export const GENERATED_PATH = "packages/proto/src/gen";
